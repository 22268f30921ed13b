"""Decode and resize many videos once: python -m csvr.clips --index index.csv --params … --output x.safetensors

Parameters: short_side (pixels), aspect (width by height, null keeps the video's), storage (raw or jpeg), quality (of
JPEG). A video's arrays hold all its frames; `csvr.data.clips.Clips` reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any

from csvr import cli
from csvr.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from csvr.data.extraction import Video


def main() -> None:
    """Parse flags, extract under a Sacred run."""
    parser = cli.shard_parser(__doc__)
    cli.add_reencoded(parser)
    args = cli.parse(parser)
    from csvr.data.clips import STORAGES, packed, read_video
    from csvr.data.extraction import extract_shard

    kinds = {"short_side": (int,), "aspect": (int, float, NoneType), "storage": (str,), "quality": (int,)}
    settings = cli.settings(args.params, kinds)
    if settings["storage"] not in STORAGES:
        raise UserError(f"--params: storage = {settings['storage']}: there is {', '.join(STORAGES)}")

    def extract(video: Video, path: Path) -> Mapping[str, NDArray[Any]]:
        images = read_video(path, settings["short_side"], settings["aspect"])
        return packed(video.name, images, settings["storage"], settings["quality"])

    extract_shard("clips", extract, args)


if __name__ == "__main__":
    cli.run(main)
