"""The numbers of all reports for programs: one JSON file, and two tables of the main variant to compare as curves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from csvr.files import write_text
from csvr.reporting import curves
from csvr.reporting.recall import DEPTHS
from csvr.reporting.results import OVERALL, Results
from csvr.reporting.statistics import accuracy

NO_LOSS = ("step", "lr", "clips_per_second")  # columns of a history that are no term of the loss
DIGITS = 6


def variant(results: Results, name: str, history: pd.DataFrame) -> dict[str, Any]:
    """What was measured of one variant, each a mean over its seeds.

    Args:
        results: All cells.
        name: The variant.
        history: Its histories in long form (`curves.read`), without a row if it was not trained.

    Returns:
        `top1.<protocol>.<overall or group>` and likewise `R@1` (and `R@1_no_pose`), `R@<k>.overall`,
        `<branch>.<measure>` of what was predicted (`csvr.evaluation.pretext`), and `loss.<term>` at the last step; what
        was not measured is left out.
    """
    found: dict[str, Any] = {}
    for protocol in results.expected.variants[name].every_protocol():
        scores = list(results.scores(name, protocol).values())
        if scores:
            shares = {
                group: _mean([accuracy(values, mask) for values in scores])
                for group, mask in results.masks().items()
                if mask.any()
            }
            if protocol.startswith("retrieval"):
                found[protocol.replace("retrieval", "R@1")] = shares
            else:
                found.setdefault("top1", {})[protocol] = shares
    for k in DEPTHS[1:]:
        recalls = list(results.recall(name, "retrieval", k).values())
        if recalls:
            found[f"R@{k}"] = {OVERALL: _mean(recalls)}
    pretext = [cell["pretext"] for (row, _), cell in results.cells.items() if row == name]
    for branch, measures in (pretext[0] if pretext else {}).items():
        found[branch] = {measure: _mean([values[branch][measure] for values in pretext]) for measure in measures}
    last = history[history.step == history.step.max()]
    for term, rows in last.groupby("term", sort=False):
        if term not in NO_LOSS:
            found.setdefault("loss", {})[str(term)] = _mean(rows["value"].tolist())
    return found


def numbers(results: Results, histories: list[Path], quality: dict[str, Any] | None) -> dict[str, Any]:
    """Of the main variant (`main`), of each (`variants`) and of the estimated poses (`pose_estimator`, if scored).

    Raises:
        UserError: As `curves.check` and `curves.read`.
    """
    table = _histories(results, histories)
    each = {name: variant(results, name, table[table.variant == name]) for name in results.expected.variants}
    pose = {key: value for key, value in (quality or {}).items() if isinstance(value, float)}
    rounded = {key: round(value, DIGITS) for key, value in pose.items()}
    return {"main": each[results.expected.main]} | ({"pose_estimator": rounded} if rounded else {}) | {"variants": each}


def main_curves(results: Results, histories: list[Path]) -> pd.DataFrame:
    """Loss terms of the main variant by step, mean over seeds; without a row if it was not trained."""
    table = _histories(results, histories)
    chosen = table[(table.variant == results.expected.main) & ~table.term.isin(NO_LOSS)]
    return chosen.pivot_table(index="step", columns="term", values="value", sort=False).round(DIGITS).reset_index()


def main_classes(results: Results, protocol: str = "linear_few") -> pd.DataFrame:
    """Accuracy of the main variant in each class, mean over seeds; without a row if the protocol was not run."""
    scores = list(results.scores(results.expected.main, protocol).values())
    rows = [
        {"class": name, "top1": _mean([accuracy(values, results.labels == label) for values in scores])}
        for label, name in enumerate(results.classes)
        if scores and (results.labels == label).any()
    ]
    return pd.DataFrame(rows, columns=["class", "top1"])


def write(results: Results, histories: list[Path], quality: dict[str, Any] | None, output: Path, plots: Path) -> None:
    """Write `output` (JSON), and `training_curves.csv` and `per_class.csv` into the folder `plots`.

    Args:
        results: All cells.
        histories: Training curves of all variants that were trained.
        quality: `all` of `python -m csvr.pose_quality`'s file, or None.
        output: JSON file.
        plots: Folder.

    Raises:
        UserError: As `numbers`.
    """
    write_text(output, json.dumps(numbers(results, histories, quality), indent=2) + "\n")
    write_text(plots / "training_curves.csv", main_curves(results, histories).to_csv(index=False))
    write_text(plots / "per_class.csv", main_classes(results).to_csv(index=False))


def _histories(results: Results, paths: list[Path]) -> pd.DataFrame:
    for path in paths:
        curves.check(path, results.expected)
    if not paths:
        return pd.DataFrame(columns=["step", "term", "value", "variant", "seed"])
    return curves.read(paths, results.expected).dropna(subset="value")


def _mean(values: list[float]) -> float:
    return round(float(np.mean(values)), DIGITS)
