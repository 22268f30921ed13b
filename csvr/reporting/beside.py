"""Published rows beside ours, apart where they can't be compared."""

from __future__ import annotations

from typing import Any, Final

import pandas as pd

from csvr.reporting.cells import overall_cell
from csvr.reporting.formats import Cell, Table, table
from csvr.reporting.published import DATASETS, PRETRAINING, apart
from csvr.reporting.results import Results

HEADS: Final = ("method", "year", "pretraining", "backbone", "input", "modality")
OURS: Final = ("method", "pretraining", "backbone", "input", "modality")
NONE: Final = "Published numbers: none for this data set."
SETTING: Final = (
    "No number is in bold here: backbones, inputs, modalities and protocols differ from row to row, and rows of other "
    "pretraining data stand apart. CSVR's own numbers are not available."
)


def setting(results: Results, variant: str) -> list[str]:
    """One of our rows in the columns `OURS`."""
    found = results.expected.variants[variant]
    params, pretraining = found.params, results.expected.pretrained_on
    trained = params["pretrain"]["steps"] > 0
    return [
        f"{found.title} (this run)",
        PRETRAINING.get(pretraining, pretraining) if trained else "none",
        str(params["model"]["backbone"].get("kind", "r3d")),
        f"{params['clip']['frames']}x{params['clip']['crop']}",
        "RGB + poses" if params["pose_input"] else "RGB",
    ]


def our_table(results: Results, heads: dict[str, str]) -> Table:
    """A row a variant: its setting, and its top-1 over all test videos by the protocols that are keys of `heads`."""
    rows = [
        [*setting(results, name), *(overall_cell(results, name, protocol) for protocol in heads)]
        for name in results.expected.variants
    ]
    return table("Ours", [*OURS, *heads.values()], rows, left=len(OURS))


def published_tables(results: Results, rows: pd.DataFrame, metrics: dict[str, str]) -> list[tuple[Table, str]]:
    """Published rows on the data set of the results: those pretrained on the same data, and all others.

    Args:
        results: Ours.
        rows: Of `csvr.reporting.published.read`.
        metrics: Heads of the columns of numbers by metric.

    Returns:
        Tables with notes; none for a data set without published numbers.
    """
    dataset = results.expected.dataset
    if dataset not in DATASETS:
        return []
    same, other = apart(rows, dataset, results.expected.pretrained_on)
    name = PRETRAINING.get(results.expected.pretrained_on, results.expected.pretrained_on)
    return [
        (_table(f"Published, pretrained on {name} without labels", same, metrics), ""),
        (
            _table("Published, pretrained on other data, or on data that is not stated", other, metrics),
            f"Not to be compared with what was pretrained on {name} alone.",
        ),
    ]


def _table(title: str, rows: pd.DataFrame, metrics: dict[str, str]) -> Table:
    """A row for each method and setting, with a column for each metric."""
    lines: dict[tuple[str, ...], dict[str, Any]] = {}
    for row in rows.to_dict("records"):
        # Two values of one metric (sources disagree) are two rows.
        key = tuple(row[name] for name in HEADS)
        count = 0
        while row["metric"] in lines.get((*key, str(count)), {}):
            count += 1
        line = lines.setdefault((*key, str(count)), {"source": [], "note": []})
        line[row["metric"]] = row
        line["source"] += [row["source"]] * (row["source"] not in line["source"])
        line["note"] += [row["note"]] * (bool(row["note"]) and row["note"] not in line["note"])
    shown = [
        [
            *key[:-1], *(_cell(line.get(metric)) for metric in metrics),
            "; ".join(line["source"]), "; ".join(line["note"]),
        ]
        for key, line in lines.items()
    ]  # fmt: skip
    align = "l" * len(HEADS) + "r" * len(metrics) + "ll"
    return table(title, [*HEADS, *metrics.values(), "source", "note"], shown, align=align)


def _cell(row: dict[str, Any] | None) -> Cell:
    if row is None:
        return Cell("–")
    return Cell(row["value"], {"": row["number"]} if pd.notna(row["number"]) else {})


def sources_text(rows: pd.DataFrame) -> str:
    """What the short names in the column "source" mean, as far as these rows have them."""
    pairs = {(row["source"], row["where"]) for row in rows.to_dict("records") if row["source"] != "-"}
    return "; ".join(f"{source}: {where}" for source, where in sorted(pairs))
