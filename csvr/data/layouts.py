"""Data sets in the layouts in which they are distributed: which videos there are to be, their classes and splits.

Each reader looks at lists and names only, never into a video, and gives a table with the columns `LISTED`: `video` (a
name that no other one has), `path`, `class`, `label` (from 0), `split` ("train" or "test"). A listed file that is not
there has the path where it was looked for. What can't be right in a list is a `UserError`.

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

import csv
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from csvr.errors import UserError

LISTED: Final = ("video", "path", "class", "label", "split")
SUFFIXES: Final = frozenset({".avi", ".mp4", ".mkv", ".webm", ".mov", ".m4v", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp"})
Reader = Callable[[Path, Path, int], pd.DataFrame]
"""(videos, splits, number of the official split from 1) → table."""


def read_ucf101(videos: Path, splits: Path, split: int) -> pd.DataFrame:
    """UCF101, and whatever is laid out like it.

    Raises:
        UserError: A list is missing, has a line that is not as described above, or names a video twice.
    """
    file = splits / "classInd.txt"
    pairs = [line.split() for line in _lines(file)]
    if any(len(pair) != 2 or not pair[0].isdigit() for pair in pairs):
        raise UserError(f"{file}: not a list of lines like '1 ApplyEyeMakeup'")
    labels = {name: int(number) - 1 for number, name in pairs}
    spelling = {name.lower(): name for name in labels}
    there = _Folder(videos)
    rows = []
    for part in ("train", "test"):
        file = splits / f"{part}list{split:02d}.txt"
        for line in _lines(file):
            entry = line.split()[0]
            name = spelling.get(entry.split("/")[0].lower())
            if name is None:
                raise UserError(
                    f"{file}: class {entry.split('/')[0]!r} of {entry!r} is not in {splits / 'classInd.txt'}"
                )
            rows.append((Path(entry).stem, there.find(entry), name, labels[name], part))
    return _table(rows, splits)


def read_hmdb51(videos: Path, splits: Path, split: int) -> pd.DataFrame:
    """HMDB51; videos with 0 in the lists belong to neither split.

    Raises:
        UserError: There is no list of this split, or one has a line that is not as described above.
    """
    ending = f"_test_split{split}.txt"
    files = sorted(splits.glob(f"*{ending}"))
    if not files:
        raise UserError(f"{splits}: no lists *{ending} (unpack test_train_splits.rar there)")
    there = _Folder(videos)
    rows = []
    for label, file in enumerate(files):
        name = file.name.removesuffix(ending)
        for line in _lines(file):
            entry, _, number = line.strip().rpartition(" ")
            if not entry or number not in ("0", "1", "2"):
                raise UserError(f"{file}: line {line.strip()!r} is not a file name and 0, 1 or 2")
            if number != "0":
                part = "train" if number == "1" else "test"
                rows.append((Path(entry.strip()).stem, there.find(f"{name}/{entry.strip()}"), name, label, part))
    return _table(rows, splits)


def read_ssv2(videos: Path, splits: Path, split: int) -> pd.DataFrame:
    """Something-Something v2; it has one split.

    Raises:
        UserError: A file is missing or is not as described above, or there is another split than 1.
    """
    _only_split(split, "ssv2")
    labels = {str(name): int(number) for name, number in _json(_either(splits, _ssv2_names("labels")), dict).items()}
    there = _Folder(videos)
    rows = []
    for part, listed in (("train", "train"), ("test", "validation")):
        file = _either(splits, _ssv2_names(listed))
        for entry in _json(file, list):
            try:
                video, name = str(entry["id"]), re.sub(r"[\[\]]", "", entry["template"])
                rows.append((video, there.find(f"{video}.webm"), name, labels[name], part))
            except (KeyError, TypeError) as error:
                raise UserError(
                    f"{file}: entry {str(entry)[:80]}: no id, no template, or not in labels.json"
                ) from error
    return _table(rows, splits)


def read_kinetics(videos: Path, splits: Path, split: int) -> pd.DataFrame:
    """Kinetics-400 (and 600, 700); it has one split, whose validation part is the test split.

    Raises:
        UserError: A list is missing or has other columns, or there is another split than 1.
    """
    _only_split(split, "kinetics")
    there = _Folder(videos)
    rows = []
    for part, names in (("train", ("train.csv",)), ("test", ("validate.csv", "val.csv", "validation.csv"))):
        file = _either(splits, names)
        with file.open(newline="", encoding="utf-8", errors="replace") as lines:
            table = list(csv.DictReader(lines))
        if not table or not {"label", "youtube_id", "time_start", "time_end"} <= set(table[0]):
            raise UserError(f"{file}: needs columns label, youtube_id, time_start, time_end")
        for row in table:
            try:
                start, end = (int(float(row[key])) for key in ("time_start", "time_end"))
            except (TypeError, ValueError) as error:
                raise UserError(f"{file}: {row['youtube_id']}: start and end are no numbers") from error
            video = f"{row['youtube_id']}_{start:06d}_{end:06d}"
            rows.append(
                (video, there.find_kinetics(row["youtube_id"], start, video), row["label"].strip('"'), -1, part)
            )
    numbers = {name: k for k, name in enumerate(sorted({row[2] for row in rows}))}
    return _table([(video, path, name, numbers[name], part) for video, path, name, _, part in rows], splits)


def read_folder(videos: Path, splits: Path, split: int) -> pd.DataFrame:
    """Any folder of class folders.

    Raises:
        UserError: Neither split.csv nor folders train and test say what to test on; or they are not as described above.
    """
    _only_split(split, "folder")
    file = splits / "split.csv"
    if file.exists():
        with file.open(newline="", encoding="utf-8") as lines:
            table = list(csv.DictReader(lines))
        if not table or not {"path", "split"} <= set(table[0]):
            raise UserError(f"{file}: needs columns path and split")
        listed = [(row["path"], row["split"]) for row in table]
        odd = [path for path, part in listed if part not in ("train", "test") or "/" not in path]
        if odd:
            raise UserError(f"{file}: {odd[0]!r}: path must be <class>/<file>, split train or test")
        entries = [(videos / path, path, part) for path, part in listed]
    else:
        missing = [part for part in ("train", "test") if not (videos / part).is_dir()]
        if missing:
            raise UserError(f"{videos}: no folder {missing[0]}, and no {file} that says what is trained and tested on")
        entries = [
            (path, str(path.relative_to(videos / part)), part)
            for part in ("train", "test")
            for path in _videos(videos / part)
            if path.parent != videos / part
        ]
    numbers = {name: k for k, name in enumerate(sorted({entry.split("/")[0] for _, entry, _ in entries}))}
    rows = []
    for path, entry, part in entries:
        name = entry.split("/")[0]
        # Class folders may hold files of the same name.
        rows.append((str(Path(entry).with_suffix("")), path, name, numbers[name], part))
    return _table(rows, splits)


@dataclass(frozen=True)
class Layout:
    """How a data set is laid out, and how large its published version is.

    Attributes:
        read: Its reader.
        videos, splits: Folders below the root where its archives unpack to.
        classes: Number of classes, 0 if any.
        listed: Videos in its lists by split number and part, as published.
        files: Videos in its archive, 0 if any.
        complete: Whether each listed video is in the archive (copies of Kinetics never have them all).
    """

    read: Reader
    videos: str
    splits: str
    classes: int = 0
    listed: dict[int, dict[str, int]] | None = None
    files: int = 0
    complete: bool = True


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
    "kinetics": Layout(read_kinetics, "videos", "lists", 400, None, 0, complete=False),
    "folder": Layout(read_folder, ".", "."),
}  # fmt: skip
"""By name, as in `dataset.layout`."""


def read(layout: str, videos: Path, splits: Path, split: int) -> pd.DataFrame:
    """The videos that are to be there.

    Args:
        layout: One of `LAYOUTS`.
        videos, splits: Folders of the videos and of the lists.
        split: Number of the official split, from 1.

    Raises:
        UserError: No such layout or folder, or as the reader of the layout.
    """
    if layout not in LAYOUTS:
        raise UserError(f"dataset.layout = {layout}: there is {', '.join(LAYOUTS)}")
    for folder in (videos, splits):
        if not folder.is_dir():
            raise UserError(f"{folder}: no such folder")
    return LAYOUTS[layout].read(videos, splits, split)


class _Folder:
    """The files below a folder; each is found by its own path, or however its name is spelt or where it lies."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._paths: dict[str, Path] | None = None
        self._ids: dict[str, dict[int | None, Path]] = defaultdict(dict)

    def find(self, entry: str) -> Path:
        """Path of an entry of a list; that of the entry itself if there is no such file."""
        path = self.root / entry
        if path.exists():
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
            for path in _videos(self.root):
                self._paths.setdefault(str(path.relative_to(self.root)).lower(), path)
                name = re.fullmatch(r"(.{11})(?:_(\d+)_\d+)?", path.stem)
                if name:
                    self._ids[name[1]].setdefault(int(name[2]) if name[2] else None, path)
        return self._paths


