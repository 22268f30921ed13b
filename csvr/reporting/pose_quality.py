"""The table of the pose estimator's quality on true keypoints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from csvr.data.index import digest
from csvr.errors import UserError
from csvr.files import write_text
from csvr.reporting.ablation import environment
from csvr.reporting.results import Expectation, require


def read(quality: Path, expected: Expectation, index: Path | None = None) -> dict[str, Any]:
    """One file of `python -m csvr.pose_quality`, made as expected.

    Args:
        quality: The file.
        expected: What the reports are to show.
        index: The index of the data set as it is now.

    Raises:
        UserError: Unreadable, not such a file, or made with other parameters, by other code or on other data.
    """
    mend = f"snakemake --cores 8 {quality} --forcerun"
    try:
        found = dict(json.loads(quality.read_text()))
        made = {key: found["made"][key] for key in ("params", "code", "index_sha256")}
        code = found["code"]
        found["all"], found["by_video"], found["runs"], found["run_id"]
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise UserError(f"{quality}: no readable JSON ({error}); run {mend} score_poses") from error
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{quality}: not what csvr.pose_quality writes (key {error}); run {mend} score_poses"
        ) from error
    index_sha256 = made.pop("index_sha256")
    require(quality, {"poses": made}, {"poses": expected.features["poses"]}, f"{mend} extract_poses")
    require(quality, {"code": code}, {"code": expected.code["pose_quality"]}, f"{mend} score_poses")
    if index is not None:
        require(quality, {"index_sha256": index_sha256}, {"index_sha256": digest(index)}, f"{mend} extract_poses")
    return found


def write(quality: Path, output: Path, expected: Expectation, index: Path | None = None) -> None:
    """Write the Markdown table of one file of `python -m csvr.pose_quality`; arguments and errors as for `read`."""
    mend = f"run snakemake --cores 8 {quality} --forcerun score_poses"
    found = read(quality, expected, index)
    try:
        values = {
            "all": found["all"], "run_id": found["run_id"], "runs": sorted({str(x) for x in found["runs"].values()}),
            "videos": len(found["by_video"]), "never": undetected(found["by_video"]),
            "alphas": [key for key in found["all"] if key.startswith("pck@") and not key.endswith("keypoint")],
        }  # fmt: skip
        values["keypoints"] = list(found["all"][f"{values['alphas'][0]} by keypoint"]) if values["alphas"] else []
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{quality}: not what csvr.pose_quality writes (key {error}); {mend}") from error
    write_text(output, environment().get_template("pose_quality.md.j2").render(values))


def undetected(by_video: dict[str, dict[str, Any]]) -> list[str]:
    """Videos in which the estimator found nobody in any frame."""
    return [name for name, summary in by_video.items() if not summary["detected"]]
