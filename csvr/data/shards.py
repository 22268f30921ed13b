"""Shards: one safetensors file holds the arrays of many videos and says which, and how they were made.

The format is memory-mappable, carries no code (unlike pickle) and keeps a JSON header that readers get
without touching the arrays. Beside the header lie checksums of blocks of rows, which are compared when a block is first
read: a disk that returns other bytes than were written is noticed, and little more is read than is asked for.
"""

from __future__ import annotations

import json
import math
import os
import shlex
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from csvr.errors import UserError
from csvr.files import part_of, writing

BLOCK: Final = 1 << 20
"""Bytes that share a checksum: as many rows as fit, at least one."""
KEPT: Final = 1 << 14
"""Small arrays that are kept, of each kind: some 20 MB."""
Sums = tuple[int, str]
"""Rows a block (the last may have fewer), and CRC-32 of each block, 8 hexadecimal digits each."""


def write(path: Path, arrays: Mapping[str, NDArray[Any]], header: Mapping[str, Any]) -> None:
    """Write `arrays` and a JSON-able `header` to `path`, atomically: `path` is either whole or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = part_of(path)
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    try:
        sums = {name: checksums(array) for name, array in contiguous.items()}
        with writing(path):
            save_file(contiguous, part, metadata=metadata(header, sums))
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def metadata(header: Mapping[str, Any], sums: Mapping[str, Sums]) -> dict[str, str]:
    """What safetensors keeps beside the arrays: one entry, since it would write several in any order.

    Args:
        header: JSON-able.
        sums: `checksums` of each array.
    """
    text = json.dumps({"header": header, "sums": sums}, sort_keys=True)
    return {"shard": checksum(text.encode()) + text}


def checksums(array: NDArray[Any]) -> Sums:
    """Those of a contiguous array."""
    rows = np.atleast_1d(array)
    each = max(1, BLOCK // max(1, math.prod(rows.shape[1:]) * rows.itemsize))
    return each, "".join(checksum(rows[k : k + each].data) for k in range(0, len(rows), each))


def checksum(block: bytes | memoryview) -> str:
    """CRC-32 of contiguous bytes, 8 hexadecimal digits."""
    return f"{zlib.crc32(block):08x}"


def header(path: Path) -> dict[str, Any]:
    """The header of one shard.

    Raises:
        UserError: `path` is missing or no shard of ours.
    """
    file, about, _ = _opened(path)
    with file:
        return dict(about["header"])


def _opened(path: Path) -> tuple[Any, dict[str, Any], NDArray[np.uint8]]:
    """A shard, its header and checksums as `metadata` takes them, and all of its bytes, mapped.

    All of one opened file: another process may put a new one in its place.
    """
    try:
        while True:
            with path.open("rb") as stream:
                file = safe_open(path, "np")
                # Copied once it is written to, which nobody does: torch warns of what can't be.
                mapped = np.memmap(stream, np.uint8, "c").view(np.ndarray)
                if os.path.samestat(os.fstat(stream.fileno()), path.stat()):
                    break
        text = (file.metadata() or {})["shard"]
    except (OSError, SafetensorError, KeyError) as error:
        raise UserError(f"{path}: not a readable csvr shard ({error}); {remedy(path)}") from error
    if text[:8] != checksum(text[8:].encode()):
        raise UserError(f"{path}: its header is damaged (its checksum is another); {remedy(path)}")
    return file, dict(json.loads(text[8:])), mapped


def _begins(mapped: NDArray[np.uint8]) -> dict[str, int]:
    """Where each array of a shard begins, in bytes from the start of the file (safetensors' format: the length of a
    JSON header, the header, and the arrays, whose places in what follows it says)."""
    first = 8 + int(mapped[:8].view("<u8")[0])
    arrays = json.loads(mapped[8:first].tobytes())
    return {name: first + about["data_offsets"][0] for name, about in arrays.items() if "data_offsets" in about}


def remedy(path: Path) -> str:
    """How a shard is made again."""
    # By its name: what was made of it is there, and Snakemake would not miss it.
    name = shlex.quote(str(path))
    return f"make it again, then run the same again: rm -f {name} && snakemake --cores 8 {name}"


class Shards(Mapping[str, NDArray[Any]]):
    """Read-only mapping from array name to array over several shards; arrays are read when asked for.

    Args:
        paths: Shard files. A name that two shards hold is an error.

    Raises:
        UserError: A shard can't be read, or a name occurs twice; from any method that reads: bytes are not what they
            were when they were written.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        opened = {path: _opened(path) for path in paths}
        self.headers: dict[Path, dict[str, Any]] = {path: about["header"] for path, (_, about, _) in opened.items()}
        self._sums: dict[str, Sums] = {}
        self._right: defaultdict[str, set[int]] = defaultdict(set)  # blocks that were compared
        self._files = {path: file for path, (file, _, _) in opened.items()}
        self._mapped = {path: mapped for path, (_, _, mapped) in opened.items()}
        self._where: dict[str, Path] = {}
        self._begins: dict[str, int] = {}
        for path, file in self._files.items():
            names, sums, begins = file.keys(), opened[path][1]["sums"], _begins(self._mapped[path])
            if sums.keys() != set(names):
                raise UserError(f"{path}: its header is damaged (its arrays have other names); {remedy(path)}")
            for name in names:
                if name in self._where:
                    raise UserError(f"{path}: holds {name!r}, which {self._where[name]} holds too")
                self._where[name], self._begins[name] = path, begins[name]
            self._sums |= sums
        self.small = lru_cache(KEPT)(self.__getitem__)
        """As `[name]`, for arrays that are small and asked for again and again: the last ones are kept. Not to be
        written to."""
        self._view = lru_cache(KEPT)(self._viewed)

    def __getitem__(self, name: str) -> NDArray[Any]:
        array = np.asarray(self._files[self._where[name]].get_tensor(name))
        self._compare(name, array, 0)
        return array

    def rows(self, name: str, start: int, stop: int, step: int = 1) -> NDArray[Any]:
        """Rows `start:stop:step` of one array as they lie in the file: nothing is copied, so not to be written to."""
        array, (each, _) = self._view(name), self._sums[name]
        blocks = range(start // each, -(-stop // each)) if start < stop else range(0)
        if not self._right[name].issuperset(blocks):
            self._compare(name, array[blocks.start * each : blocks.stop * each], blocks.start)
        return array[start:stop:step]

    def _viewed(self, name: str) -> NDArray[Any]:
        """One array in the mapped file. safetensors would copy it, and keep other threads waiting for that."""
        path = self._where[name]
        about, begin = self._files[path].get_slice(name), self._begins[name]
        letter, bits = about.get_dtype()[0].lower(), int(about.get_dtype()[1:])
        kind, shape = np.dtype(f"<{letter}{bits // 8}"), about.get_shape()
        found: NDArray[Any] = self._mapped[path][begin : begin + math.prod(shape) * kind.itemsize].view(kind)
        return found.reshape(shape)

    def _compare(self, name: str, array: NDArray[Any], first: int) -> None:
        """Compare checksums of an array, of which `array` holds the blocks from `first` on; of each block once."""
        each, sums = self._sums[name]
        rows, right = np.atleast_1d(array), self._right[name]
        for k in range(0, len(rows), each):
            block = first + k // each
            if block not in right:
                if checksum(rows[k : k + each].data) != sums[8 * block : 8 * block + 8]:
                    path = self._where[name]
                    raise UserError(f"{path}: {name!r} is damaged (its checksum is another); {remedy(path)}")
                right.add(block)

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
