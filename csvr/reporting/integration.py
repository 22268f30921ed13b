"""Alternatives of the integration layer (Figure 2 of the paper) beside that of variant full, as a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from csvr.files import write_text
from csvr.reporting.ablation import (
    READOUT_NAMES,
    accuracy_cells,
    difference_cells,
    environment,
    footer,
    protocol_names,
    run_rows,
)
from csvr.reporting.claims import FULL
from csvr.reporting.results import OVERALL, Results
from csvr.reporting.statistics import DRAWS

SHOWN: Final = ("f_i", "all")
"""Read-outs of the table: what the layer makes, and all features together."""
DEFAULT_MODE: Final = "adain_mask"


def mode(results: Results, variant: str) -> str:
    """The form of the variant's layer, as `csvr.integration.layer` names it."""
    return str(results.expected.variants[variant].params["model"]["integration"].get("mode", DEFAULT_MODE))


def rows(results: Results, protocol: str) -> list[dict[str, Any]]:
    """A row a variant and read-out, read-out by read-out; a read-out that no cell has (of fine-tuning) has none."""
    return [
        {
            "title": variant.title,
            "mode": mode(results, name),
            "readout": READOUT_NAMES.get(readout, readout),
            "accuracy": accuracy_cells(results, name, protocol, readout),
            "difference": difference_cells(results, name, protocol, readout),
        }
        for readout in SHOWN
        if readout == "all" or any(results.scores(name, protocol, readout) for name in results.expected.variants)
        for name, variant in results.expected.variants.items()
        if protocol in variant.protocols()
    ]


def write(results: Results, output: Path) -> None:
    """Write the Markdown table."""
    values: dict[str, Any] = {
        "expected": results.expected,
        "full": results.expected.variants[FULL].title,
        "full_mode": mode(results, FULL),
        "protocols": [
            {"name": title, "rows": rows(results, protocol)} for protocol, title in protocol_names(results).items()
        ],
        "columns": list(results.masks()),
        "count": int(results.masks()[OVERALL].sum()),
        "chance": f"{100 / len(results.classes):.1f}",
        "missing": [f"{variant} seed {seed}" for variant, seed in results.missing()],
        "draws": DRAWS,
        "footer": footer(results),
        "runs": run_rows(results),
    }
    write_text(output, environment().get_template("integration.md.j2").render(values))
