"""List the videos of a data set: python -m csvr.index --layout ucf101 --videos DIR --splits DIR --output index.csv

Opens every file, so that missing, unreadable and too short videos are all named before hours are spent.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from csvr import cli
from csvr.data.layouts import LAYOUTS
from csvr.files import write_text

if TYPE_CHECKING:
    from sacred.run import Run


def main() -> None:
    parser = cli.parser(__doc__)
    parser.add_argument("--layout", choices=LAYOUTS, required=True, help="how videos and lists are laid out")
    parser.add_argument("--videos", type=Path, required=True, help="folder of the videos")
    parser.add_argument("--splits", type=Path, required=True, help="folder of the lists")
    parser.add_argument(
        "--split", type=int, nargs="+", default=[1],
        help="number of the official split that is trained on, and of those that are evaluated on as well (default: 1)",
    )  # fmt: skip
    parser.add_argument("--min-frames", type=int, default=1, help="shortest usable video, in frames")
    parser.add_argument("--broken", choices=["error", "skip"], default="error", help="missing and unreadable videos")
    parser.add_argument("--short", choices=["error", "skip", "loop"], default="error", help="too short videos")
    parser.add_argument("--journal", type=cli.written, help="file that keeps what was looked into, for the next time")
    parser.add_argument("--output", type=cli.written, required=True, help="CSV file, one row a video")
    args = cli.parse(parser)
    from csvr.data import index
    from csvr.tracking.record import record

    names = ("layout", "videos", "splits", "split", "min_frames", "broken", "short")
    config = {name: str(value) if isinstance(value := getattr(args, name), Path) else value for name in names}
    policy = index.Policy(args.broken, args.short, args.min_frames)

    def build(config: dict[str, Any], run: Run) -> dict[str, Any]:
        table = index.build(args.layout, args.videos, args.splits, args.split, policy, args.threads, args.journal)
        write_text(args.output, table.assign(run=run._id).to_csv(index=False))
        usable = table[table.problem == ""]
        train = int((usable.split == "train").sum())
        return {
            "videos": len(usable), "classes": int(usable.label.nunique()), "train": train,
            "left_out": len(table) - len(usable),
        }  # fmt: skip

    record("index", build, config, args.runs)


if __name__ == "__main__":
    cli.run(main)
