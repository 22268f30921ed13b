"""Wrong and odd lists of data sets: every wrong line is named with its file and number."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from csvr.data import layouts
from csvr.errors import UserError
from tests.data.bad_videos import content


@dataclass
class Lists:
    """UCF101's lists with two classes, as bytes; each kind spoils something."""

    classes: bytes = b"1 Run\n2 Sit\n"
    train: bytes = b"Run/a.avi 1\nSit/b.avi 2\n"
    test: bytes = b"Run/c.avi\nSit/d.avi\n"


# What is refused, and what is said; whole lists of it where several lines are wrong.
BAD_LISTS: dict[str, tuple[Lists, str]] = {
    "empty": (Lists(train=b"", test=b"\n"), r"ucfTrainTestlist: the lists name no video"),
    "Latin-1": (Lists(train=b"Run/a.avi 1\nSit/caf\xe9.avi 2\n"), r"list01.txt: line 2 can't be read: it is not UTF"),
    "UTF-16": (Lists(test="Run/c.avi\n".encode("utf-16")), r"testlist01.txt: line 1 can't be read: it is not UTF-8"),
    "another list's format": (Lists(train=b"a.avi 1\nb.avi 2\n"), r"1: 'a.avi 1' is not like .*\n.*2: 'b.avi 2'"),
    "CSV": (Lists(train=b"path,label\nRun/a.avi,1\n"), r"trainlist01.txt: line 1: 'path,label' is not like"),
    "wrong line": (Lists(test=b"Run/c.avi\n\nnonsense\n"), r"testlist01.txt: line 3: 'nonsense' is not like"),
    "class missing": (Lists(test=b"Run/c.avi\nJump/d.avi\n"), r"2: class 'Jump' of 'Jump/d.avi' is not in .*classInd"),
    "other number": (Lists(train=b"Run/a.avi 2\n"), r"line 1: 'Run/a.avi 2': class Run has number 1 in"),
    "class twice": (Lists(classes=b"1 Run\n2 Sit\n3 Run\n"), r"classInd.txt: line 3: class '3 Run': its name or"),
    "classes without numbers": (Lists(classes=b"Run\nSit\n"), r"2 entries .*\n.*1: 'Run' is not like.*\n.*2: 'Sit'"),
    "name twice": (Lists(train=b"Run/a.avi 1\nSit/a.avi 2\n"), r"2: a: listed more than once, see .*line 1"),
    "in train and test": (
        Lists(test=b"Run/c.avi\nRun/a.avi\n"),
        r"testlist01.txt: line 2: a: listed for training and for testing, see .*trainlist01.txt: line 1",
    ),
}  # fmt: skip
ODD_LISTS: dict[str, Lists] = {
    "byte order mark": Lists(*(b"\xef\xbb\xbf" + text for text in (Lists.classes, Lists.train, Lists.test))),
    "CRLF": Lists(*(text.replace(b"\n", b"\r\n") for text in (Lists.classes, Lists.train, Lists.test))),
    "CR": Lists(*(text.replace(b"\n", b"\r") for text in (Lists.classes, Lists.train, Lists.test))),
    "blanks and empty lines": Lists(train=b"  Run/a.avi   1  \n\n\tSit/b.avi\t2", test=b"\nRun/c.avi \nSit/d.avi"),
    "other case": Lists(train=b"run/a.avi 1\nSIT/b.avi 2\n"),
}


def read_lists(lists: Lists, root: Path) -> pd.DataFrame:
    folders = root / "UCF-101", root / "ucfTrainTestlist"
    for made in folders:
        made.mkdir()
    for name, text in (("classInd", lists.classes), ("trainlist01", lists.train), ("testlist01", lists.test)):
        content(folders[1] / f"{name}.txt", text)
    return layouts.read("ucf101", *folders, 1)


@pytest.mark.parametrize("kind", BAD_LISTS)
def test_wrong_lines_of_lists_are_named(kind: str, tmp_path: Path) -> None:
    lists, reason = BAD_LISTS[kind]
    with pytest.raises(UserError, match=reason):
        read_lists(lists, tmp_path)


