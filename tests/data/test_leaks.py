"""A training video in the test list is caught, by name and by content, before anything is computed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd
import pytest

from csvr import evaluate
from csvr.data.index import COLUMNS
from csvr.data.leaks import require_apart, require_split
from csvr.errors import UserError
from csvr.pretrain import __main__ as pretrain
from tests.pretrain.small import VIDEOS, params, write_features


def listing(**changes: dict[str, str]) -> pd.DataFrame:
    """An index of VIDEOS, the last two of them for testing; `changes` by video."""
    rows = []
    for k, video in enumerate(VIDEOS):
        row = dict.fromkeys(COLUMNS, "") | {"video": video, "path": f"videos/{video}.avi", "class": f"c{k % 2}"}
        row |= {"label": k % 2, "split": "test" if k >= 4 else "train", "frames": 20, "sha256": f"{k}" * 64}
        rows.append(row | {"run": "1"} | changes.get(video, {}))
    return pd.DataFrame(rows)


def test_what_is_apart_passes() -> None:
    require_split(listing())


def test_the_same_content_under_another_name_is_named_with_both_files() -> None:
    with pytest.raises(UserError, match=r"1 test videos.*\n  videos/v4.avi \(test\) is videos/v1.avi.*same content"):
        require_split(listing(v4={"sha256": "1" * 64}))


def test_the_same_name_is_named_with_both_files_and_once() -> None:
    with pytest.raises(UserError) as error:
        require_split(listing(v5={"video": "v2", "sha256": "2" * 64}, v4={"sha256": "0" * 64}))
    assert str(error.value).splitlines()[1:] == [
        "  videos/v5.avi (test) is videos/v2.avi (training): the same name",
        "  videos/v4.avi (test) is videos/v0.avi (training): the same content",
    ]


def test_two_data_sets_may_have_the_same_names() -> None:
    other = listing().assign(sha256=[f"{k + 6}" * 64 for k in range(6)])
    require_apart(listing(), other, names=False)
    with pytest.raises(UserError, match="6 test videos"):
        require_apart(listing(), other)


@pytest.mark.parametrize("command", ["evaluate", "pretrain"])
def test_no_command_trains_or_tests_on_such_lists(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_features(tmp_path)
    listing(v4={"sha256": "1" * 64}).to_csv(tmp_path / "index.csv", index=False)
    flags = ["--index", tmp_path / "index.csv", "--clips", tmp_path / "clips", "--poses", tmp_path / "poses"]
    flags += ["--params", json.dumps(params()), "--output", tmp_path / "out", "--runs", tmp_path / "runs"]
    if command == "evaluate":
        flags += ["--networks", tmp_path / "none", "--variant", "full", "--frozen", tmp_path / "frozen"]
    else:
        flags += ["--iframes", tmp_path / "iframes", "--variant", "full", "--seed", 0, "--history", tmp_path / "h"]
    monkeypatch.setattr(sys, "argv", [command, *map(str, flags)])
    with pytest.raises(UserError, match=r"videos/v4.avi \(test\) is videos/v1.avi"):
        {"evaluate": evaluate, "pretrain": pretrain}[command].main()
    assert not (tmp_path / "out").exists()
