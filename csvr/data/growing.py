"""A shard that grows video by video, so that memory is that of one video and a job that died goes on where it was.

Beside the shard lie, until it is whole, `<shard>.part` with the arrays one after the other, and `<shard>.journal` with
a line of JSON for each video that is safe in it. Both are for the next process that makes the same shard in the same
way; what was begun otherwise (other parameters, code or videos) is thrown away.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from csvr.data import shards
from csvr.data.journal import Journal
from csvr.errors import UserError
from csvr.files import params_sha256, part_of, writing

DTYPES: Final = {"|u1": "U8", "<i4": "I32", "<i8": "I64", "<f4": "F32", "<f8": "F64"}
"""NumPy's names of the types that shards hold, and those of safetensors."""
Stored = tuple[str, list[int], int, shards.Sums]
"""Of an array: type, shape, where it begins in the file, checksums of what was written."""
FLUSH_SECONDS: Final = 5.0
"""What a power cut or a kill costs at most."""


class GrowingShard:
    """One shard in the making; a context manager that locks it.

    Args:
        path: The shard.
        identity: What makes it this shard: parameters, hashes of code and videos; JSON-able.

    Raises:
        UserError: Another process is making it.
    """

    def __init__(self, path: Path, identity: Any) -> None:
        self.path, self._identity = path, params_sha256(identity)
        self._part = path.with_name(f"{path.name}.part")
        self.notes: dict[str, Any] = {}
        """By video what `add` was told of it, in order; those of an earlier process too."""
        self._arrays: dict[str, Stored] = {}
        self._end = 0
        self._waiting: list[Any] = []
        self._flushed = time.monotonic()

    def __enter__(self) -> GrowingShard:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._data = os.fdopen(os.open(self._part, os.O_RDWR | os.O_CREAT, 0o666), "r+b")
        try:
            fcntl.flock(self._data, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._data.close()
            raise UserError(f"{self.path}: is being made by another process; wait for it, or end it") from error
        self._take_over()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if not self._data.closed and not isinstance(error, OSError):
                self._flush()
        finally:
            self._data.close()

    def add(self, video: str, arrays: Mapping[str, NDArray[Any]], note: Any = None) -> None:
        """Append the arrays of one video, and a JSON-able note on it.

        Raises:
            TypeError: An array's type is none of `DTYPES`.
        """
        entries: dict[str, Stored] = {}
        for name, array in arrays.items():
            whole = np.ascontiguousarray(array)
            if whole.dtype.str not in DTYPES:
                raise TypeError(f"{name}: shards hold no {whole.dtype}")
            entries[name] = (whole.dtype.str, list(whole.shape), self._end, shards.checksums(whole))
            with writing(self._part):
                self._end += self._data.write(whole.tobytes() if whole.ndim == 0 else whole.data)
        self._remember(video, entries, note)
        self._waiting.append([video, entries, note])
        if time.monotonic() - self._flushed > FLUSH_SECONDS:
            self._flush()

    def finish(self, header: Mapping[str, Any]) -> int:
        """Write the shard, atomically, with this JSON-able header, and remove what was beside it.

        Returns:
            Its bytes.
        """
        # Large types first, as safetensors does, so that each array lies at a multiple of its items' size.
        order = sorted(self._arrays, key=lambda name: (-np.dtype(self._arrays[name][0]).itemsize, name))
        sums = {name: self._arrays[name][3] for name in order}
        table: dict[str, Any] = {"__metadata__": shards.metadata(header, sums)}
        end = 0
        for name in order:
            dtype, shape, *_ = self._arrays[name]
            begin, end = end, end + _bytes(dtype, shape)
            table[name] = {"dtype": DTYPES[dtype], "shape": shape, "data_offsets": [begin, end]}
        text = json.dumps(table, separators=(",", ":"), ensure_ascii=False).encode()
        text += b" " * (-len(text) % 8)
        with writing(self._part):
            self._data.flush()
        part = part_of(self.path)
        try:
            with writing(self.path), part.open("wb") as file:
                file.write(len(text).to_bytes(8, "little") + text)
                for name in order:
                    self._copy(name, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, self.path)
        finally:
            part.unlink(missing_ok=True)
        self._data.close()
        for left in (self._part, self._journal.path):
            left.unlink(missing_ok=True)
        return self.path.stat().st_size

    def _remember(self, video: str, entries: Mapping[str, Any], note: Any) -> None:
        for name, (dtype, shape, start, (each, sums)) in entries.items():
            self._arrays[name] = (dtype, list(shape), start, (each, sums))
        self.notes[video] = note

    def _take_over(self) -> None:
        """What an earlier process finished; nothing if it made another shard."""
        self._journal = Journal(self.path.with_name(f"{self.path.name}.journal"), self._identity)
        size, end, kept = self._data.seek(0, os.SEEK_END), 0, 0
        for video, entries, note in self._journal.entries:
            ends = [start + _bytes(dtype, shape) for dtype, shape, start, _ in entries.values()]
            if max(ends, default=end) > size:
                break
            self._remember(video, entries, note)
            end, kept = max([end, *ends]), kept + 1
        self._end = end
        self._data.truncate(end)
        self._data.seek(end)
        self._journal.begin(self._journal.entries[:kept])

    def _copy(self, name: str, target: BinaryIO) -> None:
        """Copy the bytes of an array, block by block, if they are still those that were written."""
        dtype, shape, start, (each, sums) = self._arrays[name]
        left, block = _bytes(dtype, shape), each * _bytes(dtype, shape[1:])
        for k in range(0, len(sums), 8):
            piece = os.pread(self._data.fileno(), min(left, block), start)
            if shards.checksum(piece) != sums[k : k + 8]:
                raise UserError(
                    f"{self._part}: {name!r} is damaged (its checksum is another); delete it and run the same again"
                )
            target.write(piece)
            start, left = start + len(piece), left - len(piece)

    def _flush(self) -> None:
        """Make what was added safe: first the arrays, then the lines that say so."""
        if self._waiting:
            with writing(self._part):
                self._data.flush()
                os.fsync(self._data.fileno())
            self._journal.append(*self._waiting)
            self._waiting = []
        self._flushed = time.monotonic()


def _bytes(dtype: str, shape: list[int]) -> int:
    return int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
