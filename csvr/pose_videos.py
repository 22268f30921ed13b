"""Draw stored poses into their videos: python -m csvr.pose_videos --index … --poses … --output a.mp4 b.mp4

Test videos with the poses that were extracted, and their I-frames marked, to look at in a browser. No network runs.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from csvr import cli
from csvr.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from csvr.data.shards import Shards
    from csvr.pose.extract import VideoPoses

LONGEST: Final = 250
"""Frames of a video that are drawn."""


def stored(poses: Shards, video: str) -> VideoPoses:
    """The poses of a video as they were extracted.

    Raises:
        UserError: There are none.
    """
    from csvr.pose.extract import VideoPoses

    if video not in poses:
        raise UserError(f"no poses stored for {video}; run snakemake --cores 8 --forcerun extract_poses")
    return VideoPoses(poses[video], poses[f"{video}/frame"], poses[f"{video}/size"])


def frames(path: Path, found: VideoPoses, most: int = LONGEST) -> Iterator[NDArray[np.uint8]]:
    """The first frames of a video with its poses, RGB; see `csvr.pose.drawing.drawn`."""
    from csvr.pose.drawing import drawn

    return itertools.islice(drawn(path, found), most)


def chosen(videos: list[str], count: int) -> list[str]:
    """`count` of some videos, evenly spread."""
    return [videos[k] for k in np.linspace(0, len(videos) - 1, count).round().astype(int)]


def main() -> None:
    """Parse flags, draw."""
    parser = cli.parser(__doc__, records=False)
    parser.add_argument("--index", type=Path, required=True, help="index of the data set (python -m csvr.index)")
    parser.add_argument("--poses", type=Path, nargs="+", required=True, help="shards of python -m csvr.poses")
    parser.add_argument("--output", type=cli.written, nargs="+", required=True, help="MP4 files, one a video")
    args = cli.parse(parser)
    from csvr.data import index
    from csvr.data.shards import Shards
    from csvr.pose.drawing import write

    table = index.read(args.index)
    test, poses = table[table.split == "test"].set_index("video"), Shards(args.poses)
    if test.empty:
        raise UserError(f"{args.index}: lists no test video; there is nothing to draw")
    for video, output in zip(chosen(test.index.tolist(), len(args.output)), args.output, strict=True):
        row = test.loc[video]
        rate = Fraction(row.fps or 25).limit_denominator(1001)
        write(output, frames(Path(row.path), stored(poses, video)), rate)


if __name__ == "__main__":
    cli.run(main)
