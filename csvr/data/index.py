"""The index of a data set: one row a video, read from UCF101's layout.

UCF101's `ucfTrainTestlist`: `classInd.txt` ("1 ApplyEyeMakeup", counted from 1), `trainlistNN.txt`
("ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi 1") and `testlistNN.txt` (the same without the number).
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import av
import pandas as pd

from csvr.errors import UserError
from csvr.files import sha256

COLUMNS = ("video", "path", "class", "label", "split", "frames", "width", "height", "fps", "sha256")


def read_ucf101(videos: Path, splits: Path, split: int) -> pd.DataFrame:
    """The official lists as a table, before the files are looked at.

    Args:
        videos: Folder of class folders.
        splits: Folder of classInd.txt and the lists.
        split: Number of the official split, from 1.

    Returns:
        Columns video (file stem), path, class, label (from 0) and split ("train" or "test").

    Raises:
        UserError: A list is missing or has a line that is not as described above.
    """
    try:
        lines = (splits / "classInd.txt").read_text().splitlines()
        labels = {name: int(number) - 1 for number, name in (line.split() for line in lines if line.strip())}
    except (OSError, ValueError) as error:
        raise UserError(f"{splits / 'classInd.txt'}: not a readable class list ({error})") from error
    rows = []
    for part in ("train", "test"):
        file = splits / f"{part}list{split:02d}.txt"
        try:
            entries = [line.split()[0] for line in file.read_text().splitlines() if line.strip()]
        except OSError as error:
            raise UserError(f"{file}: can't be read ({error})") from error
        for entry in entries:
            name = entry.split("/")[0]
            if name not in labels:
                raise UserError(f"{file}: class {name!r} of {entry!r} is not in {splits / 'classInd.txt'}")
            path = videos / entry
            rows.append({"video": path.stem, "path": str(path), "class": name, "label": labels[name], "split": part})
    table = pd.DataFrame(rows)
    twice = table.video[table.video.duplicated()].tolist()
    if twice:
        raise UserError(f"{splits}: listed more than once, or in train and test: {', '.join(twice[:10])}")
    return table


def _facts(path: Path) -> dict[str, Any]:
    """Frames, size, rate and checksum of a video file, from its packets (nothing is decoded)."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        count = sum(1 for packet in container.demux(stream) if packet.size and not packet.is_discard)
        facts: dict[str, Any] = {"frames": count, "width": stream.width, "height": stream.height}
        facts["fps"] = float(stream.average_rate or 0)
    return facts | {"sha256": sha256(path)}


def build(videos: Path, splits: Path, split: int, min_frames: int) -> pd.DataFrame:
    """The index of the whole data set (columns `COLUMNS`), every file opened once.

    Args:
        videos, splits, split: See `read_ucf101`.
        min_frames: Shortest usable video.

    Raises:
        UserError: Lists are wrong, or files are missing, unreadable or too short: all of them named.
    """
    table = read_ucf101(videos, splits, split)
    facts, bad = [], []
    for path in map(Path, table.path):
        try:
            fact = _facts(path)
        except (av.FFmpegError, OSError, IndexError) as error:
            bad.append(f"{path}: {'missing' if not path.exists() else f'unreadable ({error})'}")
            continue
        if fact["frames"] < min_frames:
            bad.append(f"{path}: {fact['frames']} frames, but clip and future need {min_frames}")
        facts.append(fact)
    if bad:
        raise UserError(f"{len(bad)} of {len(table)} videos can't be used:\n  " + "\n  ".join(bad))
    return pd.concat([table, pd.DataFrame(facts)], axis=1)[list(COLUMNS)]


def read(path: Path) -> pd.DataFrame:
    """An index written by `python -m csvr.index`: columns `COLUMNS`, and `run`, the id of the run that made it.

    Raises:
        UserError: Missing or with other columns.
    """
    try:
        table = pd.read_csv(path, dtype={"video": str, "path": str, "class": str, "run": str})
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: not a readable index ({error}); run snakemake {path}") from error
    expected = [*COLUMNS, "run"]
    if list(table.columns) != expected:
        raise UserError(f"{path}: has columns {list(table.columns)}, expected {expected}; run snakemake {path}")
    return table


def digest(path: Path) -> str:
    """SHA-256 of what an index says of its videos, checksums of the files included; the same whichever run wrote it."""
    return hashlib.sha256(read(path).drop(columns="run").to_csv(index=False).encode()).hexdigest()
