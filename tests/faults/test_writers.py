"""Processes that write one file at the same time, as two machines on a shared disk do."""

from __future__ import annotations

import platform
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from csvr import files
from csvr.data import shards

WRITERS, TIMES, LENGTH = 4, 25, 50_000


def write(path: Path, value: int) -> None:
    for _ in range(TIMES):
        shards.write(path, {"v": np.full(LENGTH, value)}, {"value": value})


def test_a_file_is_always_that_of_one_writer(tmp_path: Path) -> None:
    path = tmp_path / "0.safetensors"
    with ProcessPoolExecutor(WRITERS) as pool:
        written = [pool.submit(write, path, value) for value in range(WRITERS)]
        seen = set()
        while not all(one.done() for one in written):
            if path.exists():
                found = shards.Shards([path])
                assert set(found["v"]) == {found.headers[path]["value"]} and len(found["v"]) == LENGTH
                seen.add(found.headers[path]["value"])
        assert all(one.exception() is None for one in written)
    assert len(seen) > 1 and [file.name for file in tmp_path.iterdir()] == ["0.safetensors"]


def test_machines_of_a_shared_disk_do_not_write_to_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    names = set()
    for node in ("n1", "n2"):
        monkeypatch.setattr(platform, "node", lambda node=node: node)
        names.add(files.part_of(Path("a/b.mp4")))
    assert len(names) == 2 and {(name.parent, name.suffix) for name in names} == {(Path("a"), ".mp4")}
