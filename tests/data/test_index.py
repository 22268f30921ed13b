"""The index: what was looked into is not looked into again, unless the file or the code is another one."""

import os
from pathlib import Path

import pandas as pd
import pytest

from csvr.data import index, layouts
from tests.data.installations import draw, install


def looked(table: pd.DataFrame, journal: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], pd.DataFrame]:
    """Names of the files that were opened, and the index."""
    opened: list[str] = []
    inspect = index.inspect

    def spy(path: Path) -> dict[str, object]:
        opened.append(path.name)
        return inspect(path)

    with monkeypatch.context() as patch:
        patch.setattr(index, "inspect", spy)
        found = index.inspect_all(table, journal=journal)
    return opened, found


def test_a_journal_saves_a_second_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = install("folder", tmp_path / "data")
    table = layouts.read("folder", Path(folders["videos"]), Path(folders["splits"]), 1)
    journal, names = tmp_path / "logs/j.jsonl", [Path(path).name for path in table.path]
    os.remove(table.path[5])
    opened, first = looked(table, journal, monkeypatch)
    assert opened == names and first.problem.tolist() == [""] * 5 + ["missing"]
    # As if the process had died while it wrote the fourth line.
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(lines[:4]) + lines[4][:20])
    opened, second = looked(table, journal, monkeypatch)
    assert opened == names[3:]
    pd.testing.assert_frame_equal(first, second)
    # Another file, a file that came, and nothing else.
    draw(Path(table.path[0]), number=9, frames=40)
    draw(Path(table.path[5]), number=10)
    opened, third = looked(table, journal, monkeypatch)
    assert opened == [names[0], names[5]] and third.frames.tolist() == [40] + [36] * 5
    # Another one of the same size that says that it is as old, as a clock set back or a copy with times may leave it.
    before, data = os.stat(table.path[1]), bytearray(Path(table.path[1]).read_bytes())
    data[-1] ^= 1
    Path(table.path[1]).write_bytes(data)
    os.utime(table.path[1], ns=(before.st_atime_ns, before.st_mtime_ns))
    assert looked(table, journal, monkeypatch)[0] == [names[1]]
    with monkeypatch.context() as patch:
        patch.setattr(index, "code_hash", lambda name: "other code")
        assert looked(table, journal, monkeypatch)[0] == names
