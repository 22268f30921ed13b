"""Cells of the tables: means over seeds, and differences to variant full with what is certain of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np

from csvr.reporting.claims import FULL, interval_text
from csvr.reporting.formats import Cell, Table, table
from csvr.reporting.results import Results
from csvr.reporting.statistics import (
    CHUNKS,
    DRAWS,
    LEVEL,
    Spread,
    accuracy,
    holm,
    mean_weights,
    paired,
    paired_intervals,
    paired_p_values,
    spread,
)

MISSING: Final = "missing"
ABSENT: Final = "–"
UNCORRECTED: Final = " †"
"""Behind a difference whose interval excludes 0, but which is not significant after correction."""
P_DIGITS: Final = 3
Key = tuple[str, str, str]
"""Variant, protocol and read-out."""


def spread_text(value: Spread, wanted: int, factor: float = 100, digits: int = 1) -> str:
    """Mean ± standard deviation times `factor` (in %), with n (and how many seeds are missing)."""
    if not value.n:
        return MISSING
    lost = f", {wanted - value.n} missing" if value.n < wanted else ""
    std = f" ± {factor * value.std:.{digits}f}" if math.isfinite(value.std) else ""
    return f"{factor * value.mean:.{digits}f}{std} ({value.n}{lost})"


def spread_cell(values: Sequence[float], wanted: int, factor: float = 100, digits: int = 1) -> Cell:
    """One value a seed: their mean ± standard deviation, of `wanted` seeds."""
    found = spread(np.asarray(values, dtype=np.float64))
    if not found.n:
        return Cell(MISSING)
    fields = {"": round(factor * found.mean, 6), "std": round(factor * found.std, 6) if found.n > 1 else None}
    return Cell(spread_text(found, wanted, factor, digits), fields | {"n": found.n})


def accuracy_cells(results: Results, variant: str, protocol: str, readout: str = "all") -> list[Cell]:
    """One a column (overall and each group), in %."""
    scores = results.scores(variant, protocol, readout)
    return [
        spread_cell([accuracy(x, mask) for x in scores.values()] if mask.any() else [], len(results.expected.seeds))
        for mask in results.masks().values()
    ]


def overall_cell(results: Results, variant: str, protocol: str, readout: str = "all") -> Cell:
    """Over all test videos, in %; a dash if the variant is not evaluated so."""
    if protocol not in results.expected.variants[variant].every_protocol():
        return Cell(ABSENT)
    return accuracy_cells(results, variant, protocol, readout)[0]


class Differences:
    """Variant − full, of the same read-out, for all rows of a table: what is certain depends on how many there are.

    Args:
        results: All cells.
        keys: What the table shows.
    """

    def __init__(self, results: Results, keys: Iterable[Key]) -> None:
        masks = results.masks()
        self.columns, self.count = list(masks), 0
        self.cells: dict[Key, list[Cell]] = {}
        self.corrected: dict[Key, list[float]] = {}
        found: dict[Key, Any] = {}
        for key in keys:
            variant, protocol, readout = key
            difference = paired(results.scores(variant, protocol, readout), results.scores(FULL, protocol, readout))
            if variant == FULL or difference is None or not all(mask.any() for mask in masks.values()):
                self.cells[key] = [Cell(ABSENT if variant == FULL else MISSING) for _ in masks]
                continue
            weights = np.stack([mean_weights(mask) for mask in masks.values()], axis=1)
            intervals = paired_intervals(difference, results.labels, weights)
            found[key] = intervals, paired_p_values(difference, results.labels, weights)
        every = holm([float(p) for _, p_values in found.values() for p in p_values])
        self.count = len(every)
        for place, (key, (intervals, p_values)) in enumerate(found.items()):
            corrected = every[place * len(masks) : (place + 1) * len(masks)]
            self.corrected[key] = corrected
            self.cells[key] = [
                Cell(
                    interval_text(interval) + UNCORRECTED * (interval.excludes_zero and p_holm > 1 - LEVEL),
                    {
                        "": round(100 * interval.mean, 6), "low": round(100 * interval.low, 6),
                        "high": round(100 * interval.high, 6), "p": round(float(p), 6), "p Holm": round(p_holm, 6),
                    },
                    marked=p_holm <= 1 - LEVEL,
                )
                for interval, p, p_holm in zip(intervals, p_values, corrected, strict=True)
            ]  # fmt: skip

    def about(self) -> dict[str, int]:
        """Numbers that the text about significance needs (`significance.md.j2`)."""
        return {"comparisons": self.count, "draws": DRAWS, "p_draws": CHUNKS * DRAWS}

    def p_table(self, title: str, heads: Sequence[str], rows: Sequence[tuple[Sequence[str], Key]]) -> Table:
        """Corrected p-values of rows that are named by `heads`; only those that have a difference."""
        shown = [
            [*names, *(Cell(p_text(p), {"": round(p, 6)}) for p in self.corrected[key])]
            for names, key in rows
            if key in self.corrected
        ]
        return table(title, [*heads, *self.columns], shown, left=len(heads))


def p_text(p: float) -> str:
    """A p-value as tables have it."""
    least = 10**-P_DIGITS
    return f"<{least:g}" if p < least else f"{p:.{P_DIGITS}f}"
