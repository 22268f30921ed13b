"""The index of a data set: one row a video, with what its file is like and why it can't be used, if it can't."""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from csvr import progress
from csvr.data import layouts, video
from csvr.data.journal import Journal
from csvr.errors import UserError
from csvr.files import sha256
from csvr.tracking.sources import code_hash

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)
COLUMNS: Final = (*layouts.LISTED, "frames", "key_frames", "width", "height", "fps", "sha256", "problem")
Action = Literal["error", "skip", "loop"]
FEW: Final = 100
"""Videos that one process looks into."""
REMEDY: Final = "make the index again: snakemake --cores 8 --forcerun index_videos"


@dataclass(frozen=True)
class Policy:
    """What becomes of videos that can't be used as they are.

    Attributes:
        broken: Of missing and unreadable ones: "error", or "skip": they stay in the index with the reason, and nothing
            else is done with them; reports say how many there are.
        short: Of those with less than `min_frames` frames: likewise, or "loop": they are played over and over.
        min_frames: A clip and its future.
    """

    broken: Action = "error"
    short: Action = "error"
    min_frames: int = 1


def facts(path: Path) -> dict[str, Any]:
    """Frames, key frames (every one is an I-frame), upright size, frames a second and checksum of a video file.

    Every frame is decoded: only so is it known how many there are, and that all can be used.

    Raises:
        UserError: As `video.frames`.
    """
    key_frames, size = 0, (0, 0)
    times: list[float | None] = []
    for frame in video.frames(path):
        key_frames += frame.key_frame
        size = video.upright_size(frame)
        times.append(frame.time)
    known = [(k, time) for k, time in enumerate(times) if time is not None]
    (first, start), (last, end) = (known[0], known[-1]) if known else ((0, 0.0), (0, 0.0))
    fps = round((last - first) / (end - start), 3) if end > start else 0.0
    found = {"frames": len(times), "key_frames": key_frames, "width": size[0], "height": size[1], "fps": fps}
    return found | {"sha256": sha256(path)}


def inspect(path: Path) -> dict[str, Any]:
    """`facts`, and `problem`: "missing", "unreadable (…)", or nothing. Never raises."""
    nothing: dict[str, Any] = {"frames": 0, "key_frames": 0, "width": 0, "height": 0, "fps": 0.0, "sha256": ""}
    try:
        return facts(path) | {"problem": ""}
    except (UserError, OSError) as error:
        return nothing | {"problem": str(error).removeprefix(f"{video.printable(path)}: ").splitlines()[0]}


def unchanged(path: Path, checksum: str) -> None:
    """Check that a file is still the one that its index has seen, bit for bit.

    Args:
        path: Video file.
        checksum: Column sha256 of the index.

    Raises:
        UserError: It is gone, can't be read, or is another one.
    """
    try:
        now = sha256(path)
    except OSError as error:
        raise UserError(
            f"{path}: was there when the index was made ({error.strerror}); put it back, or {REMEDY}"
        ) from error
    if now != checksum:
        raise UserError(f"{path}: has changed since the index was made; {REMEDY}")


def inspect_all(table: pd.DataFrame, workers: int = 1, journal: Path | None = None) -> pd.DataFrame:
    """A table of `layouts.read` with the columns that `inspect` adds.

    Args:
        table: As `layouts.read` gives it.
        workers: Processes that read files.
        journal: Where to note what is found in each file; what it says of files of the same size and time is not looked
            for again.
    """
    states = [state(path) for path in table.path]
    notes = Journal(journal, code_hash("index")) if journal else None
    known: dict[str | None, dict[str, Any]] = dict(notes.entries) if notes else {}
    if notes:
        notes.begin(known.items())
    rows = {k: known[about] for k, about in enumerate(states) if about in known}
    todo = [k for k in range(len(states)) if k not in rows]
    if rows:
        log.info("looked into %d of %d videos before", len(rows), len(states))
    began = said = time.monotonic()
    for done, (k, row) in enumerate(
        zip(todo, _mapped([Path(table.path.iloc[k]) for k in todo], workers), strict=True), start=1
    ):
        rows[k] = row
        about = states[k]
        if notes and about is not None and video.printable(about) == about:
            notes.append([about, row])
        if time.monotonic() - said > progress.pause() or done == len(todo):
            said = time.monotonic()
            left = (len(todo) - done) * (said - began) / done / 60
            extra = progress.share(len(rows), len(states))
            log.info("looked into %d of %d videos, %.1f min left", len(rows), len(states), left, extra=extra)
    import pandas as pd  # takes longer to import than all else that a command needs for its flags

    ordered = pd.DataFrame([rows[k] for k in range(len(states))])
    found = pd.concat([table.reset_index(drop=True), ordered], axis=1)[[*COLUMNS, *_further(table)]]
    for column in ("video", "path"):
        found[column] = [video.printable(text) for text in found[column]]
    return found


