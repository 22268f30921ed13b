"""Data sets in the layouts in which they are distributed: which videos there are to be, their classes and splits.

Each reader looks at lists and names only, never into a video, and gives a table with the columns `LISTED`: `video` (a
name that no other one has), `path`, `class`, `label` (from 0), `split` ("train" or "test"). A listed file that is not
there has the path where it was looked for. What can't be right in a list is a `UserError` that names file and line; all
such lines are shown at once. Lists are UTF-8, with any line ends, with or without a byte order mark.

- **ucf101** `<videos>/<Class>/v_<Class>_g01_c01.avi`; lists `classInd.txt` ("1 ApplyEyeMakeup", counted from 1),
  `trainlistNN.txt` ("ApplyEyeMakeup/v_….avi 1"), `testlistNN.txt` (the same without the number). Copies differ in the
  spelling of HandstandPushups, so names are matched whatever their case.
- **hmdb51** `<videos>/<class>/*.avi`; lists `<class>_test_split<N>.txt` ("name.avi 1": 1 train, 2 test, 0 in neither).
- **ssv2** `<videos>/<id>.webm`; lists `labels.json` (class → number), `train.json`, `validation.json`, also under their
  older names `something-something-v2-*.json`. Classes are the templates; validation is the test split, since the test
  videos have no labels.
- **kinetics** `<id>_<start>_<end>.mp4`, anywhere below `<videos>`; lists `train.csv` and `validate.csv` (or `val.csv`)
  with label, youtube_id, time_start, time_end. Copies are never complete, and are named in several ways: a file counts
  if its name has the id and the start, or the id alone.
- **folder** `<videos>/<class>/*` and a list `split.csv` (columns path, split); or `<videos>/{train,test}/<class>/*`.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from csvr.data import lists
from csvr.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

LISTED: Final = ("video", "path", "class", "label", "split")
FURTHER: Final = "split_"
"""Begins the names of columns of further splits."""
SUFFIXES: Final = frozenset({".avi", ".mp4", ".mkv", ".webm", ".mov", ".m4v", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp"})
Reader = Callable[[Path, Path, int], "pd.DataFrame"]
"""(videos, splits, number of the official split from 1) → table."""


@dataclass(frozen=True)
class Listed:
    """A video that a list names, and where: file and line."""

    video: str
    path: Path
    name: str
    label: int
    part: str
    where: str


def read_ucf101(videos: Path, splits: Path, split: int) -> pd.DataFrame:
    """UCF101, and whatever is laid out like it.

    Raises:
        UserError: A list is missing, has lines that are not as described above, or names a video twice.
    """
    classes = splits / "classInd.txt"
    wrong: list[str] = []
    labels: dict[str, int] = {}
    for where, line in lists.lines(classes):
        named = re.fullmatch(r"0*([1-9]\d{0,8})\s+(\S.*)", line)
        if named is None:
            wrong.append(f"{where}: {line!r} is not like '1 ApplyEyeMakeup'")
        elif named[2] in labels or int(named[1]) - 1 in labels.values():
            wrong.append(f"{where}: class {line!r}: its name or its number is there already")
        else:
            labels[named[2]] = int(named[1]) - 1
    lists.refuse(wrong)
    spelling = {name.lower(): name for name in labels}
    there = _Folder(videos)
    rows = []
    for part in ("train", "test"):
        for where, line in lists.lines(splits / f"{part}list{split:02d}.txt"):
            pair = re.fullmatch(r"(.*\S)\s+(\d{1,9})", line)
            entry, number = (pair[1], pair[2]) if pair else (line, "")
            name = spelling.get(entry.split("/")[0].lower())
            if "/" not in entry:
                wrong.append(f"{where}: {line!r} is not like 'ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi 1'")
            elif name is None:
                wrong.append(f"{where}: class {entry.split('/')[0]!r} of {entry!r} is not in {classes}")
            elif number and int(number) - 1 != labels[name]:
                wrong.append(f"{where}: {line!r}: class {name} has number {labels[name] + 1} in {classes}")
            else:
                rows.append(Listed(Path(entry).stem, there.find(entry), name, labels[name], part, where))
    return _table(rows, videos, splits, wrong)


def read_hmdb51(videos: Path, splits: Path, split: int) -> pd.DataFrame:
    """HMDB51; videos with 0 in the lists belong to neither split.

    Raises:
        UserError: There is no list of this split, or some have lines that are not as described above.
    """
    ending = f"_test_split{split}.txt"
    files = sorted(splits.glob(f"*{ending}"))
    if not files:
        raise UserError(f"{splits}: no lists *{ending} (unpack test_train_splits.rar there)")
    there = _Folder(videos)
    rows, wrong = [], []
    for label, file in enumerate(files):
        name = file.name.removesuffix(ending)
        for where, line in lists.lines(file):
            entry, _, number = line.rpartition(" ")
            entry = entry.strip()
            if not entry or number not in ("0", "1", "2"):
                wrong.append(f"{where}: {line!r} is not a file name and 0, 1 or 2")
            elif number != "0":
                part = "train" if number == "1" else "test"
                rows.append(Listed(Path(entry).stem, there.find(f"{name}/{entry}"), name, label, part, where))
    return _table(rows, videos, splits, wrong)


def read_ssv2(videos: Path, splits: Path, split: int) -> pd.DataFrame:
    """Something-Something v2; it has one split.

    Raises:
        UserError: A file is missing or is not as described above, or there is another split than 1.
    """
    _only_split(split, "ssv2")
    file = _either(splits, _ssv2_names("labels"))
    try:
        labels = {str(name): int(number) for name, number in lists.tree(file, dict).items()}
    except (OverflowError, TypeError, ValueError) as error:
        raise UserError(f"{file}: a class has no number ({error})") from error
    if len(set(labels.values())) < len(labels) or min(labels.values(), default=0) < 0:
        raise UserError(f"{file}: each class needs a number of its own, from 0")
    there = _Folder(videos)
    rows, wrong = [], []
    for part, listed in (("train", "train"), ("test", "validation")):
        file = _either(splits, _ssv2_names(listed))
        for k, entry in enumerate(lists.tree(file, list), start=1):
            try:
                video, name = str(entry["id"]), re.sub(r"[\[\]]", "", entry["template"])
                row = Listed(video, there.find(f"{video}.webm"), name, labels[name], part, f"{file}: entry {k}")
                rows.append(row)
            except (KeyError, TypeError):
                text = str(entry)[:80]
                wrong.append(f"{file}: entry {k}, {text}: no id, no template, or not in labels.json")
    return _table(rows, videos, splits, wrong)


def read_kinetics(videos: Path, splits: Path, split: int) -> pd.DataFrame:
    """Kinetics-400 (and 600, 700); it has one split, whose validation part is the test split.

    Raises:
        UserError: A list is missing or has other columns, or there is another split than 1.
    """
    _only_split(split, "kinetics")
    there = _Folder(videos)
    rows, wrong = [], []
    for part, names in (("train", ("train.csv",)), ("test", ("validate.csv", "val.csv", "validation.csv"))):
        for where, row in lists.rows(_either(splits, names), ("label", "youtube_id", "time_start", "time_end")):
            try:
                start, end = (int(float(row[key])) for key in ("time_start", "time_end"))
            except (OverflowError, ValueError):
                wrong.append(f"{where}: {row['youtube_id']}: start and end are no numbers")
                continue
            video, name = f"{row['youtube_id']}_{start:06d}_{end:06d}", row["label"].strip('"')
            rows.append(Listed(video, there.find_kinetics(row["youtube_id"], start, video), name, -1, part, where))
    return _table(_numbered(rows), videos, splits, wrong)


def read_folder(videos: Path, splits: Path, split: int) -> pd.DataFrame:
    """Any folder of class folders.

    Raises:
        UserError: Neither split.csv nor folders train and test say what to test on; or they are not as described above.
    """
    _only_split(split, "folder")
    file = splits / "split.csv"
    wrong: list[str] = []
    if file.exists():
        entries = []
        for where, row in lists.rows(file, ("path", "split")):
            if row["split"] not in ("train", "test") or "/" not in row["path"] or not Path(row["path"]).name:
                wrong.append(f"{where}: {row['path']!r}: path must be <class>/<file>, split train or test")
            else:
                entries.append((videos / row["path"], row["path"], row["split"], where))
    else:
        missing = [part for part in ("train", "test") if not (videos / part).is_dir()]
        if missing:
            raise UserError(f"{videos}: no folder {missing[0]}, and no {file} that says what is trained and tested on")
        entries = [
            (path, str(path.relative_to(videos / part)), part, str(path))
            for part in ("train", "test")
            for path in video_files(videos / part)
            if path.parent != videos / part
        ]
    # Class folders may hold files of the same name, so the class is part of it.
    rows = [
        Listed(str(Path(entry).with_suffix("")), path, entry.split("/")[0], -1, part, where)
        for path, entry, part, where in entries
    ]
    return _table(_numbered(rows), videos, splits, wrong)


@dataclass(frozen=True)
class Layout:
    """How a data set is laid out, and how large its published version is.

    Attributes:
        read: Its reader.
        videos, splits: Folders below the root where its archives unpack to.
        classes: Number of classes, 0 if any.
        listed: Videos in its lists by split number and part, as published.
        files: Videos in its archive, 0 if any.
    """

    read: Reader
    videos: str
    splits: str
    classes: int = 0
    listed: dict[int, dict[str, int]] | None = None
    files: int = 0


LAYOUTS: Final = {
    "ucf101": Layout(
        read_ucf101, "UCF-101", "ucfTrainTestlist", 101,
        {1: {"train": 9537, "test": 3783}, 2: {"train": 9586, "test": 3734}, 3: {"train": 9624, "test": 3696}}, 13320,
    ),
    # 6,766 files in the archive; its authors' paper counts 6,849, and so does much of the literature.
    "hmdb51": Layout(
        read_hmdb51, "hmdb51", "testTrainMulti_7030_splits", 51,
        {k: {"train": 3570, "test": 1530} for k in (1, 2, 3)}, 6766,
    ),
    "ssv2": Layout(
        read_ssv2, "20bn-something-something-v2", "labels", 174, {1: {"train": 168913, "test": 24777}}, 220847
    ),
    "kinetics": Layout(read_kinetics, "videos", "lists", 400),
    "folder": Layout(read_folder, ".", "."),
}  # fmt: skip
"""By name, as in `dataset.layout`."""


def read(layout: str, videos: Path, splits: Path, split: int, *further: int) -> pd.DataFrame:
    """The videos that are to be there.

    Args:
        layout: One of `LAYOUTS`.
        videos, splits: Folders of the videos and of the lists.
        split: Number of the official split, from 1.
        further: Numbers of more of them.

    Returns:
        A row a video, columns `LISTED`; with further splits all videos of any split, and for each of these a column
        split_<number>. A split that has not this video has "" there.

    Raises:
        UserError: No such layout or folder, or as the reader of the layout; or classes differ from split to split.
    """
    if layout not in LAYOUTS:
        raise UserError(f"dataset.layout = {layout}: there is {', '.join(LAYOUTS)}")
    for folder in (videos, splits):
        if not folder.is_dir():
            raise UserError(f"{folder}: no such folder")
    import pandas as pd  # takes long, and commands need the names of layouts for their flags

    tables = {number: LAYOUTS[layout].read(videos, splits, number) for number in (split, *further)}
    merged = pd.concat(list(tables.values())).drop_duplicates("video").reset_index(drop=True)
    for number in further:
        other = tables[number]
        if set(zip(other["class"], other.label, strict=True)) != set(zip(merged["class"], merged.label, strict=True)):
            raise UserError(f"{splits}: split {number} has other classes than split {split}")
        merged[f"{FURTHER}{number}"] = merged.video.map(dict(zip(other.video, other.split, strict=True))).fillna("")
    if further:
        first = tables[split]
        merged["split"] = merged.video.map(dict(zip(first.video, first.split, strict=True))).fillna("")
    return merged


class _Folder:
    """The files below a folder; each is found by its own path, or however its name is spelt or where it lies."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._paths: dict[str, Path] | None = None
        self._ids: dict[str, dict[int | None, Path]] = defaultdict(dict)

    def find(self, entry: str) -> Path:
        """Path of an entry of a list; that of the entry itself if there is no such file."""
        path = self.root / entry
        if os.path.exists(path):  # which, unlike Path.exists, is False where a folder may not be entered
            return path
        return self._scan().get(entry.lower(), path)

    def find_kinetics(self, youtube_id: str, start: int, name: str) -> Path:
        """Path of a Kinetics clip; one at the root if there is no such file."""
        self._scan()
        found = self._ids.get(youtube_id, {})
        # Without a start in its name, a file is the clip of its id.
        return found.get(start) or found.get(None) or self.root / f"{name}.mp4"

    def _scan(self) -> dict[str, Path]:
        """All videos, once, by lower-case path below the root; Kinetics' ids on the way."""
        if self._paths is None:
            self._paths = {}
            for path in video_files(self.root):
                self._paths.setdefault(str(path.relative_to(self.root)).lower(), path)
                name = re.fullmatch(r"(.{11})(?:_(\d+)_\d+)?", path.stem)
                if name:
                    self._ids[name[1]].setdefault(int(name[2]) if name[2] else None, path)
        return self._paths


