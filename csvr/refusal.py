"""What differs between how a file was made and how it was to be made, and the message that refuses it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from csvr.errors import UserError


def differences(found: Any, expected: Any, key: str = "") -> list[tuple[str, Any, Any]]:
    """Every leaf in which two nested parameter sets differ: (dotted key, found, expected); "(absent)" for no value."""
    if isinstance(found, dict) and isinstance(expected, dict):
        result = []
        for name in sorted(found.keys() | expected.keys(), key=str):
            dotted = f"{key}.{name}" if key else str(name)
            result += differences(found.get(name, "(absent)"), expected.get(name, "(absent)"), dotted)
        return result
    return [] if found == expected else [(key, found, expected)]


def require(path: Path, found: Any, expected: Any, mend: str) -> None:
    """Refuse a file that was not made as expected.

    Raises:
        UserError: Names the file, the first three keys that differ with both values, and the command that mends it.
    """
    wrong = differences(found, expected)
    if wrong:
        shown = "; ".join(f"{key} = {a!r}, expected {b!r}" for key, a, b in wrong[:3])
        more = f" (and {len(wrong) - 3} more)" if len(wrong) > 3 else ""
        raise UserError(f"{path}: made with {shown}{more}; run {mend}")
