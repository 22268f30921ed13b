"""Files: written so that they are either whole or not there; hashes of files and of parameters."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from csvr.errors import UserError


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Let what goes wrong on the disk be an OSError that names `path`, also where a library gives an error of its own.

    (torch raises a RuntimeError while it handles the OSError, safetensors one with Rust's text.)
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        cause = error if isinstance(error, OSError) else error.__context__
        number = re.search(r"\(os error (\d+)\)", str(error))
        if not isinstance(cause, OSError) and number:
            cause = OSError(int(number[1]), os.strerror(int(number[1])))
        if not isinstance(cause, OSError) or cause.errno is None:
            raise
        raise OSError(cause.errno, cause.strerror, str(path)) from error


def part_of(path: Path) -> Path:
    """Where a process writes what is to be `path`, beside it: a name that no other has, on no machine."""
    return path.with_name(f".{path.stem}.{platform.node()}.{os.getpid()}.part{path.suffix}")


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` atomically, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = part_of(path)
    try:
        with writing(path):
            part.write_text(text)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def params_sha256(params: Any) -> str:
    """SHA-256 of the canonical JSON of parameters, in hexadecimal."""
    return hashlib.sha256(canonical(params).encode()).hexdigest()
