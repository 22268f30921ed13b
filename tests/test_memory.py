"""Memory is kept, lies in large pages, and is the same for all threads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from csvr import memory

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's /proc")
HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")

SEEN = """
import ctypes, resource, threading
from pathlib import Path
from csvr import memory

def where(block):
    "What the kernel says of the mapping that the middle of a block lies in."
    address, inside, found = ctypes.addressof(ctypes.c_char.from_buffer(block)) + len(block) // 2, False, {}
    for line in Path("/proc/self/smaps").read_text().splitlines():
        key, *values = line.split()
        if not key.endswith(":"):
            begin, end = (int(x, 16) for x in key.split("-"))
            inside = begin <= address < end
        elif inside:
            found[key[:-1]] = values
    return found

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    block = bytearray(48 << 20)
    block[::4096] = bytes(len(block) // 4096)
    return block, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
"""


def run(code: str) -> str:
    """What a fresh Python prints."""
    done = subprocess.run([sys.executable, "-c", SEEN + code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_freed_memory_is_taken_again_without_the_kernel() -> None:
    again = "\nblock, first = faults(); del block; block, second = faults(); print(second)"
    assert int(run("memory.keep()" + again)) < 100
    assert int(run(again)) > 1000, "the library keeps it by itself: then `keep` is not needed"


@pytest.mark.skipif(
    not HUGE_PAGES.exists() or "[never]" in HUGE_PAGES.read_text(), reason="large pages are switched off here"
)
def test_memory_lies_in_large_pages() -> None:
    assert run("memory.keep(); block, _ = faults(); print('hg' in where(block)['VmFlags'])") == "True"


def test_threads_get_theirs_from_the_same_place() -> None:
    thread = """
found = []
thread = threading.Thread(target=lambda: found.append(bytearray(8 << 20)))
thread.start(); thread.join()
print(where(found[0])["Size"][0])
"""
    assert int(run("memory.keep()" + thread)) << 10 > memory.HUGE // 2
    assert int(run(thread)) << 10 < memory.HUGE // 2


def test_nothing_is_set_aside_of_a_limited_address_space() -> None:
    limit = "resource.setrlimit(resource.RLIMIT_AS, (4 << 30, resource.RLIM_INFINITY)); memory.keep()"
    size = run(f"{limit}; block, _ = faults(); print(where(block)['Size'][0])")
    assert int(size) << 10 < memory.HUGE // 2
