"""Files of results that a report would take, apart from those that it refuses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from csvr.errors import UserError
from csvr.reporting.results import Expectation

T = TypeVar("T")
Cell = tuple[str, int]
"""Variant and seed."""


def belongs(path: Path, expected: Expectation) -> bool:
    """Whether a file of results is of a cell that a report expects."""
    try:
        return bool(expected.rows(path))
    except UserError:
        return False


def sifted(
    paths: Sequence[Path], expected: Expectation, read: Callable[[list[Path]], T]
) -> tuple[T | None, dict[Cell, str]]:
    """What `read` makes of the files that it takes together, None without any; and why it refuses each other one.

    Args:
        paths: Files of results.
        expected: What a report is to show, to tell the cell of a file.
        read: Raises `UserError` for files that a report refuses, alone or together.
    """
    good: list[Path] = []
    refused: dict[Cell, str] = {}

    def refuse(path: Path, error: UserError) -> None:
        names, seed = expected.rows(path)
        refused.update(dict.fromkeys([(name, seed) for name in names], str(error)))

    for path in paths:
        try:
            read([path])
            good.append(path)
        except UserError as error:
            refuse(path, error)
    # Each is right by itself, and they may still not belong together: evaluated on other videos, say.
    while good:
        try:
            return read(good), refused
        except UserError as error:
            culprit = next((path for path in good if str(error).startswith(f"{path}:")), good[-1])
            good.remove(culprit)
            refuse(culprit, error)
    return None, refused
