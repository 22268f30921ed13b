"""The ablation table: as it is read, and every seed of it as a long CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from csvr.reporting import formats
from csvr.reporting.cells import ABSENT, Differences, Key, accuracy_cells
from csvr.reporting.claims import Claim, claims
from csvr.reporting.formats import Cell, Table, environment, table
from csvr.reporting.origin import footer, run_rows
from csvr.reporting.protocols import protocol_names, readout_name
from csvr.reporting.results import OVERALL, PROTOCOLS, READOUTS, Results
from csvr.reporting.statistics import accuracy

CSV_COLUMNS = (
    "protocol", "readout", "variant", "seed", "group", "top1", "n_videos", "run_id", "pretrain_run_id"
)  # fmt: skip


def write(results: Results, output: Path) -> None:
    """Write `output` (.md), and beside it .html, .tex and the long .csv."""
    values = context(results)
    text = environment().get_template("ablation.md.j2").render(values)
    shown = [*values["protocols"], *([values["readouts"]] if values["readouts"] else []), values["p_values"]]
    long = io.StringIO()
    writer = csv.DictWriter(long, CSV_COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(long_form(results))
    formats.write(output, text, shown, long=long.getvalue())


def comparisons(results: Results) -> Differences:
    """Of every variant with full, under every protocol that it is evaluated with."""
    variants = results.expected.variants.items()
    keys: list[Key] = [
        (name, protocol, "all")
        for protocol in protocol_names(results)
        for name, variant in variants
        if protocol in variant.protocols()
    ]
    return Differences(results, keys)


def protocol_table(results: Results, protocol: str, title: str, differences: Differences) -> Table:
    """One row a variant; a variant that is not evaluated in this way has dashes."""
    columns = list(results.masks())
    rows = []
    for name, variant in results.expected.variants.items():
        shown = [Cell(ABSENT)] * 2 * len(columns)
        if protocol in variant.protocols():
            shown = accuracy_cells(results, name, protocol) + differences.cells[name, protocol, "all"]
        rows.append([variant.title, *shown])
    return table(title, ["variant", *columns, *(f"Δ {column}" for column in columns)], rows)


def readout_table(results: Results, protocol: str, title: str) -> Table:
    """One row for every read-out of every variant that is probed."""
    rows = []
    for name, variant in results.expected.variants.items():
        if protocol not in variant.protocols():
            continue
        present = [readout for readout in READOUTS if results.scores(name, protocol, readout)]
        for readout in present or ["all"]:
            cells = accuracy_cells(results, name, protocol, readout)
            rows.append([variant.title, readout_name(readout), *cells])
    return table(title, ["variant", "read-out", *results.masks()], rows, left=2)


def long_form(results: Results) -> Iterator[dict[str, Any]]:
    """Rows of the CSV; a missing cell has rows with an empty top1."""
    masks = results.masks()
    for protocol in PROTOCOLS:
        for readout in READOUTS:
            for name, variant in results.expected.variants.items():
                if protocol not in variant.protocols():
                    continue
                scores = results.scores(name, protocol, readout)
                for seed in results.expected.seeds:
                    if seed not in scores and readout != "all":
                        continue
                    cell = results.cells.get((name, seed), {})
                    for group, mask in masks.items():
                        top1 = round(accuracy(scores[seed], mask), 6) if seed in scores and mask.any() else ""
                        row = (
                            protocol, readout, name, seed, group, top1, int(mask.sum()),
                            cell.get("run_id", ""), cell.get("pretrain_run_id", ""),
                        )  # fmt: skip
                        yield dict(zip(CSV_COLUMNS, row, strict=True))


def context(results: Results) -> dict[str, Any]:
    """Everything that the template shows."""
    expected, names = results.expected, protocol_names(results)
    few, differences = "linear_few" if "linear_few" in names else None, comparisons(results)
    keys = [((names[key[1]], expected.variants[key[0]].title), key) for key in differences.cells]
    return {
        "expected": expected,
        "counts": {name: int(mask.sum()) for name, mask in results.masks().items()},
        "overall": OVERALL,
        "chance": f"{100 / len(results.classes):.1f}",
        "classes": results.classes,
        "protocols": [protocol_table(results, key, title, differences) for key, title in names.items()],
        "readouts": readout_table(results, few, f"By read-out ({names[few]})") if few else None,
        "p_values": differences.p_table("Corrected p-values of the differences", ["protocol", "variant"], keys),
        "claims": [_claim(claim, names) for claim in claims(results)],
        "missing": [f"{variant} seed {seed}" for variant, seed in results.missing()],
        "footer": footer(results),
        "runs": run_rows(results),
    } | differences.about()


def _claim(claim: Claim, names: dict[str, str]) -> dict[str, Any]:
    """A claim with its protocols' titles."""
    found = [{"protocol": names[f.protocol], "verdict": f.verdict, "numbers": f.numbers} for f in claim.findings]
    return {"text": claim.text, "findings": found}
