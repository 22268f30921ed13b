"""What each variant costs: time, memory, parameters and FLOPs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from csvr.reporting import page
from csvr.reporting.cells import ABSENT, MISSING, spread_cell
from csvr.reporting.formats import Cell, table
from csvr.reporting.results import Results

SIZES: Final = {
    "parameters_encoders": ("parameters, encoders", ",.0f"),
    "parameters": ("parameters, all", ",.0f"),
    "gflops_encoders": ("GFLOPs a clip, encoders", ".3f"),
    "gflops": ("GFLOPs a clip, all", ".3f"),
}
"""Columns of what a variant's networks are like, the same for all seeds."""
SPENT: Final = {
    ("seconds", "pretrain"): ("pretraining, s", 1),
    ("seconds", "evaluate"): ("evaluation, s", 1),
    ("peak_memory_mb", "pretrain"): ("memory of pretraining, MiB", 0),
    ("peak_memory_mb", "evaluate"): ("memory of evaluation, MiB", 0),
}


def write(results: Results, output: Path) -> None:
    """Write the table in all formats: a row a variant."""
    rows = []
    for name, variant in results.expected.variants.items():
        cells = [cell for seed in results.expected.seeds if (cell := results.cells.get((name, seed)))]
        spent = [_spent(results, cells, part, step, digits) for (part, step), (_, digits) in SPENT.items()]
        sizes = [_size(cells, key, form) for key, (_, form) in SIZES.items()]
        rows.append([variant.title, *spent, *sizes])
    heads = ["variant", *(head for head, _ in SPENT.values()), *(head for head, _ in SIZES.values())]
    about = [
        "Mean ± standard deviation over pretraining seeds (n seeds), of single runs on the hardware below, beside "
        "which others may have run at the same time. Memory is the most that the whole process had, of the machine, "
        "or of the GPU where it computed on one; a dash: not recorded. A clip is "
        f"{_clip(results)}; FLOPs: two for a multiplication and an addition, in convolutions and matrix products, of "
        "one forward pass of each network. Encoders are what is kept after pretraining.",
    ]
    page.write(results, output, "Cost of each variant", about, [table("Cost", heads, rows)])


def _spent(results: Results, cells: list[dict[str, Any]], part: str, step: str, digits: int) -> Cell:
    values = [float(value) for cell in cells if (value := (cell.get(part) or {}).get(step)) is not None]
    if cells and not values:
        return Cell(ABSENT)
    return spread_cell(values, len(results.expected.seeds), 1, digits)


def _size(cells: list[dict[str, Any]], key: str, form: str) -> Cell:
    if not cells:
        return Cell(MISSING)
    value = cells[0]["size"][key]
    return Cell(format(value, form), {"": value})


def _clip(results: Results) -> str:
    shape = next(iter(results.expected.variants.values())).params["clip"]
    return f"{shape['frames']} × {shape['crop']} × {shape['crop']}"
