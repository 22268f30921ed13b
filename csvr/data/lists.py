"""The lists of a data set, read so that whatever is wrong in them is named with its file and line.

Lists are UTF-8, with any line ends, with or without a byte order mark. All raise a `UserError` for what can't be read.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from csvr.errors import UserError

SHOWN: Final = 20
"""So many wrong entries are shown at once."""


def refuse(wrong: list[str]) -> None:
    """Raise a UserError that shows the first lines with something wrong, if there are any."""
    if len(wrong) == 1:
        raise UserError(wrong[0])
    if wrong:
        more = f"\n  and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        raise UserError(f"{len(wrong)} entries of the lists are wrong:\n  " + "\n  ".join(wrong[:SHOWN]) + more)


def text(file: Path) -> str:
    """The text of a list in UTF-8, with or without a byte order mark, with any line ends."""
    try:
        content = file.read_bytes()
        return content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except OSError as error:
        raise UserError(f"{file}: can't be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UserError(f"{file}: line {line} can't be read: it is not UTF-8; save the list as UTF-8") from error


def lines(file: Path) -> list[tuple[str, str]]:
    """Where each line is that is not empty, and the line without the blanks around it."""
    numbered = enumerate(text(file).split("\n"), start=1)
    return [(f"{file}: line {k}", line.strip()) for k, line in numbered if line.strip()]


def rows(file: Path, columns: Iterable[str]) -> list[tuple[str, dict[str, str]]]:
    """Where each row is, and its values by column; a short row has "" in the columns that it lacks."""
    reader = csv.DictReader(io.StringIO(text(file)), restval="")
    try:
        found = [(f"{file}: line {reader.line_num}", row) for row in reader]
    except csv.Error as error:
        raise UserError(f"{file}: line {reader.line_num} is no CSV ({error})") from error
    if not set(columns) <= set(reader.fieldnames or ()):
        raise UserError(f"{file}: needs columns {', '.join(columns)}")
    return found


def tree(file: Path, kind: type) -> Any:
    """What a JSON file holds, which must be of this kind."""
    try:
        found = json.loads(text(file))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{file}: no readable JSON ({error})") from error
    if not isinstance(found, kind):
        raise UserError(f"{file}: holds no {kind.__name__}")
    return found
