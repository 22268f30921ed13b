"""The table of the pose estimator's quality on true keypoints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from csvr.errors import UserError
from csvr.files import write_text
from csvr.reporting.ablation import environment


def write(quality: Path, output: Path) -> None:
    """Write the Markdown table of one file of `python -m csvr.pose_quality`.

    Raises:
        UserError: Unreadable, or not such a file.
    """
    mend = f"run snakemake --cores 8 {quality} --forcerun score_poses"
    try:
        found = json.loads(quality.read_text())
        values = {
            "all": found["all"], "run_id": found["run_id"], "runs": sorted({str(x) for x in found["runs"].values()}),
            "videos": len(found["by_video"]), "never": undetected(found["by_video"]),
            "alphas": [key for key in found["all"] if key.startswith("pck@") and not key.endswith("keypoint")],
        }  # fmt: skip
        values["keypoints"] = list(found["all"][f"{values['alphas'][0]} by keypoint"]) if values["alphas"] else []
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise UserError(f"{quality}: no readable JSON ({error}); {mend}") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{quality}: not what csvr.pose_quality writes (key {error}); {mend}") from error
    write_text(output, environment().get_template("pose_quality.md.j2").render(values))


def undetected(by_video: dict[str, dict[str, Any]]) -> list[str]:
    """Videos in which the estimator found nobody in any frame."""
    return [name for name, summary in by_video.items() if not summary["detected"]]