def state(path: Path | str) -> str | None:
    """Path, size and time of a file, which is another text when the file changes; None if there is none.

    The time is that of the last change of anything about it: that of its content can be set, and is, by copying.
    """
    try:
        found = os.stat(path)
    except OSError:
        return None
    return f"{path} {found.st_size} {found.st_ctime_ns}"


def _mapped(paths: list[Path], workers: int) -> Iterator[dict[str, Any]]:
    # A process takes seconds to start, in which hundreds of small videos are looked into.
    if workers == 1 or len(paths) < FEW:
        yield from map(inspect, paths)
        return
    # Not forked: what FFmpeg's threads hold at that moment would be held in the children for ever.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        try:
            yield from pool.map(inspect, paths, chunksize=16)
        except BrokenProcessPool as error:
            raise UserError(
                "a process that looked into videos was killed (no memory left, or a file that crashes FFmpeg); "
                "--threads 1 says where it gets to"
            ) from error


def build(
    layout: str,
    videos: Path,
    splits: Path,
    split: list[int],
    policy: Policy,
    workers: int = 1,
    journal: Path | None = None,
) -> pd.DataFrame:
    """The index of the whole data set (columns `COLUMNS`, and of further splits), every file opened once.

    Args:
        layout, videos, splits, split: See `layouts.read`; the first split is the one that is trained on.
        policy: What becomes of videos that can't be used.
        workers, journal: See `inspect_all`.

    Raises:
        UserError: Lists are wrong; or there are unusable files of a kind for which the policy is "error", all of which
            are named; or a class has no video left for training or testing.
    """
    table = inspect_all(layouts.read(layout, videos, splits, *split), workers, journal)
    short = (table.problem == "") & (table.frames < policy.min_frames)
    reasons = table.frames.map(lambda n: f"{n} frames, but clip and future need {policy.min_frames}")
    if policy.short != "loop":
        table["problem"] = table.problem.where(~short, reasons)
    fatal = table[(short & (policy.short == "error")) | ((table.problem != "") & ~short & (policy.broken == "error"))]
    if len(fatal):
        # A name may be any text, and must not look like a line of its own.
        shown = fatal.path.str.replace("\n", "\\n", regex=False)
        lines = [f"{path}: {problem}" for path, problem in zip(shown, fatal.problem, strict=True)]
        raise UserError(
            f"{len(fatal)} of {len(table)} videos can't be used; repair them, or let dataset.broken or dataset.short "
            "be skip:\n  " + "\n  ".join(lines)
        )
    usable = table[table.problem == ""]
    for number, rows in zip(split, each_split(usable), strict=True):
        for part in ("train", "test"):
            without = sorted(set(table["class"]) - set(rows["class"][rows.split == part]))
            if without:
                raise UserError(
                    f"no usable {part} video of class {', '.join(without[:10])} in split {number}; "
                    "see python -m csvr.data check"
                )
    return table


def each_split(table: pd.DataFrame) -> list[pd.DataFrame]:
    """The videos of each official split that an index has, the first one first: as a table with that split alone."""
    tables = [table.drop(columns=_further(table))]
    tables += [tables[0].assign(split=table[column]) for column in _further(table)]
    return [rows[rows.split != ""].reset_index(drop=True) for rows in tables]


def _further(table: pd.DataFrame) -> list[str]:
    return [name for name in table.columns if name.startswith(layouts.FURTHER)]


def read(path: Path) -> pd.DataFrame:
    """The usable videos of an index written by `python -m csvr.index`.

    Columns are `COLUMNS` less `problem`, those of further splits, and `run`. With further splits there may be videos in
    none of the parts of the first one, whose `split` is "".

    Raises:
        UserError: Missing or with other columns.
    """
    table = _read(path)
    return table[table.problem == ""].drop(columns="problem").reset_index(drop=True)


def left_out(path: Path) -> pd.DataFrame:
    """The videos of an index that can't be used, with their `problem`; errors as for `read`."""
    table = _read(path)
    return table[table.problem != ""].reset_index(drop=True)


def _read(path: Path) -> pd.DataFrame:
    import pandas as pd  # as above

    text = dict.fromkeys(("video", "path", "class", "sha256", "problem", "run"), str)
    try:
        table = pd.read_csv(path, dtype=text, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: not a readable index ({error}); {REMEDY}") from error
    expected = [*COLUMNS, *_further(table), "run"]
    if list(table.columns) != expected:
        raise UserError(f"{path}: has columns {list(table.columns)}, expected {expected}; {REMEDY}")
    return table


def digest(path: Path) -> str:
    """SHA-256 of what an index says of its usable videos, checksums included; the same whichever run wrote it."""
    return content(read(path))


def content(table: pd.DataFrame) -> str:
    """`digest`, of a table of `read`."""
    return hashlib.sha256(table.drop(columns="run").to_csv(index=False).encode()).hexdigest()
