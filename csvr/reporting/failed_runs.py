"""Failed runs of the cells that reports show: what Sacred recorded of attempts that left no result."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from csvr.reporting.findings import Finding, listed
from csvr.reporting.results import Expectation
from csvr.tracking.status import status

STEPS: Final = ("pretrain", "evaluate", "generation_quality")
"""Those that work on one variant and seed."""
FAILED: Final = ("FAILED", "INTERRUPTED", "DIED")


class Attempt(NamedTuple):
    """A run that failed.

    Attributes:
        run: Its id.
        step: Its command.
        status: One of `FAILED`.
        why: The last line of its traceback, empty where it left none.
        config: What it was to work with: parameters, variant, seed.
    """

    run: str
    step: str
    status: str
    why: str
    config: dict[str, Any]


def attempts(runs: Path) -> list[Attempt]:
    """Failed runs of `STEPS` below a folder of Sacred's, oldest first; none where there is no folder.

    What is no record of a run (a run that begins just now, another file) is left out.
    """
    found = []
    folders = [path for path in runs.iterdir() if path.name.isdigit()] if runs.is_dir() else []
    for folder in sorted(folders, key=lambda path: int(path.name)):
        try:
            run = json.loads((folder / "run.json").read_text())
            if (step := run["experiment"]["name"]) not in STEPS or (state := status(run)) not in FAILED:
                continue
            config = dict(json.loads((folder / "config.json").read_text()))
        except (OSError, ValueError, KeyError, TypeError):
            continue
        trace = [line.strip() for line in "".join(run.get("fail_trace") or []).splitlines() if line.strip()]
        found.append(Attempt(folder.name, step, state, trace[-1] if trace else "", config))
    return found


def cells_of(attempt: Attempt, expected: Expectation) -> list[tuple[str, int]]:
    """Variants and seeds that an attempt was for: those of its name, its seed and the parameters that it had."""
    config = {key: value for key, value in attempt.config.items() if key not in ("variant", "seed")}
    seed = attempt.config.get("seed")
    return [
        (name, int(seed))
        for name, variant in expected.variants.items()
        if seed in expected.seeds
        and attempt.config.get("variant") in [place.split("/")[0] for place in (variant.cell, variant.networks)]
        and all(key in variant.params and variant.params[key] == value for key, value in config.items())
    ]


def failed_runs(
    found: Iterable[Attempt], expected: Expectation, made: Mapping[tuple[str, int], Any], steps: Sequence[str]
) -> Iterator[Finding]:
    """A finding for each cell and step with failed runs: an error where the cell has no result, else a note.

    Args:
        found: As `attempts` gives them.
        expected: What a report is to show.
        made: Its results by variant and seed, each with its "run_id".
        steps: The steps that lead to these results.
    """
    failed: dict[tuple[str, int, str], list[Attempt]] = {}
    for attempt in found:
        for name, seed in cells_of(attempt, expected) if attempt.step in steps else ():
            failed.setdefault((name, seed, attempt.step), []).append(attempt)
    for (name, seed, step), those in failed.items():
        last = those[-1]
        text = f"{step} in run{'s' * (len(those) > 1)} {listed([attempt.run for attempt in those])}: {last.status}"
        text += f" ({last.why})" if last.why else ""
        if (name, seed) in made:
            text += f"; the result is that of run {made[name, seed]['run_id']}"
        severity = "note" if (name, seed) in made else "error"
        yield Finding(severity, "failed run", f"{name} seed {seed}", text)
