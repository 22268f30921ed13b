"""Re-encode many videos with more I-frames: python -m csvr.reencode --index index.csv --params … --output x.safetensors

Parameters: see `csvr.data.reencoding.Settings`. A video's array is `<video>`: the bytes of an MP4 file (uint8).
"""

from __future__ import annotations

from csvr import cli


def main() -> None:
    """Parse flags, re-encode under a Sacred run."""
    parser = cli.shard_parser(__doc__)
    parser.set_defaults(reencoded=None)  # which other extractions may read
    args = cli.parse(parser)
    from csvr.data.extraction import extract_shard
    from csvr.data.reencoding import Settings, reencode

    settings = Settings.of(args.params)
    extract_shard("reencode", lambda video, path: {video.name: reencode(path, settings)}, args)


if __name__ == "__main__":
    cli.run(main)
