"""Quality control: what is missing, failed or odd about the results behind the reports."""

from __future__ import annotations

import functools
import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import astuple, fields
from pathlib import Path
from typing import Any

import numpy as np

from csvr.data.index import left_out
from csvr.data.shards import header
from csvr.reporting import formats, generation_checks
from csvr.reporting.failed_runs import attempts, failed_runs
from csvr.reporting.findings import FEWEST, NAMED, SEVERITIES, Finding, counts, listed
from csvr.reporting.formats import environment, table
from csvr.reporting.generation_checks import WHERE, Measured
from csvr.reporting.protocols import readout_name
from csvr.reporting.results import Expectation, Results, load
from csvr.reporting.sifting import Cell, belongs, sifted


def examine(
    expectations: Sequence[Expectation],
    metrics: Sequence[Path],
    indexes: Sequence[Path],
    outlier: float,
    commit: str | None = None,
    measured: Measured | None = None,
    runs: Path | None = None,
    poses: Sequence[Path] = (),
    nobody: float = 1.0,
) -> list[Finding]:
    """All findings, the worst first.

    Args:
        expectations: What the reports are to show; each metrics file belongs to at least one.
        metrics: Files of `csvr.evaluate`; those that don't exist are missing cells.
        indexes: Index of each data set, the one that is evaluated on first.
        outlier: How far a seed's top-1 (a share, 0 … 1) may be from the mean of the other seeds.
        commit: Of this checkout, to compare with those of the results.
        measured: Measurements of generated clips, if there are to be some.
        runs: Folder of Sacred's runs, to find those that failed.
        poses: Shards of poses, of all data sets.
        nobody: Share of a data set's videos (0 … 1) in which nobody may be found.
    """
    found: list[Finding] = []
    lost = [] if runs is None else attempts(runs)
    cells: dict[str, dict[str, Any]] = {}
    for path in metrics:
        if not any(belongs(path, expected) for expected in expectations):
            found.append(Finding("error", "unexpected file", str(path), "no report expects it; remove it"))
    for expected in expectations:
        mine = [path for path in metrics if path.exists() and belongs(path, expected)]
        index = indexes[0] if indexes else None
        results, refused = sifted(mine, expected, functools.partial(load, expected=expected, index=index))
        found += [
            Finding("error", "refused result", f"{name} seed {seed}", reason)
            for (name, seed), reason in refused.items()
        ]
        found += missing(expected, results, refused.keys())
        found += failed_runs(lost, expected, {} if results is None else results.cells, ("pretrain", "evaluate"))
        if results is not None:
            found += [*incomplete(results), *failed(results), *odd_trainings(results), *outliers(results, outlier)]
            cells |= {f"{name} seed {seed}": cell for (name, seed), cell in results.cells.items()}
    if measured is not None:
        # Of the data set of pretraining, which is the last one.
        generated, about = generation_checks.read(measured, indexes[-1] if indexes else None)
        found += [*about, *failed_runs(lost, measured.expected, generated, ("generation_quality",))]
        cells |= {WHERE.format(*where): cell for where, cell in generated.items()}
        expectations = [*expectations, measured.expected]
    found += [*commits(cells, commit), *unusable(indexes), *without_poses(poses, nobody), *few(expectations)]
    # The expectations share cells, and so findings.
    return sorted(dict.fromkeys(found), key=lambda finding: SEVERITIES.index(finding.severity))


def missing(expected: Expectation, results: Results | None, refused: Collection[Cell]) -> Iterator[Finding]:
    """Cells without a metrics file."""
    there = results.cells if results is not None else {}
    for name in expected.variants:
        for seed in expected.seeds:
            if (name, seed) not in there and (name, seed) not in refused:
                yield Finding(
                    "error", "missing cell", f"{name} seed {seed}",
                    "no metrics file; run snakemake --cores 8 --keep-going; if it fails, its logs are "
                    f"logs/*/pretrain/{expected.variants[name].networks}/seed{seed}.log and "
                    f"logs/*/evaluate/{expected.variants[name].cell}/seed{seed}.log",
                )  # fmt: skip


def incomplete(results: Results) -> Iterator[Finding]:
    """Cells that lack a protocol that their parameters ask for."""
    for (name, seed), cell in results.cells.items():
        lost = [p for p in results.expected.variants[name].every_protocol() if p not in cell["scores"]]
        if lost:
            yield Finding(
                "error", "missing protocol", f"{name} seed {seed}",
                f"no {', '.join(lost)}; run the evaluation again (--forcerun evaluate)",
            )  # fmt: skip


def failed(results: Results) -> Iterator[Finding]:
    """Seeds with a number that is none: pretraining or a probe diverged."""
    for (name, seed), cell in results.cells.items():
        wrong = [
            key
            for part in ("scores", "pretext")
            for key, value in _leaves(cell.get(part) or {}, part)
            if not math.isfinite(value)
        ]
        if wrong:
            more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
            yield Finding(
                "error", "failed seed", f"{name} seed {seed}",
                f"{wrong[0]}{more} not finite; look at its training curve, history.csv",
            )  # fmt: skip