def video_files(folder: Path) -> list[Path]:
    """Everything named like a video below a folder, links to folders followed.

    Raises:
        UserError: A folder can't be read.
    """

    def refuse(error: OSError) -> None:
        raise UserError(f"{error.filename}: this folder can't be read ({error.strerror})") from error

    found = []
    around: dict[str, frozenset[str]] = {}  # by folder, itself and those around it, without links
    for here, folders, files in os.walk(folder, onerror=refuse, followlinks=True):
        place, outside = os.path.realpath(here), around.get(os.path.dirname(here), frozenset())
        if place in outside:  # a link to a folder around it, which would have no end
            folders.clear()
            continue
        around[here] = outside | {place}
        # Archives made on a Mac hold a file ._name beside each file.
        named = [name for name in files + folders if Path(name).suffix.lower() in SUFFIXES and not name.startswith(".")]
        found += [Path(here, name) for name in named]
    return sorted(found)


def _numbered(rows: list[Listed]) -> list[Listed]:
    """Classes numbered by name, where lists give no numbers."""
    numbers = {name: k for k, name in enumerate(sorted({row.name for row in rows}))}
    return [replace(row, label=numbers[row.name]) for row in rows]


def _table(rows: list[Listed], videos: Path, splits: Path, wrong: list[str]) -> pd.DataFrame:
    """The rows, unless something is wrong with lines, a path leads out of `videos`, or a video is there twice."""
    first: dict[str, Listed] = {}
    for row in rows:
        if not _nameable(row.path):
            wrong.append(f"{row.where}: {ascii(row.video)} can't be the name of a file")
        elif not row.path.is_relative_to(videos) or ".." in row.path.relative_to(videos).parts:
            wrong.append(f"{row.where}: {row.path} is not in {videos}")
        other = first.setdefault(row.video, row)
        if other is not row:
            reason = "listed more than once" if row.part == other.part else "listed for training and for testing"
            wrong.append(f"{row.where}: {row.video}: {reason}, see {other.where}")
    lists.refuse(wrong)
    if not rows:
        raise UserError(f"{splits}: the lists name no video")
    import pandas as pd  # as above

    return pd.DataFrame([(r.video, str(r.path), r.name, r.label, r.part) for r in rows], columns=list(LISTED))


def _nameable(path: Path) -> bool:
    """Whether a file can have this path: JSON may hold what is no character, and any list a zero byte."""
    try:
        return b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        return False


def _only_split(split: int, layout: str) -> None:
    if split != 1:
        raise UserError(f"dataset.split = {split}: {layout} has one split, 1")


def _ssv2_names(part: str) -> tuple[str, str]:
    return f"{part}.json", f"something-something-v2-{part}.json"


def _either(folder: Path, names: Iterable[str]) -> Path:
    """The one of these files that is there."""
    found = next((folder / name for name in names if (folder / name).exists()), None)
    if found is None:
        raise UserError(f"{folder}: has none of {', '.join(names)}")
    return found
