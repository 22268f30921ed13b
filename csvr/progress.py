"""How far work is: a bar on a terminal, plain lines in a log; said by log messages with `extra=share(done, total)`."""

from __future__ import annotations

import logging
import shutil
import sys
from typing import Any, Final, TextIO

WIDTH: Final = 20
"""Characters of a bar."""


def pause(stream: TextIO | None = None) -> float:
    """Seconds from one word on how far the work is to the next: few on a terminal, where it takes no further line."""
    return 0.5 if (stream or sys.stderr).isatty() else 10.0


def share(done: int, total: int) -> dict[str, Any]:
    """What to pass to a logger as `extra`, with a message on how far the work is."""
    return {"share": done / max(total, 1)}


class Handler(logging.StreamHandler[TextIO]):
    """Writes messages as lines; on a terminal those with a share of the work as one bar, drawn again and again."""

    drawn = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, or draw the bar anew."""
        part, stream = getattr(record, "share", None), self.stream
        if not stream.isatty():
            super().emit(record)
            return
        # Back to the start of the line, and away with what is there.
        stream.write("\r\x1b[K" * self.drawn)
        self.drawn = part is not None and part < 1
        if part is None:
            super().emit(record)
            return
        full = round(part * WIDTH)
        text = f"{'█' * full}{'░' * (WIDTH - full)} {part:4.0%} {self.format(record)}"
        stream.write(text[: shutil.get_terminal_size().columns - 1] + "\n" * (not self.drawn))
        stream.flush()

    def end(self) -> None:
        """Go to the next line, if a bar stands on this one."""
        self.stream.write("\n" * self.drawn)
        self.drawn = False
