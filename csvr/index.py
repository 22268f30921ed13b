"""List the videos of a data set: python -m csvr.index --videos DIR --splits DIR --output index.csv

Opens every file, so that missing, unreadable and too short videos are all named before hours are spent.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sacred.run import Run

from csvr import cli
from csvr.data import index
from csvr.files import write_text
from csvr.tracking.record import record


def main() -> None:
    parser = cli.parser(__doc__)
    parser.add_argument("--videos", type=Path, required=True, help="folder of class folders")
    parser.add_argument("--splits", type=Path, required=True, help="folder of classInd.txt and the lists")
    parser.add_argument("--split", type=int, default=1, help="number of the official split (default: 1)")
    parser.add_argument("--min-frames", type=int, default=1, help="shortest usable video, in frames (default: 1)")
    parser.add_argument("--output", type=Path, required=True, help="CSV file, one row a video")
    args = parser.parse_args()
    config = {
        "videos": str(args.videos), "splits": str(args.splits), "split": args.split, "min_frames": args.min_frames
    }  # fmt: skip

    def build(config: dict[str, Any], run: Run) -> dict[str, Any]:
        table = index.build(args.videos, args.splits, args.split, args.min_frames)
        write_text(args.output, table.assign(run=run._id).to_csv(index=False))
        train = int((table.split == "train").sum())
        return {"videos": len(table), "classes": int(table.label.nunique()), "train": train}

    record("index", build, config, args.runs)


if __name__ == "__main__":
    cli.run(main)
