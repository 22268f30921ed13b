"""Lines of JSON that say what is done, for the process that goes on with it; each behind its checksum."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from csvr.files import write_text, writing


class Journal:
    """A journal on disk; what a killed process was writing when it died is left out.

    Args:
        path: File.
        identity: What is done, one line. What a journal of something else says is not taken over.
    """

    def __init__(self, path: Path, identity: str) -> None:
        self.path, self._identity = path, identity
        try:
            first, *lines = path.read_bytes().split(b"\n")[:-1] or [b""]  # the last one is empty, or torn
        except OSError:
            first, lines = b"", []
        self.entries: list[Any] = []
        """What an earlier process wrote."""
        for line in lines if first == identity.encode() else ():
            checksum, _, text = line.partition(b" ")
            if checksum != _checksum(text).encode():
                break  # torn, or damaged, and who knows what is behind it
            self.entries.append(json.loads(text))

    def begin(self, entries: Iterable[Any]) -> None:
        """Write it anew, with these entries."""
        write_text(self.path, "".join(f"{line}\n" for line in (self._identity, *map(_line, entries))))

    def append(self, *entries: Any) -> None:
        """Write more, JSON-able."""
        with writing(self.path), self.path.open("a") as file:
            file.write("".join(f"{_line(entry)}\n" for entry in entries))


def _line(entry: Any) -> str:
    text = json.dumps(entry)
    return f"{_checksum(text.encode())} {text}"


def _checksum(text: bytes) -> str:
    return f"{zlib.crc32(text):08x}"
