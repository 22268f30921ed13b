"""What quality control finds: one line each, and how lists of names are cut."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

SEVERITIES: Final = ("error", "warning", "note")
FEWEST: Final = 3
"""Of fewer seeds none can be told to be the odd one."""
NAMED: Final = 5
"""Cells and videos that a finding names; of more it says how many."""


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        severity: "error": a number is missing or wrong. "warning": one may be misleading. "note": worth knowing.
        what: Its kind.
        where: Cells ("full seed 0"), or a file.
        detail: What was found, and what to do.
    """

    severity: str
    what: str
    where: str
    detail: str


def listed(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def counts(severities: Iterable[str]) -> str:
    """ "1 error, 2 warnings, 0 notes"."""
    every = list(severities)
    numbers = {severity: every.count(severity) for severity in SEVERITIES}
    return ", ".join(f"{n} {name}{'s' * (n != 1)}" for name, n in numbers.items())