def odd_trainings(results: Results) -> Iterator[Finding]:
    """Cells in whose pretraining something went wrong, as `csvr.pretrain.watch` saw it."""
    for (name, seed), cell in results.cells.items():
        for warning in cell.get("warnings", []):
            yield Finding("warning", "odd training", f"{name} seed {seed}", warning)


def without_poses(shards: Iterable[Path], most: float) -> Iterator[Finding]:
    """Data sets of whose videos more than a share `most` have no pose at all."""
    rates: dict[Path, dict[str, float]] = {}
    for path in shards:
        rates.setdefault(path.parent, {}).update(header(path)["detection_rate"])
    for folder, found in rates.items():
        videos = [video for video, rate in found.items() if not rate]
        if len(videos) > most * len(found):
            yield Finding(
                "warning", "nobody found", str(folder),
                f"in {len(videos)} of {len(found)} videos, so that their poses teach nothing: {listed(videos)}; look "
                "at one with python -m csvr.poses show",
            )  # fmt: skip


def _leaves(value: Any, key: str) -> Iterator[tuple[str, float]]:
    """Numbers below a mapping with their dotted keys; of a list the sum, which is as finite as its members."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(inner, f"{key}.{name}")
    else:
        yield key, float(np.sum(value))


def outliers(results: Results, most: float) -> Iterator[Finding]:
    """Seeds whose top-1 over all test videos is off from the mean of the other seeds by more than `most`, a share."""
    protocols = list(dict.fromkeys(p for v in results.expected.variants.values() for p in v.every_protocol()))
    for name in results.expected.variants:
        for protocol in protocols:
            values = {seed: float(np.mean(x)) for seed, x in results.scores(name, protocol).items()}
            if len(values) < FEWEST:
                continue
            for seed, value in values.items():
                rest = float(np.mean([other for key, other in values.items() if key != seed]))
                if abs(value - rest) > most:
                    yield Finding(
                        "warning", "outlier", f"{name} seed {seed}",
                        f"{protocol}, {readout_name('all')}: top-1 {100 * value:.1f} %, the other seeds' mean is "
                        f"{100 * rest:.1f} %: more than {100 * most:g} points off",
                    )  # fmt: skip


def few(expectations: Iterable[Expectation]) -> Iterator[Finding]:
    """Variants that are to have so few seeds that no outlier can be told."""
    names = [name for e in expectations if len(e.seeds) < FEWEST for name in e.variants]
    if names:
        where = listed(list(dict.fromkeys(names)))
        yield Finding("note", "few seeds", where, f"fewer than {FEWEST} seeds in a table: no outlier can be told")


def commits(cells: dict[str, dict[str, Any]], commit: str | None) -> Iterator[Finding]:
    """Cells made in a checkout with changed files, at several commits, or at another one than the reports.

    Their sources are the same all the same: `load` refuses results of other code.
    """
    dirty = [where for where, cell in cells.items() if cell["git"].get("dirty")]
    if dirty:
        yield Finding(
            "warning", "dirty checkout", listed(dirty),
            f"{len(dirty)} of {len(cells)} cells were made while files differed from their commit; commit, and make "
            "them again before the numbers are published",
        )  # fmt: skip
    unknown = [where for where, cell in cells.items() if not cell["git"].get("commit")]
    if unknown:
        yield Finding(
            "warning", "no commit", listed(unknown), f"{len(unknown)} of {len(cells)} cells: no git repository"
        )
    made = {where: str(cell["git"]["commit"]) for where, cell in cells.items() if cell["git"].get("commit")}
    several = len(set(made.values())) > 1
    for one in dict.fromkeys(made.values()):
        if one != commit and (several or commit):
            where = [name for name, other in made.items() if other == one]
            now = f"; the reports are made at {commit[:12]}" if commit else ""
            yield Finding(
                "warning" if several else "note", "another commit", listed(where),
                f"{len(where)} of {len(made)} cells were made at commit {one[:12]}{now}; the sources of their steps "
                "are the same",
            )  # fmt: skip


def unusable(indexes: Iterable[Path]) -> Iterator[Finding]:
    """Listed videos that are left out."""
    for index in indexes:
        rows = left_out(index)
        if len(rows):
            reasons = rows.problem.value_counts()
            text = "; ".join(f"{reason} ({count})" for reason, count in reasons.head(NAMED).items())
            yield Finding(
                "warning", "left-out videos", str(index), f"{len(rows)}: {listed(rows.video.tolist())}; because: {text}"
            )


def write(findings: Sequence[Finding], output: Path, dataset: str, outlier: float, cells: int) -> None:
    """Write `output` (.md), and beside it .html, .tex and .csv; the CSV has a line for each finding.

    Args:
        findings: As `examine` gives them.
        output: The Markdown file.
        dataset: Its name.
        outlier: As for `examine`.
        cells: How many metrics files were looked at.
    """
    heads = [field.name for field in fields(Finding)]
    shown = table("", heads, [astuple(finding) for finding in findings], left=len(heads))
    text = environment().get_template("checks.md.j2").render(
        findings=shown, counts=counts(finding.severity for finding in findings), dataset=dataset,
        outlier=f"{100 * outlier:g}", cells=cells, fewest=FEWEST,
    )  # fmt: skip
    formats.write(output, text, [shown] if findings else [], long=str(shown.frame.to_csv(index=False)))
