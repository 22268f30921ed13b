"""The one error type that is shown to users without a traceback, and a hint that its messages give."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Something the user can mend: the message names the file or key, what is wrong, and what to do."""


def closest(name: str, known: Iterable[str]) -> str:
    """A hint at the name that was meant, or all that there are."""
    names = list(known)
    found = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"did you mean {found[0]}?" if found else f"known: {', '.join(names)}"
