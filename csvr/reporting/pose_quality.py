"""The table of poses: how good the estimated ones are, and those that the pose branch predicts of the future."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from csvr.data.index import digest
from csvr.errors import UserError
from csvr.pose.quality import ALPHA
from csvr.refusal import require
from csvr.reporting import formats
from csvr.reporting.cells import ABSENT, spread_cell
from csvr.reporting.formats import Cell, Table, environment, table
from csvr.reporting.origin import footer, run_rows
from csvr.reporting.results import Expectation, Results

MEASURES = {"mpjpe": "MPJPE", f"pck@{ALPHA}": f"PCK@{ALPHA}", "oks": "OKS"}
"""Columns: keys of `csvr.evaluation.pretext`, and how they are called."""
GUESSES = {"": "predicted", "_repeat": "last pose repeated", "_velocity": "constant velocity"}
"""Rows of each variant: what the key of a measure ends with, and what it is of."""
DIGITS = 3


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


def write(results: Results, output: Path, quality: Path | None = None, index: Path | None = None) -> None:
    """Write the table in all formats.

    Args:
        results: All cells, for the predicted poses.
        output: The file to write.
        quality: The file of `python -m csvr.pose_quality` for the estimated poses; only of a generated data set there
            is one.
        index: The index of the data set as it is now.

    Raises:
        UserError: As `read`.
    """
    heads = ["variant", "future", *MEASURES.values()]
    values: dict[str, Any] = {
        "estimated": None if quality is None else estimated(quality, results.expected, index),
        "predicted": predicted(results) | {"footer": footer(results) | {"command": f"snakemake --cores 8 {output}"}},
        "expected": results.expected, "videos": len(results.videos), "measures": list(MEASURES.values()),
    }  # fmt: skip
    values["predicted"]["table"] = table("Predicted future poses", heads, values["predicted"]["rows"], left=2)
    shown = [values["predicted"]["table"]]
    if values["estimated"]:
        shown = [*values["estimated"]["tables"], *shown]
    formats.write(output, environment().get_template("pose_quality.md.j2").render(values), shown)


def estimated(quality: Path, expected: Expectation, index: Path | None = None) -> dict[str, Any]:
    """What the template shows of the estimated poses; arguments and errors as for `read`."""
    mend = f"run snakemake --cores 8 {quality} --forcerun score_poses"
    found = read(quality, expected, index)
    try:
        values = {
            "all": found["all"], "run_id": found["run_id"], "runs": sorted({str(x) for x in found["runs"].values()}),
            "videos": len(found["by_video"]), "never": undetected(found["by_video"]),
            "alphas": [key for key in found["all"] if key.startswith("pck@") and not key.endswith("keypoint")],
        }  # fmt: skip
        values["keypoints"] = list(found["all"][f"{values['alphas'][0]} by keypoint"]) if values["alphas"] else []
        values["tables"] = estimated_tables(values)
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{quality}: not what csvr.pose_quality writes (key {error}); {mend}") from error
    return values


def estimated_tables(values: dict[str, Any]) -> list[Table]:
    """Of all keypoints together, and of each if the estimator's were scored so."""
    found, alphas, never = values["all"], values["alphas"], len(values["never"])
    rows = [
        ["detection rate (frames with a person)", share_cell(found["detected"])],
        ["keypoints found", share_cell(found["found"])],
        ["mean OKS", share_cell(found["oks"])],
        ["mean distance of found keypoints, in longer sides of the box", share_cell(found["mpjpe"])],
        *([f"{alpha.upper()}, all keypoints", share_cell(found[alpha])] for alpha in alphas),
        ["videos without any detection", Cell(str(never), {"": never})],
    ]
    tables = [table("Estimated poses", ["measure", "value"], rows)]
    if values["keypoints"]:
        rows = [
            [name, *(share_cell(found[f"{alpha} by keypoint"][name]) for alpha in alphas)]
            for name in values["keypoints"]
        ]
        tables.append(table("Estimated poses by keypoint", ["keypoint", *(alpha.upper() for alpha in alphas)], rows))
    return tables


def share_cell(value: float | None) -> Cell:
    """A number with three digits after the point, or a dash."""
    return Cell(ABSENT) if value is None else Cell(f"{value:.{DIGITS}f}", {"": value})


def predicted(results: Results) -> dict[str, Any]:
    """What the template shows of the predicted poses: rows, runs and missing cells of the variants that predict any."""
    names = [name for name, variant in results.expected.variants.items() if predicts(variant.params)]
    rows = [
        [
            results.expected.variants[name].title,
            guess,
            *(measure_cell(results, name, f"{key}{suffix}") for key in MEASURES),
        ]
        for name in names
        for suffix, guess in GUESSES.items()
    ]
    missing = [f"{name} seed {seed}" for name, seed in results.missing() if name in names]
    return {"rows": rows, "missing": missing, "runs": [row for row in run_rows(results) if row["name"] in names]}


def predicts(params: dict[str, Any]) -> bool:
    """Whether a variant with these parameters has a pose branch that is trained."""
    return bool(params["sigma_p"] and params["pretrain"]["steps"])


def measure_cell(results: Results, variant: str, key: str) -> Cell:
    """A measure of the predicted poses, mean ± standard deviation; a dash if no joint was visible to be measured."""
    cells = [cell for seed in results.expected.seeds if (cell := results.cells.get((variant, seed)))]
    values = [cell["pretext"]["pose"][key] for cell in cells if key in cell["pretext"].get("pose", {})]
    if cells and not values:
        return Cell(ABSENT)
    return spread_cell(values, len(results.expected.seeds), 1, DIGITS)


def undetected(by_video: dict[str, dict[str, Any]]) -> list[str]:
    """Videos in which the estimator found nobody in any frame."""
    return [name for name, summary in by_video.items() if not summary["detected"]]
