"""Store the I-frames of many videos: python -m csvr.iframes --index index.csv --short-side 64 --output x.safetensors

A video's arrays are `<video>` (images, RGB uint8, shape (n, h, w, 3)), `<video>/index` (positions among all
frames, int32) and `<video>/time` (seconds, float64).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from csvr import cli
from csvr.data.extraction import extract_shard
from csvr.data.iframes import read_iframes


def main() -> None:
    parser = cli.shard_parser(__doc__)
    args = parser.parse_args()

    def extract(video: str, path: Path) -> dict[str, NDArray[Any]]:
        found = read_iframes(path, args.short_side)
        return {video: found.images, f"{video}/index": found.index, f"{video}/time": found.time}

    config = {"short_side": args.short_side}
    extract_shard("iframes", extract, config, args.index, args.shard, args.output, args.runs)


if __name__ == "__main__":
    cli.run(main)
