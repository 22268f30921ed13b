"""Quality control of the measurements of generated clips (`csvr.generation_quality`)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from csvr.reporting import generation
from csvr.reporting.findings import FEWEST, Finding
from csvr.reporting.generation import PARTS, Cells
from csvr.reporting.results import Expectation
from csvr.reporting.sifting import belongs, sifted

WHERE = "{} seed {}, generated clips"


@dataclass(frozen=True)
class Measured:
    """What the checks look at.

    Attributes:
        expected: What the table of generated clips is to show.
        paths: Files of `csvr.generation_quality`; those that don't exist are missing cells.
        limits: By measure how far a seed may be off the mean of the other seeds, as a share of it.
    """

    expected: Expectation
    paths: list[Path]
    limits: Mapping[str, float]


def read(measured: Measured, index: Path | None) -> tuple[Cells, list[Finding]]:
    """Cells that are as expected, and findings about these and all others.

    Args:
        measured: What to look at.
        index: Of the data set of pretraining, whose clips are generated.
    """
    expected = measured.expected
    findings = [
        Finding("error", "unexpected file", str(path), "no report expects it; remove it")
        for path in measured.paths
        if not belongs(path, expected)
    ]
    mine = [path for path in measured.paths if path.exists() and belongs(path, expected)]
    found, refused = sifted(mine, expected, lambda paths: generation.read(paths, expected, index))
    cells = found or {}
    findings += [Finding("error", "refused result", WHERE.format(*cell), reason) for cell, reason in refused.items()]
    findings += missing(expected, cells.keys() | refused.keys())
    findings += failed(cells)
    findings += outliers(cells, expected, measured.limits)
    return cells, findings


def missing(expected: Expectation, there: set[tuple[str, int]]) -> Iterator[Finding]:
    """Cells without a file."""
    for name, variant in expected.variants.items():
        for seed in expected.seeds:
            if (name, seed) not in there:
                log = f"logs/*/generation_quality/{variant.cell}/seed{seed}.log"
                detail = f"no generation.json; run snakemake --cores 8 --keep-going; if it fails, its log is {log}"
                yield Finding("error", "missing cell", WHERE.format(name, seed), detail)


def failed(cells: Cells) -> Iterator[Finding]:
    """Seeds with a measure that is no finite number."""
    for (name, seed), cell in cells.items():
        wrong = [
            f"{kind}.{part}.{measure}"
            for kind in ("generated", "repeated")
            for part in PARTS
            for measure, value in cell["measures"][kind][part].items()
            if not math.isfinite(value)
        ]
        if wrong:
            more = f" and {len(wrong) - 1} more" * (len(wrong) > 1)
            detail = f"measures.{wrong[0]}{more} not finite; look at its training curve, history.csv"
            yield Finding("error", "failed seed", WHERE.format(name, seed), detail)


def outliers(cells: Cells, expected: Expectation, limits: Mapping[str, float]) -> Iterator[Finding]:
    """Seeds with a measure that is off the mean of the other seeds by more than its share of that mean."""
    for name in expected.variants:
        mine = {seed: cell["measures"]["generated"] for (other, seed), cell in cells.items() if other == name}
        if len(mine) < FEWEST:
            continue
        for part in PARTS:
            for measure, most in limits.items():
                values = {seed: measures[part][measure] for seed, measures in mine.items() if measure in measures[part]}
                for seed, value in values.items():
                    rest = [other for key, other in values.items() if key != seed]
                    mean = sum(rest) / len(rest) if rest else math.nan
                    if abs(value - mean) > most * abs(mean):
                        yield Finding(
                            "warning", "outlier", WHERE.format(name, seed),
                            f"{measure} of the {part}: {value:.4g}, the other seeds' mean is {mean:.4g}: more than "
                            f"{100 * most:g} % off",
                        )  # fmt: skip
