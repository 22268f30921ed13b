"""Decode and resize many videos once: python -m csvr.clips --index index.csv --short-side 64 --output x.safetensors

A video's array is `<video>`: all frames, RGB uint8, shape (T, h, w, 3), memory-mapped by its readers.
"""

from __future__ import annotations

from csvr import cli
from csvr.data.clips import read_video
from csvr.data.extraction import extract_shard


def main() -> None:
    parser = cli.shard_parser(__doc__)
    args = parser.parse_args()
    config = {"short_side": args.short_side}
    extract_shard(
        "clips",
        lambda video, path: {video: read_video(path, args.short_side)},
        config, args.index, args.shard, args.output, args.runs,
    )  # fmt: skip


if __name__ == "__main__":
    cli.run(main)
