"""Where the numbers of a table come from: its last part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from csvr.reporting.cells import MISSING
from csvr.reporting.results import Expectation, Results

WORK = {"pretrain": "pretraining", "evaluate": "evaluation", "generation_quality": "measurement"}


def run_rows(results: Results) -> list[dict[str, Any]]:
    """Sacred run ids, pretraining → evaluation, one text a seed."""
    rows = []
    for name in results.expected.variants:
        cells = [results.cells.get((name, seed)) for seed in results.expected.seeds]
        texts = [f"{c['pretrain_run_id']} → {c['run_id']}" if c else MISSING for c in cells]
        rows.append({"name": name, "runs": texts})
    return rows


def footer(results: Results) -> dict[str, str]:
    """Where the numbers come from, by name."""
    return footer_of(list(results.cells.values()), results.expected, results.left_out)


def footer_of(cells: list[dict[str, Any]], expected: Expectation, left_out: int | None) -> dict[str, str]:
    """Likewise, of cells that hold what a table shows, and the number of listed videos that can't be used."""
    steps = " and ".join(WORK.get(step, step) for step in cells[0]["seconds"])
    seconds = sum(sum(cell["seconds"].values()) for cell in cells)
    return {
        "git commit": _counted(_commit(cell["git"]) for cell in cells),
        "data (sha256 of the index)": str(cells[0]["data"]["index_sha256"]),
        "listed videos left out as unusable": "?" if left_out is None else str(left_out),
        "parameters (sha256 of their canonical JSON)": expected.digest,
        "code (sha256 of the sources)": "; ".join(f"{step} {cells[0]['code'][step]}" for step in cells[0]["code"]),
        f"time of {steps}, all cells added up": f"{seconds / 60:.1f} min",
        "hardware": _counted(
            f"{c['host']['cpu']}, {c['host']['cores']} cores, host {c['host']['hostname']}, {c.get('threads', '?')} "
            "thread(s) a job"
            for c in cells
        ),
        "command": expected.command,
    }


def _commit(git: dict[str, Any]) -> str:
    """A commit and whether files differed from it."""
    if not git.get("commit"):
        return "no git repository"
    return f"{git['commit']} ({'dirty: files differed from it' if git.get('dirty') else 'clean'})"


def _counted(texts: Iterator[str]) -> str:
    """One text if all are the same, else each with how many cells have it."""
    counts = Counter(texts)
    return next(iter(counts)) if len(counts) == 1 else "; ".join(f"{t} [{n} cells]" for t, n in counts.items())
