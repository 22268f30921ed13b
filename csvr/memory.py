"""How a command holds memory: by mimalloc where it is installed, and with few looks for garbage while it starts."""

from __future__ import annotations

import gc
import os
import sys
import sysconfig
from pathlib import Path
from typing import Final

LIBRARY: Final = Path(sysconfig.get_path("platlib"), "cmeel.prefix", "lib", "libmimalloc.so")
"""Where the package cmeel-mimalloc (requirements.in) has it."""
PRELOAD: Final = "LD_PRELOAD"
KEPT: Final = {"MIMALLOC_PURGE_DELAY": "-1"}
"""Of mimalloc: what was freed is kept for what comes next, and never given back to the kernel."""
SELDOM: Final = 200_000
"""Objects that are made from one look for garbage to the next, while a command starts."""
OFTEN: Final = gc.get_threshold()
"""Python's own number of them, and of such looks until it goes through older objects, too."""


def prepare() -> None:
    """Start this process anew with mimalloc as its allocator, unless it has it, or was told of another one.

    A training step asks for memory 2,000 times, for hundreds of megabytes: in the C library's own allocator that is
    8 % of its time. The C library takes another one at the start of a process alone, hence the second start, which has
    the same number, flags and files.
    """
    gc.set_threshold(SELDOM)  # imports make objects by the hundred thousand, all of which stay
    if PRELOAD in os.environ or not LIBRARY.exists():
        return
    os.environ |= {PRELOAD: str(LIBRARY), **KEPT}
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def settle() -> None:
    """Work begins: never look through what is there now for garbage, and through what comes as often as Python does.

    A tensor that is part of a cycle is memory that waits for it.
    """
    gc.freeze()
    gc.set_threshold(*OFTEN)