@pytest.mark.parametrize("kind", ODD_LISTS)
def test_odd_lists_are_read(kind: str, tmp_path: Path) -> None:
    table = read_lists(ODD_LISTS[kind], tmp_path)
    assert table.video.tolist() == ["a", "b", "c", "d"] and table.label.tolist() == [0, 1, 0, 1]
    assert table["class"].tolist() == ["Run", "Sit", "Run", "Sit"]


@pytest.mark.parametrize(
    ("layout", "files", "reason"),
    [
        ("hmdb51", {"run_test_split1.txt": b"a.avi 1\nb.avi\nc.avi 3\n"}, r"2 entries .*\n.*2: 'b.avi'.*\n.*line 3"),
        ("ssv2", {"labels.json": b"[]"}, r"labels.json: holds no dict"),
        ("ssv2", {"labels.json": b'{"A": "x"}'}, r"labels.json: a class has no number"),
        ("ssv2", {"labels.json": b"{"}, r"labels.json: no readable JSON"),
        ("ssv2", {"labels.json": b"[" * 100_000}, r"labels.json: no readable JSON"),
        ("ssv2", {"labels.json": b'{"A": 1e999}'}, r"labels.json: a class has no number"),
        ("ssv2", {"labels.json": b'{"A": 1, "B": 1}'}, r"labels.json: each class needs a number of its own"),
        ("ssv2", {"labels.json": b'{"A": -1}'}, r"labels.json: each class needs a number of its own, from 0"),
        (
            "ssv2", {"labels.json": b'{"A": 0}', "train.json": b'[{"id": "\\ud800", "template": "A"}]',
                     "validation.json": b'[{"id": "\\u0000", "template": "A"}]'},
            r"2 entries .*\n.*entry 1: '\\ud800' can't be the name of a file\n.*entry 1: '\\x00' can't be",
        ),
        (
            "ucf101", {"classInd.txt": b"0 A\n" + b"9" * 5000 + b" B\n"},
            r"2 entries .*\n.*line 1: '0 A' is not like .*\n.*line 2: ",
        ),
        ("folder", {"split.csv": b"path,split\n/,train\n"}, r"split.csv: line 2: '/': path must be"),
        (
            "ssv2", {"labels.json": b'{"A": "0"}', "train.json": b'[{"id": 1}, 7]', "validation.json": b"[]"},
            r"2 entries .*\n.*train.json: entry 1, .*\n.*entry 2, 7: no id",
        ),
        ("kinetics", {"train.csv": b"label,id\n"}, r"train.csv: needs columns label, youtube_id"),
        (
            "kinetics",
            {"train.csv": b"label,youtube_id,time_start,time_end\nrun,x\nrun,y,1,inf\n", "val.csv": b""},
            r"val.csv: needs columns",
        ),
        (
            "kinetics",
            dict.fromkeys(("train.csv", "val.csv"), b"label,youtube_id,time_start,time_end\nrun,x\nrun,y,1,inf\n"),
            r"4 entries .*\n.*train.csv: line 2: x: start and end are no numbers\n.*line 3: y",
        ),
        ("folder", {"split.csv": b"path;split\n"}, r"split.csv: needs columns path, split"),
        ("folder", {"split.csv": b"path,split\nrun/a.avi\n"}, r"split.csv: line 2: 'run/a.avi': path must be"),
        ("folder", {"split.csv": b"path,split\nrun/a.avi,train\nrun/a.mkv,test\n"}, r"3: run/a: listed for training"),
        ("folder", {}, r"no folder train"),
    ],
)  # fmt: skip
def test_other_lists(layout: str, files: dict[str, bytes], reason: str, tmp_path: Path) -> None:
    for name, data in files.items():
        content(tmp_path / name, data)
    with pytest.raises(UserError, match=reason):
        layouts.read(layout, tmp_path, tmp_path, 1)
