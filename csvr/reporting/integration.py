"""Alternatives of the integration layer (Figure 2 of the paper) beside that of variant full, as a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from csvr.reporting import formats
from csvr.reporting.cells import Differences, Key, accuracy_cells
from csvr.reporting.claims import FULL
from csvr.reporting.formats import Cell, environment, table
from csvr.reporting.origin import footer, run_rows
from csvr.reporting.protocols import protocol_names, readout_name
from csvr.reporting.results import OVERALL, Results

SHOWN: Final = ("f_i", "all")
"""Read-outs of the table: what the layer makes, and all features together."""
DEFAULT_MODE: Final = "adain_mask"


def mode(results: Results, variant: str) -> str:
    """The form of the variant's layer, as `csvr.integration.layer` names it."""
    return str(results.expected.variants[variant].params["model"]["integration"].get("mode", DEFAULT_MODE))


def keys(results: Results, protocol: str) -> list[Key]:
    """Rows of a protocol, read-out by read-out; a read-out that no cell has (of fine-tuning) has none."""
    return [
        (name, protocol, readout)
        for readout in SHOWN
        if readout == "all" or any(results.scores(name, protocol, readout) for name in results.expected.variants)
        for name, variant in results.expected.variants.items()
        if protocol in variant.protocols()
    ]


def write(results: Results, output: Path) -> None:
    """Write the table in all formats."""
    names, variants, columns = protocol_names(results), results.expected.variants, list(results.masks())
    differences = Differences(results, [key for protocol in names for key in keys(results, protocol)])
    shown = [
        table(
            title,
            ["layer", "mode", "read-out", *columns, *(f"Δ {column}" for column in columns)],
            [
                [
                    variants[key[0]].title, Cell(mode(results, key[0]), code=True), readout_name(key[2]),
                    *accuracy_cells(results, *key), *differences.cells[key],
                ]
                for key in keys(results, protocol)
            ],
            left=3,
        )
        for protocol, title in names.items()
    ]  # fmt: skip
    values: dict[str, Any] = {
        "expected": results.expected,
        "full": variants[FULL].title,
        "full_mode": mode(results, FULL),
        "protocols": shown,
        "count": int(results.masks()[OVERALL].sum()),
        "chance": f"{100 / len(results.classes):.1f}",
        "missing": [f"{variant} seed {seed}" for variant, seed in results.missing()],
        "footer": footer(results),
        "runs": run_rows(results),
    }
    text = environment().get_template("integration.md.j2").render(values | differences.about())
    formats.write(output, text, shown, "protocol")
