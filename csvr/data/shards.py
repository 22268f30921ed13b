"""Shards: one safetensors file holds the arrays of many videos and says which, and how they were made.

The format is memory-mappable, carries no code (unlike pickle) and keeps a JSON header that readers get
without touching the arrays.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from csvr.errors import UserError


def write(path: Path, arrays: Mapping[str, NDArray[Any]], header: Mapping[str, Any]) -> None:
    """Write `arrays` and a JSON-able `header` to `path`, atomically: `path` is either whole or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    try:
        save_file(contiguous, part, metadata={"header": json.dumps(header, sort_keys=True)})
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def header(path: Path) -> dict[str, Any]:
    """The header of one shard.

    Raises:
        UserError: `path` is missing or no shard of ours.
    """
    try:
        with safe_open(path, "np") as file:
            return dict(json.loads((file.metadata() or {})["header"]))
    except (OSError, SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise UserError(f"{path}: not a readable csvr shard ({error}); delete it and run snakemake again") from error


class Shards(Mapping[str, NDArray[Any]]):
    """Read-only mapping from array name to array over several shards; arrays are read when asked for.

    Args:
        paths: Shard files. A name that two shards hold is an error.

    Raises:
        UserError: A shard can't be read, or a name occurs twice.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.headers = {path: header(path) for path in paths}
        self._files = {path: safe_open(path, "np") for path in paths}
        self._where: dict[str, Path] = {}
        for path, file in self._files.items():
            for name in file.keys():  # noqa: SIM118 (safe_open is no mapping)
                if name in self._where:
                    raise UserError(f"{path}: holds {name!r}, which {self._where[name]} holds too")
                self._where[name] = path

    def __getitem__(self, name: str) -> NDArray[Any]:
        return np.asarray(self._files[self._where[name]].get_tensor(name))

    def rows(self, name: str, start: int, stop: int) -> NDArray[Any]:
        """Rows `start:stop` of one array, without reading the others."""
        return np.asarray(self._files[self._where[name]].get_slice(name)[start:stop])

    def path_of(self, name: str) -> Path:
        """The shard that holds an array."""
        return self._where[name]

    def shape_of(self, name: str) -> list[int]:
        """Shape of one array, without reading it."""
        return list(self._files[self._where[name]].get_slice(name).get_shape())

    def __iter__(self) -> Iterator[str]:
        return iter(self._where)

    def __len__(self) -> int:
        return len(self._where)
