"""Find one person's pose in every frame of many videos: python -m csvr.poses --index index.csv --params … --output …

A video's arrays are `<video>` (float32, (T, 17, 3): x, y in the video's pixels and confidence; missing = 0, 0, 0),
`<video>/frame` (int32, (T,): which frames) and `<video>/size` (int32: width, height).
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import torch
from sacred.run import Run

from csvr import cli
from csvr.data import index
from csvr.errors import UserError
from csvr.tracking.record import record


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


def main() -> None:
    """Parse flags, extract under a Sacred run."""
    parser = cli.parser(__doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--videos", type=Path, nargs="+", help="video files, or .txt files with one path a line")
    source.add_argument("--index", type=Path, help="index of the data set (python -m csvr.index)")
    parser.add_argument("--shard", type=cli.shard, default=(0, 1), metavar="K/N", help="take every N-th video from K")
    parser.add_argument("--params", type=cli.parameters, required=True, help="parameters: YAML text or file")
    parser.add_argument("--device", default="cpu", help="where the network runs: cpu or cuda (default: cpu)")
    parser.add_argument("--output", type=Path, required=True, help="shard file (safetensors)")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)

    def work(config: dict[str, Any], run: Run) -> dict[str, Any]:
        # Imported here: poses are the only thing of csvr that OpenPifPaf is needed for.
        from csvr.pose.extract import Settings, extract

        if args.index:
            table = index.read(args.index)
            videos = [(str(video), Path(path)) for video, path in zip(table.video, table.path, strict=True)]
        else:
            videos = listed(args.videos)
        number, count = args.shard
        command = shlex.join(["python", "-m", "csvr.poses", *sys.argv[1:]])
        about = {
            "run_id": run._id, "command": command, "params": args.params, "code": run.info["code_sha256"],
            "index_sha256": index.digest(args.index) if args.index else None,
        }  # fmt: skip
        return extract(videos[number::count], Settings.of(config["params"]), args.output, about, args.device)

    sources = [str(path) for path in args.videos or [args.index]]
    config = {"params": args.params, "sources": sources, "shard": list(args.shard), "device": args.device}
    record("poses", work, config, args.runs)


if __name__ == "__main__":
    cli.run(main)
