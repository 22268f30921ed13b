"""How the C library holds memory: kept once it was had, in large pages, in one place for all threads."""

from __future__ import annotations

import ctypes
import mmap
import resource
from typing import Final

TRIM_THRESHOLD, MMAP_THRESHOLD, ARENA_MAX = -1, -3, -8  # malloc.h
HUGE: Final = 1000 << 20
"""Bytes that are to lie in large pages: less than the 1 GB from which on a block is a mapping of its own."""


def keep() -> None:
    """Keep memory that was freed for what comes next, up to 2 GB; only GNU's C library can be told to.

    It gives large blocks, such as a network's activations, back to the kernel at once, which then fills the pages of
    the next ones with zeros: a tenth of the time of finding poses. What is kept is asked to lie in pages of 2 MB
    (Linux, unless its transparent huge pages are switched off), since a step goes through hundreds of megabytes, and
    to look up where each 4 kB of them are takes it 4 % of its time. Threads get their memory there, too.
    """
    library = ctypes.CDLL(None)
    mallopt = getattr(library, "mallopt", None)
    # Not the second alone: each of them ends the library's own adapting of both.
    if not mallopt or not mallopt(MMAP_THRESHOLD, 1 << 30) or not mallopt(TRIM_THRESHOLD, (1 << 31) - 1):
        return
    mallopt(ARENA_MAX, 1)
    # Of a limited address space nothing is set aside.
    free = all(
        resource.getrlimit(kind)[0] == resource.RLIM_INFINITY for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA)
    )
    if free and hasattr(mmap, "MADV_HUGEPAGE"):
        _lay_in_large_pages(library)


def _lay_in_large_pages(library: ctypes.CDLL) -> None:
    """Have the heap grow in large pages: take what comes next of it, say so, and give it back untouched."""
    library.malloc.restype, library.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    library.free.restype, library.free.argtypes = None, [ctypes.c_void_p]
    library.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    block = library.malloc(HUGE)
    if not block:
        return
    begin = -(-block // mmap.PAGESIZE) * mmap.PAGESIZE
    library.madvise(begin, (block + HUGE - begin) // mmap.PAGESIZE * mmap.PAGESIZE, mmap.MADV_HUGEPAGE)
    library.free(block)
