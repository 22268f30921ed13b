"""A finished run of the very small profile that nobody disturbed, and a small disk."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.runs import Undisturbed, content, repository
from tests.workflow.experiments import Repository

Resize = Callable[[str], None]


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """What comes out, and how long it takes."""
    folder, began = repository(tmp_path_factory.mktemp("undisturbed") / "r"), time.monotonic()
    folder.snakemake()
    return Undisturbed(folder.path, content(folder.path), time.monotonic() - began)


@pytest.fixture
def finished(undisturbed: Undisturbed, tmp_path: Path) -> Repository:
    """A copy of it to do anything with."""
    return Repository(undisturbed.path).copy(tmp_path / "finished")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[tuple[Path, Resize]]:
    """A file system of 2 MB in memory, and what gives it another size or other options (`mount -o remount,…`)."""
    if os.geteuid():
        pytest.skip("only root may mount a file system")
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", folder], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"no file system can be mounted here: {made.stderr.strip()}")
    try:
        yield folder, lambda options: subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True) and None
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
