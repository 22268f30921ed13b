"""Find one person's pose in every frame of many videos: python -m csvr.poses extract --index … --params … --output …

A video's arrays are `<video>` (float32, (T, 17, 3): x, y in the video's pixels and confidence; missing = 0, 0, 0),
`<video>/frame` (int32, (T,): which frames) and `<video>/size` (int32: width, height).

To look at one video: python -m csvr.poses show VIDEO writes it with the skeleton drawn on it and its I-frames marked.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from csvr import cli
from csvr.errors import UserError

if TYPE_CHECKING:
    from sacred.run import Run

    from csvr.data.extraction import Video


def listed(sources: list[Path]) -> list[tuple[str, Path]]:
    """Name (stem) and path of the videos that `--videos` gives.

    Args:
        sources: Video files, or text files (.txt) with one path a line.

    Raises:
        UserError: A list can't be read.
    """
    paths: list[Path] = []
    for source in sources:
        if source.suffix != ".txt":
            paths.append(source)
            continue
        try:
            paths += [Path(line.strip()) for line in source.read_text().splitlines() if line.strip()]
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{source}: not a readable list of videos ({error})") from error
    return [(path.stem, path) for path in paths]


@contextmanager
def wanted(args: argparse.Namespace) -> Iterator[tuple[list[Video], Callable[[Video], Path], dict[str, Any]]]:
    """What the flags ask for, as `csvr.data.extraction.indexed` gives it."""
    from csvr.data.extraction import Video, indexed

    if args.index:
        with indexed(args.index, args.shard, args.reencoded) as found:
            yield found
        return
    number, count = args.shard
    videos = [Video(name, path) for name, path in listed(args.videos)]
    yield videos[number::count], lambda video: video.path, {"index_sha256": None, "params": {}}


def extract(args: argparse.Namespace) -> None:
    """Extract under a Sacred run."""
    import torch

    from csvr.tracking.record import record

    torch.set_num_threads(args.threads)

    def work(config: dict[str, Any], run: Run) -> dict[str, Any]:
        # Imported here: poses are the only thing of csvr that OpenPifPaf is needed for.
        from csvr.pose.extract import Settings
        from csvr.pose.extract import extract as extract_poses

        command = shlex.join(["python", "-m", "csvr.poses", *sys.argv[1:]])
        with wanted(args) as (videos, file, made):
            identity = made | {"params": args.params | made["params"], "code": run.info["code_sha256"]}
            return extract_poses(
                videos, Settings.of(config["params"]), args.output, identity,
                {"run_id": run._id, "command": command, **identity}, args.device,
                f"poses {args.shard[0] + 1}/{args.shard[1]}", file,
            )  # fmt: skip

    sources = [str(path) for path in args.videos or [args.index]]
    config = {"params": args.params, "sources": sources, "shard": list(args.shard), "device": args.device}
    record("poses", work, config, args.runs)


def show(args: argparse.Namespace) -> None:
    """Draw the poses of one video on it."""
    import torch

    from csvr.pose import drawing
    from csvr.pose.extract import Settings

    torch.set_num_threads(args.threads)
    settings = Settings.of(args.params.get("pose_extraction", args.params))
    output = args.output or Path(f"{args.video.stem}_poses.mp4")
    found = drawing.show(args.video, settings, output, args.device)
    print(
        f"{output}: {len(found.frame)} frames looked at, somebody found in {found.detection_rate:.0%} of them, "
        f"network {settings.checkpoint}"
    )


def main() -> None:
    """Parse flags."""
    parser = cli.parser(__doc__, records=False, writes=False)
    commands = parser.add_subparsers(dest="command", required=True)
    shared = cli.shard_parser(None, source=False)
    extraction = cli.subcommand(
        commands, "extract", "Find the poses of many videos, and store them in a shard.", shared
    )
    source = extraction.add_mutually_exclusive_group(required=True)
    source.add_argument("--videos", type=Path, nargs="+", help="video files, or .txt files with one path a line")
    source.add_argument("--index", type=Path, help="index of the data set (python -m csvr.index)")
    cli.add_reencoded(extraction)
    showing = cli.subcommand(commands, "show", "Draw the poses of one video on it.")
    showing.add_argument("video", type=Path, help="video file")
    showing.add_argument(
        "--params", type=cli.parameters, default="params.yaml", help="pose_extraction, or a file that has it"
    )
    showing.add_argument("--output", type=cli.written, help="MP4 file (default: <video>_poses.mp4, here)")
    showing.add_argument("--threads", type=int, default=1, help="CPU threads to compute with")
    for command in (extraction, showing):
        cli.add_device(command)
    args = cli.parse(parser)
    from csvr.tracking.machine import chosen_device

    args.device = str(chosen_device(args.device))
    extract(args) if args.command == "extract" else show(args)


if __name__ == "__main__":
    cli.run(main)
