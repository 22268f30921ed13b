"""Score extracted poses against true keypoints: python -m csvr.pose_quality --poses A.safetensors … --truth …

Writes JSON: `all` and `by_video` hold what `csvr.pose.quality.summary` measures, over all frames and for each
video; `runs` names the run that made each shard, `made` and `code` the parameters and sources.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from csvr import cli
from csvr.data import shards
from csvr.errors import UserError
from csvr.files import sha256, write_text
from csvr.pose import quality

if TYPE_CHECKING:
    from sacred.run import Run


def compare(poses: shards.Shards, truth: shards.Shards) -> dict[str, Any]:
    """Quality of the poses of all videos.

    Args:
        poses: As `python -m csvr.poses` writes them: `<video>` (T, 17, 3) and `<video>/frame` (T,).
        truth: `<video>` (all frames, 17, 2), x and y in the video's pixels.

    Returns:
        `all` and `by_video` (see the module's docstring).

    Raises:
        UserError: A video has no true keypoints, or too few frames of them.
    """
    videos = [name for name in poses if not name.endswith(("/frame", "/size"))]
    found, expected = [], []
    for video in videos:
        if video not in truth:
            raise UserError(f"no true keypoints of {video!r}; it can't be scored")
        frame, keypoints = poses[f"{video}/frame"], truth[video]
        if len(frame) and frame.max() >= len(keypoints):
            raise UserError(f"{video!r} has a frame {frame.max()}, but true keypoints of {len(keypoints)} frames only")
        found.append(poses[video])
        expected.append(keypoints[frame])
    if not videos:
        raise UserError("the shards hold no poses")
    each = {v: quality.summary(p, t) for v, p, t in zip(videos, found, expected, strict=True)}
    return {"all": quality.summary(np.concatenate(found), np.concatenate(expected)), "by_video": each}


def made(poses: shards.Shards) -> dict[str, Any]:
    """`params`, `code` and `index_sha256` that all shards were made with.

    Raises:
        UserError: One was made otherwise than the first.
    """
    found = [
        (path, {key: header.get(key) for key in ("params", "code", "index_sha256")})
        for path, header in poses.headers.items()
    ]
    for path, each in found:
        if each != found[0][1]:
            raise UserError(
                f"{path}: made with {each}, but {found[0][0]} with {found[0][1]}; "
                f"run snakemake --cores 8 {path} --forcerun extract_poses"
            )
    return found[0][1]


def main() -> None:
    """Parse flags, score under a Sacred run."""
    parser = cli.parser(__doc__)
    parser.add_argument("--poses", type=Path, nargs="+", required=True, help="shards of python -m csvr.poses")
    parser.add_argument("--truth", type=Path, required=True, help="keypoints.safetensors of the data set")
    parser.add_argument("--output", type=cli.written, required=True, help="JSON file")
    args = cli.parse(parser)
    from csvr.tracking.record import record

    def work(config: dict[str, Any], run: Run) -> dict[str, Any]:
        poses, truth = shards.Shards(args.poses), shards.Shards([args.truth])
        result = compare(poses, truth)
        about = {
            "run_id": run._id,
            "runs": {str(path): header.get("run_id") for path, header in poses.headers.items()},
            "code": run.info["code_sha256"],
            "made": made(poses),
            "truth_sha256": sha256(args.truth),
        }
        write_text(args.output, json.dumps(about | result, indent=2) + "\n")
        return dict(result["all"])

    config = {"poses": [str(path) for path in args.poses], "truth": str(args.truth)}
    record("pose_quality", work, config, args.runs)


if __name__ == "__main__":
    cli.run(main)
