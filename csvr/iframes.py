"""Store the I-frames of many videos: python -m csvr.iframes --index index.csv --params … --output x.safetensors

Parameters: short_side (pixels), aspect (width by height, null keeps the video's). A video's arrays are `<video>`
(images, RGB uint8, shape (n, h, w, 3)), `<video>/index` (positions among all frames, int32) and `<video>/time`
(seconds, float64).
"""

from __future__ import annotations

from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any

from csvr import cli

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from csvr.data.extraction import Video


def main() -> None:
    """Parse flags, extract under a Sacred run."""
    parser = cli.shard_parser(__doc__)
    cli.add_reencoded(parser)
    args = cli.parse(parser)
    from csvr.data.extraction import extract_shard
    from csvr.data.iframes import read_iframes

    settings = cli.settings(args.params, {"short_side": (int,), "aspect": (int, float, NoneType)})

    def extract(video: Video, path: Path) -> dict[str, NDArray[Any]]:
        found = read_iframes(path, settings["short_side"], settings["aspect"], video.frames, video.key_frames)
        name = video.name
        return {name: found.images, f"{name}/index": found.index, f"{name}/time": found.time}

    extract_shard("iframes", extract, args)


if __name__ == "__main__":
    cli.run(main)
