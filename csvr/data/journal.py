"""Lines of JSON that say what is done, for the process that goes on with it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from csvr.files import writing


class Journal:
    """A journal on disk; what a killed process was writing when it died is left out.

    Args:
        path: File.
        identity: What is done, one line. What a journal of something else says is not taken over.
    """

    def __init__(self, path: Path, identity: str) -> None:
        self.path, self._identity = path, identity
        try:
            lines = path.read_text().split("\n")[:-1]  # the last one is empty, or torn
        except OSError:
            lines = []
        self.entries: list[Any] = [json.loads(line) for line in lines[1:]] if lines[:1] == [identity] else []
        """What an earlier process wrote."""

    def begin(self, entries: Iterable[Any]) -> None:
        """Write it anew, with these entries."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text("".join(f"{line}\n" for line in (self._identity, *map(json.dumps, entries))))

    def append(self, *entries: Any) -> None:
        """Write more, JSON-able."""
        with writing(self.path), self.path.open("a") as file:
            file.write("".join(f"{json.dumps(entry)}\n" for entry in entries))