def _videos(folder: Path) -> list[Path]:
    # Archives made on a Mac hold a file ._name beside each file.
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and not p.name.startswith("."))


def _table(rows: Iterable[tuple[str, Path, str, int, str]], splits: Path) -> pd.DataFrame:
    table = pd.DataFrame([(v, str(path), *rest) for v, path, *rest in rows], columns=list(LISTED))
    if table.empty:
        raise UserError(f"{splits}: the lists name no video")
    twice = table.video[table.video.duplicated()].unique().tolist()
    if twice:
        raise UserError(f"{splits}: listed more than once, or in train and test: {', '.join(twice[:10])}")
    return table


def _only_split(split: int, layout: str) -> None:
    if split != 1:
        raise UserError(f"dataset.split = {split}: {layout} has one split, 1")


def _lines(file: Path) -> list[str]:
    try:
        return [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: can't be read ({error})") from error


def _json(file: Path, kind: type) -> Any:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{file}: no readable JSON ({error})") from error
    if not isinstance(found, kind):
        raise UserError(f"{file}: holds no {kind.__name__}")
    return found


def _ssv2_names(part: str) -> tuple[str, str]:
    return f"{part}.json", f"something-something-v2-{part}.json"


def _either(folder: Path, names: Iterable[str]) -> Path:
    """The one of these files that is there."""
    found = next((folder / name for name in names if (folder / name).exists()), None)
    if found is None:
        raise UserError(f"{folder}: has none of {', '.join(names)}")
    return found
