"""One shard of what is extracted from many videos: clips, I-frames and poses alike."""

from __future__ import annotations

import logging
import math
import time
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sacred.run import Run

from csvr import progress
from csvr.data import index, reencoding
from csvr.data.growing import GrowingShard
from csvr.errors import UserError
from csvr.tracking.record import record

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Video:
    """A video to extract from: how much work it is, how long, and the hash of its file when it was indexed.

    `key_frames` are those of the file to read, which may be re-encoded; None where their number is not known.
    """

    name: str
    path: Path
    frames: int = 1
    seconds: float = 0.0
    sha256: str | None = None
    key_frames: int | None = None


def shard_rows(table: pd.DataFrame, shard: tuple[int, int]) -> pd.DataFrame:
    """The rows of an index that belong to shard (number, count): neighbours, about as many frames in each shard."""
    number, count = shard
    ends = table.frames.cumsum()
    middle = ends - table.frames / 2
    return table[np.minimum(middle * count // max(int(table.frames.sum()), 1), count - 1) == number]


Extract = Callable[[Video], tuple[Mapping[str, NDArray[Any]], Any]]
"""Gives arrays by name, which hold the video's, and a JSON-able note."""


class Progress:
    """Says now and then how far the work is, and when it will be done.

    Args:
        name: What is done.
        videos: All of the work.
        done: Names of those that an earlier process did.
    """

    def __init__(self, name: str, videos: Sequence[Video], done: Mapping[str, Any]) -> None:
        self._name, self._count = name, len(videos)
        self._left = sum(video.frames for video in videos if video.name not in done)
        self._began = self._said = time.monotonic()
        self._here = 0
        self._done = len(done)
        if done:
            log.info("%s: %d of %d videos were done before", name, len(done), len(videos))

    def advance(self, video: Video) -> None:
        """One more is done."""
        self._done += 1
        self._here += video.frames
        now = time.monotonic()
        if now - self._said > progress.pause() or self._done == self._count:
            spent = max(now - self._began, 1e-6)
            rate = self._here / spent
            log.info(
                "%s: %d of %d videos, %.0f frames/s, %.1f min left",
                self._name, self._done, self._count, rate, (self._left - self._here) / max(rate, 1e-6) / 60,
                extra=progress.share(self._done, self._count),
            )  # fmt: skip
            self._said = now


def extract_videos(
    name: str, videos: Sequence[Video], extract: Extract, output: Path, identity: Any, header: Mapping[str, Any],
    summary: Callable[[dict[str, Any]], Mapping[str, Any]] = lambda notes: {},
) -> dict[str, Any]:  # fmt: skip
    """Run `extract` on every video and store what it gives as one shard; what an earlier process did is kept.

    Args:
        name: What is done, for the log.
        videos: Of unique names.
        extract: See `Extract`.
        output: Shard file.
        identity: What the arrays depend on (see `GrowingShard`).
        header: Goes into the shard's header, with `videos`, their names.
        summary: Further keys of the header, from the notes by video.

    Returns:
        Notes by video.

    Raises:
        UserError: Videos can't be decoded; all of them are named, and the others are kept for the next time.
    """
    bad: list[str] = []
    with GrowingShard(output, [identity, [video.name for video in videos]]) as shard:
        far = Progress(name, videos, shard.notes)
        for video in videos:
            if video.name in shard.notes:
                continue
            try:
                shard.add(video.name, *_steady(video, extract))
            except UserError as error:
                bad.append(str(error))
            far.advance(video)
        if bad:
            raise UserError(f"{len(bad)} of {len(videos)} videos can't be used:\n  " + "\n  ".join(bad))
        shard.finish({**header, **summary(shard.notes), "videos": [video.name for video in videos]})
        return shard.notes


def _steady(video: Video, extract: Extract) -> tuple[Mapping[str, NDArray[Any]], Any]:
    """What `extract` gives, unless the video's file became another one meanwhile."""
    before = index.state(video.path)
    found = extract(video)
    if index.state(video.path) != before:
        raise UserError(f"{video.path}: was changed while it was read; {index.REMEDY}")
    return found


def extract_shard(
    name: str,
    extract: Callable[[Video, Path], Mapping[str, NDArray[Any]]],
    args: Namespace,
) -> None:
    """Extract from the videos of one shard of an index, as one Sacred run.

    Args:
        name: Step name for the run record.
        extract: Gives arrays by name; the file to read may be another one than the video's.
        args: Flags of `cli.shard_parser`. The header of the shard that is written holds run id, parameters, hashes of
            sources and index, and the list of videos.

    Raises:
        UserError: Videos can't be decoded; all of them are named.
    """

    def main(_config: dict[str, Any], run: Run) -> dict[str, Any]:
        with indexed(args.index, args.shard, args.reencoded) as (videos, file, made):
            about = made | {"params": args.params | made["params"], "code": run.info["code_sha256"]}
            extract_videos(
                f"{name} {args.shard[0] + 1}/{args.shard[1]}", videos,
                lambda video: (extract(video, file(video)), None),
                args.output, about, {"run_id": run._id, **about},
            )  # fmt: skip
        size, seconds = args.output.stat().st_size, sum(video.seconds for video in videos)
        rate = size / 1e3 / max(seconds, 1e-9)
        log.info("%s: %.1f MB, %.1f kB a second of video", args.output, size / 1e6, rate)
        return {"videos": len(videos), "bytes": size, "video_seconds": seconds}

    record(name, main, args.params | {"index": str(args.index), "shard": list(args.shard)}, args.runs)


@contextmanager
def indexed(
    source: Path, shard: tuple[int, int], reencoded: Path | None
) -> Iterator[tuple[list[Video], Callable[[Video], Path], dict[str, Any]]]:
    """The videos of one shard of an index, the file to read of each, and where they came from.

    The latter is what headers of shards have: `index_sha256`, and `params` with how they were re-encoded, if they were.

    Raises:
        UserError: The index or the re-encoded videos can't be read, or don't belong together.
    """
    listed = index.read(source)
    table = shard_rows(listed, shard)
    rate = table.fps.where(table.fps > 0, 25.0)
    videos = [
        Video(name, Path(path), frames, frames / fps, checksum, key_frames)
        for name, path, frames, fps, checksum, key_frames in zip(
            table.video, table.path, table.frames, rate, table.sha256, table.key_frames, strict=True
        )
    ]
    made: dict[str, Any] = {"index_sha256": index.content(listed), "params": {}}
    if reencoded is None:
        yield videos, _unchanged, made
        return
    with reencoding.opened(reencoded, made["index_sha256"]) as (store, params):
        videos = [replace(video, key_frames=math.ceil(video.frames / params["gop"])) for video in videos]
        yield videos, lambda video: store.file(video.name), made | {"params": {"reencode": params}}


def _unchanged(video: Video) -> Path:
    """The video's file, if it is still the one that the index has seen."""
    if video.sha256:
        index.unchanged(video.path, video.sha256)
    return video.path
