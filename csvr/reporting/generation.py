"""The table of generated clips: how near reconstructions and predictions are to real clips."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from csvr.data.index import digest, left_out
from csvr.errors import UserError
from csvr.refusal import differences, require
from csvr.reporting import formats
from csvr.reporting.cells import MISSING, spread_cell
from csvr.reporting.formats import Cell, Table, environment, table
from csvr.reporting.origin import footer_of
from csvr.reporting.results import Expectation

PARTS: Final = {"clip": "Reconstruction of the clip", "future": "Prediction of the future"}
MEASURES: Final = {
    "psnr": ("PSNR (dB) ↑", 2),
    "ssim": ("SSIM ↑", 3),
    "frechet": ("Fréchet distance (own supervised features) ↓", 2),
    "fvd": ("FVD ↓", 1),
}
"""Column heads, and digits after the point."""
Cells = dict[tuple[str, int], dict[str, Any]]


def read(paths: list[Path], expected: Expectation, index: Path | None = None) -> Cells:
    """Files of `python -m csvr.generation_quality` by variant and seed, made as expected.

    Args:
        paths: The files. Expected cells without one stay missing.
        expected: What the table is to show.
        index: The index of the data set as it is now.

    Raises:
        UserError: No file, an unreadable one, one that nobody expects, one made with other parameters, by other code,
            on other data or with another judge. The message names the file, the key, both values and what to run.
    """
    cells: Cells = {}
    first: tuple[Path, dict[str, Any]] | None = None
    for path in paths:
        cell = _read(path)
        names, seed = expected.rows(path)
        first = first or (path, cell)
        _check(path, cell, expected, *first, index)
        cells |= {(name, seed): cell for name in names}
    if not cells:
        raise UserError("no files of csvr.generation_quality; run snakemake --cores 8 first")
    return cells


def _read(path: Path) -> dict[str, Any]:
    mend = f"run snakemake --cores 8 {path} --forcerun generation_quality"
    try:
        cell = dict(json.loads(path.read_text()))
        for key in ("run_id", "pretrain_run_id", "variant", "seed", "params", "git", "host", "seconds"):
            cell[key]
        for key in ("index_sha256", "made"):
            cell["data"][key]
        for key in ("path", "sha256", "run_id", "accuracy", "data", "seconds"):
            cell["judge"][key]
        for key in ("pretrain", "clip_judge", "generation_quality"):
            cell["code"][key]
        for kind in ("generated", "repeated"):
            for part in PARTS:
                for measure in ("psnr", "ssim", "frechet"):
                    float(cell["measures"][kind][part][measure])
        cell["measures"]["clips"], cell["measures"]["dimension"]
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise UserError(f"{path}: no readable JSON ({error}); {mend}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: not what csvr.generation_quality writes (key {error}); {mend}") from error
    return cell


def _check(
    path: Path, cell: dict[str, Any], expected: Expectation, other: Path, reference: dict[str, Any], index: Path | None
) -> None:
    """Refuse a file made otherwise than expected, or on other data or with another judge than the first one."""
    run = f"snakemake --cores 8 {path} --forcerun"
    names, seed = expected.rows(path)
    place, params = {"variant": path.parts[-4], "seed": seed}, expected.variants[names[0]].params
    require(path, {key: cell[key] for key in place}, place, f"{run} pretrain")
    steps = {key.split(".")[0] for key, _, _ in differences(cell["params"], params)}
    if steps <= {"generation_quality"}:
        step = "generation_quality"
    else:
        step = "clip_judge" if steps <= {"judge", "generation_quality"} else "pretrain"
    require(path, cell["params"], params, f"{run} {step}")
    for kind, made in expected.features.items():
        require(path, {kind: cell["data"]["made"].get(kind)}, {kind: made}, f"{run} extract_{kind}")
    for step in ("pretrain", "clip_judge", "generation_quality"):
        require(path, {f"code.{step}": cell["code"][step]}, {f"code.{step}": expected.code[step]}, f"{run} {step}")
    now = reference["data"]["index_sha256"] if index is None else digest(index)
    require(path, {"data": {"index_sha256": cell["data"]["index_sha256"]}}, {"data": {"index_sha256": now}},
            f"{run} pretrain")  # fmt: skip
    if cell["judge"]["sha256"] != reference["judge"]["sha256"]:
        raise UserError(
            f"{path}: judge.sha256 = {cell['judge']['sha256']}, but {reference['judge']['sha256']} in {other}; "
            f"run {run} generation_quality"
        )


def part_table(cells: Cells, expected: Expectation, part: str, measures: list[str]) -> Table:
    """A row a variant, and last the baseline, which has no seed."""
    rows: list[list[Any]] = []
    for name, variant in expected.variants.items():
        present = [cells[name, seed]["measures"]["generated"][part] for seed in expected.seeds if (name, seed) in cells]
        shown = [spread_cell([x[m] for x in present], len(expected.seeds), 1, MEASURES[m][1]) for m in measures]
        rows.append([variant.title, *shown])
    baseline = next(iter(cells.values()))["measures"]["repeated"][part]
    texts = [Cell(f"{baseline[m]:.{MEASURES[m][1]}f}", {"": baseline[m]}) for m in measures]
    return table(
        PARTS[part], ["variant", *(MEASURES[m][0] for m in measures)], [*rows, ["last frame repeated", *texts]]
    )


def write(paths: list[Path], output: Path, expected: Expectation, index: Path | None = None) -> None:
    """Write the table in all formats; arguments and errors as for `read`."""
    cells = read(paths, expected, index)
    one = next(iter(cells.values()))
    # All or none: the network is one of the parameters.
    measures = [name for name in MEASURES if name in one["measures"]["generated"]["clip"]]
    pairs = [(name, seed) for name in expected.variants for seed in expected.seeds]
    shown = [part_table(cells, expected, part, measures) for part in PARTS]
    values: dict[str, Any] = {
        "expected": expected,
        "parts": shown,
        "clips": one["measures"]["clips"],
        "dimension": one["measures"]["dimension"],
        "judge": one["judge"],
        "fvd": one["params"]["generation_quality"]["fvd"] if "fvd" in measures else None,
        "missing": [f"{name} seed {seed}" for name, seed in pairs if (name, seed) not in cells],
        "footer": footer_of(list(cells.values()), expected, None if index is None else len(left_out(index))),
        "runs": [
            {
                "name": name,
                "runs": [
                    f"{c['pretrain_run_id']} → {c['run_id']}" if (c := cells.get((name, seed))) else MISSING
                    for seed in expected.seeds
                ],
            }
            for name in expected.variants
        ],
    }
    formats.write(output, environment().get_template("generation.md.j2").render(values), shown, "part")
