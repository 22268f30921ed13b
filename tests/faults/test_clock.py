"""A clock that jumps by a day during a run and between runs: the results are the same, and nothing is left to do."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.runs import Undisturbed, content, long, repository
from tests.faults.test_damage import CELL, wait_for
from tests.workflow.experiments import Repository
from tests.workflow.repository import ENV

DAY = 24 * 60 * 60
BEHIND = "has older modification time"
"""What Snakemake says of an output that is older than what it was made of."""


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """What sets the clock of all commands that are started, also while they run: seconds from the right time."""
    if not shutil.which("cc"):
        pytest.skip("needs a C compiler")
    source, library, offset = Path(__file__).with_name("clock.c"), tmp_path / "clock.so", tmp_path / "offset"
    subprocess.run(["cc", "-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, source], check=True)
    offset.write_bytes(struct.pack("l", 0))
    monkeypatch.setitem(ENV, "LD_PRELOAD", str(library))
    monkeypatch.setitem(ENV, "CLOCK_OFFSET", str(offset))

    def jump(seconds: int) -> None:
        with offset.open("r+b") as file:  # the same file, which running commands look at
            file.write(struct.pack("l", seconds))

    return jump


def test_the_clock_is_wrong_for_commands_only(clock: Callable[[int], None], tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    script = "import os, time; os.utime('a'); before = time.monotonic(); print(time.time()); time.sleep(0.01)"
    for jump in (-DAY, DAY, 0):
        clock(jump)
        said = Repository(tmp_path).run("python", "-c", script)
        assert abs(float(said) - time.time() - jump) < 60
        assert abs((tmp_path / "a").stat().st_mtime - time.time() - jump) < 60


@long
@pytest.mark.parametrize("jump", [-DAY, DAY])
def test_a_clock_that_jumps_during_a_run(
    jump: int, clock: Callable[[int], None], undisturbed: Undisturbed, tmp_path: Path
) -> None:
    there = repository(tmp_path / "r")
    process = there.start("snakemake", "--cores", "8")
    wait_for(there.path, f"{CELL}/networks.checkpoints/*/step*", process)
    clock(jump)
    said, _ = process.communicate()
    # Back by a day, all that was made before seems newer than what is made of it.
    assert (process.returncode != 0) == (jump < 0) == (BEHIND in said), said
    if jump < 0:
        assert "a time that is yet to come" in there.snakemake()
    for now in (jump, 0):
        clock(now)
        assert "Nothing to be done" in there.snakemake() and content(there.path) == undisturbed.content
        there.snakemake("--forcerun", "evaluate")
        assert "Nothing to be done" in there.snakemake() and content(there.path) == undisturbed.content
    assert "Nothing to be done" in there.dvc("repro")
    statuses = there.run("python", "-m", "csvr.runs")
    assert "COMPLETED" in statuses and "DIED" not in statuses and "RUNNING" not in statuses


@long
def test_files_of_any_time(finished: Repository, undisturbed: Undisturbed) -> None:
    """Sources that seem newer than what was made with them, and results of times to come."""
    now = time.time()
    for folder, shift in (("workflow", 1), ("csvr", 2), ("params", 3), ("features", -2), ("results", 4), ("data", 5)):
        for path in (finished.path / folder).rglob("*"):
            os.utime(path, (now + shift * DAY,) * 2)
    assert "Nothing to be done" in finished.snakemake()
    finished.snakemake("--forcerun", "evaluate")
    assert content(finished.path) == undisturbed.content
    assert "Nothing to be done" in finished.snakemake()
