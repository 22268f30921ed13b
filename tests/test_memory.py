"""Commands have mimalloc as their allocator, and look for garbage seldom while they start."""

from __future__ import annotations

import gc
import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from csvr import memory
from csvr.tracking.sources import ROOT

pytestmark = pytest.mark.skipif(not memory.LIBRARY.exists(), reason="cmeel-mimalloc is not installed")

COMMAND = """
import gc, json, os, resource, sys
from pathlib import Path
print(os.getpid())  # of both starts, if there are two
sys.stdout.flush()
from csvr import cli, memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    block = bytearray(48 << 20)
    block[::4096] = bytes(len(block) // 4096)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def main():
    found = {"flags": sys.argv[1:], "warnings": sys.warnoptions, "stdin": sys.stdin.read(), "here": os.getcwd()}
    found["mimalloc"] = str(memory.LIBRARY.resolve()) in Path("/proc/self/maps").read_text()
    found["faults"] = [faults(), faults()]
    found["starting"] = gc.get_threshold()
    memory.settle()
    found["settled"] = [gc.get_threshold(), gc.get_freeze_count()]
    print(json.dumps(found))
    sys.exit(7)

cli.run(main)
"""


def start(tmp_path: Path, limit: int = resource.RLIM_INFINITY, **environment: str) -> tuple[list[str], dict[str, Any]]:
    """Process numbers that a command printed, and what it found."""
    script = tmp_path / "a command.py"
    script.write_text(COMMAND)
    kept = {name: value for name, value in os.environ.items() if name != memory.PRELOAD}
    done = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", script, "--flag", "two words", ""], cwd=tmp_path, text=True,
        input="from stdin", capture_output=True, env=kept | {"PYTHONPATH": str(ROOT)} | environment,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY)),
    )  # fmt: skip
    assert done.returncode == 7, done.stderr
    *numbers, found = done.stdout.splitlines()
    return numbers, json.loads(found)


def test_a_command_starts_anew_with_mimalloc_and_all_that_it_was_given(tmp_path: Path) -> None:
    numbers, found = start(tmp_path)
    assert len(numbers) == 2 and len(set(numbers)) == 1, "a new process: signals would miss it"
    assert found["mimalloc"]
    assert found["flags"] == ["--flag", "two words", ""] and found["warnings"] == ["error::ResourceWarning"]
    assert found["stdin"] == "from stdin" and found["here"] == str(tmp_path)


def test_a_process_that_was_told_of_its_allocator_keeps_it(tmp_path: Path) -> None:
    numbers, found = start(tmp_path, LD_PRELOAD="")
    assert len(numbers) == 1 and not found["mimalloc"]
    numbers, found = start(tmp_path, LD_PRELOAD=str(memory.LIBRARY))
    assert len(numbers) == 1 and found["mimalloc"]


def test_freed_memory_is_taken_again_without_the_kernel(tmp_path: Path) -> None:
    assert start(tmp_path)[1]["faults"][1] < 100
    without = start(tmp_path, LD_PRELOAD="")[1]["faults"][1]
    assert without > 1000, "the C library keeps it by itself: then nothing is gained"


def test_a_limited_address_space_is_enough(tmp_path: Path) -> None:
    assert start(tmp_path, limit=1 << 30)[1]["mimalloc"]


def test_without_the_library_a_command_goes_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(memory.PRELOAD, raising=False)
    monkeypatch.setattr(memory, "LIBRARY", tmp_path / "libmimalloc.so")
    monkeypatch.setattr(os, "execv", lambda *_: pytest.fail("started anew"))
    before = gc.get_threshold()
    try:
        memory.prepare()
    finally:
        gc.set_threshold(*before)
    assert memory.PRELOAD not in os.environ


def test_garbage_is_looked_for_seldom_until_work_begins(tmp_path: Path) -> None:
    _, found = start(tmp_path)
    assert found["starting"][0] == memory.SELDOM
    threshold, frozen = found["settled"]
    assert tuple(threshold) == memory.OFTEN and frozen > 1000
