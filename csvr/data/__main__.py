"""Look into an installed data set before hours are spent: python -m csvr.data check --layout ucf101 --root data/ucf101

Lists are read and every file is opened: videos that are missing, unreadable, too short or the same as another one are
listed at once, beside counts against the published numbers, and for each class how many videos, of which length and
with how many I-frames a second. Ends with exit code 1 if there is anything to mend.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from csvr import cli
from csvr.data import index
from csvr.data.layouts import LAYOUTS, Layout, read, video_files
from csvr.errors import UserError
from csvr.files import write_text

if TYPE_CHECKING:
    import pandas as pd

NATIVE_GAP = 64
"""Frames from one I-frame to the next up to which most clips of the usual span (16 frames, stride 4) hold one."""


def problems(table: pd.DataFrame, min_frames: int) -> pd.DataFrame:
    """What is wrong with which file: columns path, problem.

    Args:
        table: As `index.inspect_all` gives it.
        min_frames: Shortest usable video.
    """
    import pandas as pd  # takes long; flags don't need it

    found = table[table.problem != ""]
    short = table[(table.problem == "") & (table.frames < min_frames)]
    short = short.assign(problem=short.frames.map(lambda n: f"too short: {n} of {min_frames} frames"))
    readable = table[table.problem == ""]
    first = readable.drop_duplicates("sha256").set_index("sha256").path
    again = readable[readable.duplicated("sha256")]
    again = again.assign(problem=[f"the same as {first[key]}" for key in again.sha256])
    return pd.concat([found, short, again])[["path", "problem"]].reset_index(drop=True)


def by_class(table: pd.DataFrame, min_frames: int) -> pd.DataFrame:
    """A row a class: videos listed and usable, median frames, and I-frames a second over all."""
    import pandas as pd  # as above

    usable = table[(table.problem == "") & (table.frames >= min_frames)]
    usable = usable.assign(seconds=seconds(usable))
    groups = usable.groupby("class")
    result = pd.DataFrame({"listed": table.groupby("class").size(), "usable": groups.size()})
    result["frames"] = groups.frames.median()
    result["I-frames a second"] = (groups.key_frames.sum() / groups.seconds.sum()).round(2)
    return result.fillna({"usable": 0}).astype({"usable": int})


def seconds(table: pd.DataFrame) -> pd.Series[float]:
    """Length of each video; 0 where the file does not tell."""
    return (table.frames / table.fps.where(table.fps > 0)).fillna(0.0)


def iframe_rate(table: pd.DataFrame) -> float:
    """I-frames a second over all videos, by their key frames: each is an I-frame, and nearly each I-frame is one."""
    return float(table.key_frames.sum() / max(seconds(table).sum(), 1e-9))


def advice(table: pd.DataFrame) -> str:
    """Whether the videos hold enough I-frames as they are."""
    readable = table[table.problem == ""]
    gap = readable.frames.sum() / max(int(readable.key_frames.sum()), 1)
    between = f"An I-frame every {gap:.0f} frames."
    if gap <= NATIVE_GAP:
        return f"{between} dataset.iframes: native will do."
    return (
        f"{between} Most clips have none near them: re-encode, as CoViAR and CMD do "
        "(dataset.iframes: {reencode: {codec: mpeg4, gop: 12, quality: 1, short_side: null}})."
    )


def counts(table: pd.DataFrame, layout: Layout, split: int, files: int) -> list[tuple[str, int, int | None]]:
    """What is counted, the number here and the published one (None: there is none)."""
    published = (layout.listed or {}).get(split, {})
    rows: list[tuple[str, int, int | None]] = [("video files", files, layout.files or None)]
    rows += [("classes", table["class"].nunique(), layout.classes or None)]
    rows += [
        (f"{part} videos listed", int((table.split == part).sum()), published.get(part)) for part in ("train", "test")
    ]
    return rows


def main() -> None:
    """Parse flags, look, print."""
    parser = cli.parser(__doc__, records=False, writes=False)
    commands = parser.add_subparsers(dest="command", required=True)
    check = cli.subcommand(commands, "check", "Look into every file of an installed data set, and say what is wrong.")
    check.add_argument("--layout", choices=LAYOUTS, required=True, help="how videos and lists are laid out")
    check.add_argument("--root", type=Path, required=True, help="folder that its archives were unpacked to")
    check.add_argument("--videos", type=Path, help="folder of the videos, if not where the archive puts them")
    check.add_argument("--splits", type=Path, help="folder of the lists, likewise")
    check.add_argument("--split", type=int, default=1, help="number of the official split")
    check.add_argument(
        "--min-frames",
        type=int,
        default=128,
        help="shortest usable video, in frames (default: 128, a clip of 16 with stride 4 and its future)",
    )
    check.add_argument("--threads", type=int, default=1, help="files that are read at once")
    check.add_argument("--output", type=cli.written, help="CSV file of all problems")
    args = cli.parse(parser)
    layout = LAYOUTS[args.layout]
    videos, splits = args.videos or args.root / layout.videos, args.splits or args.root / layout.splits
    if not videos.is_dir():
        raise UserError(
            f"{videos}: there is no such folder; unpack the archives to {args.root} (docs/datasets.md), "
            "or name it by --videos"
        )
    table = index.inspect_all(read(args.layout, videos, splits, args.split), args.threads)
    wrong = problems(table, args.min_frames)
    console = Console()
    summary = Table("", "here", "published", title=f"{args.layout}, split {args.split}")
    different = False
    for name, here, published in counts(table, layout, args.split, len(video_files(videos))):
        different |= published not in (None, here)
        summary.add_row(name, f"{here:,}", "-" if published is None else f"{published:,}" + " !" * (published != here))
    usable = len(table) - wrong.path.nunique()
    summary.add_row("videos usable", f"{usable:,}", "-")
    summary.add_row("hours", f"{seconds(table).sum() / 3600:,.1f}", "-")
    summary.add_row("I-frames a second", f"{iframe_rate(table):.2f}", "-")
    console.print(summary)
    print(advice(table))
    classes = by_class(table, args.min_frames)
    shown = Table("class", *classes.columns)
    for name, row in classes.iterrows():
        shown.add_row(str(name), *("-" if math.isnan(value) else f"{value:g}" for value in row))
    console.print(shown)
    if len(wrong):
        # Plain lines: paths are to be copied, and are too long for a table.
        print("\n".join(f"{path}: {problem}" for path, problem in wrong.itertuples(index=False)))
        print(f"{wrong.path.nunique()} of {len(table)} videos have something wrong with them")
    if args.output:
        write_text(args.output, wrong.to_csv(index=False))
        print(f"wrote {args.output}")
    sys.exit(1 if len(wrong) or different else 0)


if __name__ == "__main__":
    cli.run(main)
