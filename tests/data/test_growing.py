"""A shard in the making: the same file whether or not the process died in between, and nothing stale in it."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from csvr.data import growing, shards
from csvr.data.growing import GrowingShard
from csvr.errors import UserError

RNG = np.random.default_rng(0)
VIDEOS: dict[str, dict[str, np.ndarray[Any, Any]]] = {
    f"v{k}": {
        f"v{k}": RNG.integers(0, 256, (k + 1, 3, 5), dtype=np.uint8),
        f"v{k}/index": np.arange(k, dtype=np.int32),
        f"v{k}/time": RNG.random(3),
    }
    for k in range(4)
}


@pytest.fixture(autouse=True)
def every_video(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growing, "FLUSH_SECONDS", -1.0)


def made(path: Path) -> Path:
    with GrowingShard(path, "a") as shard:
        for name, arrays in VIDEOS.items():
            shard.add(name, arrays, len(name))
        assert shard.finish({"run_id": "1"}) == path.stat().st_size
    assert os.listdir(path.parent) == [path.name]
    return path


def test_it_has_the_bytes_that_safetensors_writes(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    shards.write(tmp_path / "b/whole", {k: v for arrays in VIDEOS.values() for k, v in arrays.items()}, {"run_id": "1"})
    assert made(tmp_path / "a/0.safetensors").read_bytes() == (tmp_path / "b/whole").read_bytes()


@pytest.mark.parametrize("torn", [0, 3, -7])
def test_what_a_killed_process_did_is_taken_over(tmp_path: Path, torn: int) -> None:
    """`torn` bytes too many, or too few, in the file of the arrays; and half a line in the journal."""
    path = tmp_path / "x/0.safetensors"
    with pytest.raises(ZeroDivisionError), GrowingShard(path, "a") as shard:
        for name in ("v0", "v1"):
            shard.add(name, VIDEOS[name], len(name))
        raise ZeroDivisionError
    part = path.with_name(f"{path.name}.part")
    os.truncate(part, part.stat().st_size + torn)
    with path.with_name(f"{path.name}.journal").open("a") as file:
        file.write('["v2", {"v2": ["U8", [3')
    with GrowingShard(path, "a") as shard:
        assert list(shard.notes) == (["v0", "v1"] if torn >= 0 else ["v0"])
        for name in VIDEOS:
            if name not in shard.notes:
                shard.add(name, VIDEOS[name], len(name))
        shard.finish({"run_id": "1"})
    assert path.read_bytes() == made(tmp_path / "y/0.safetensors").read_bytes()


def test_a_damaged_journal_counts_up_to_the_damage(tmp_path: Path) -> None:
    """Whatever bit of it is another one: what is behind is done again."""
    whole = made(tmp_path / "y/0.safetensors").read_bytes()
    path = tmp_path / "x/0.safetensors"
    size = None
    for place in range(0, 10_000, 7):
        with GrowingShard(path, "a") as shard:
            for name in ("v0", "v1", "v2"):
                shard.add(name, VIDEOS[name], len(name))
        journal = path.with_name(f"{path.name}.journal")
        data = bytearray(journal.read_bytes())
        size = len(data)
        if place >= size:
            break
        data[place] ^= 2
        journal.write_bytes(data)
        with GrowingShard(path, "a") as shard:
            assert list(shard.notes) == [f"v{k}" for k in range(len(shard.notes))] and len(shard.notes) < 3
            for name in VIDEOS:
                if name not in shard.notes:
                    shard.add(name, VIDEOS[name], len(name))
            shard.finish({"run_id": "1"})
        assert path.read_bytes() == whole
        path.unlink()
    assert size is not None and place >= size


def test_what_was_damaged_in_between_is_not_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "0.safetensors"
    with GrowingShard(path, "a") as shard:
        shard.add("v1", VIDEOS["v1"])
    part = path.with_name(f"{path.name}.part")
    data = bytearray(part.read_bytes())
    data[7] ^= 1
    part.write_bytes(data)
    with GrowingShard(path, "a") as shard, pytest.raises(UserError, match=f"{part}: 'v1' is damaged .* delete it"):
        shard.finish({})
    assert not path.exists()
    part.unlink()
    assert made(path).exists()


def test_what_was_begun_otherwise_is_thrown_away(tmp_path: Path) -> None:
    path = tmp_path / "0.safetensors"
    with GrowingShard(path, {"short_side": 64}) as shard:
        shard.add("v0", VIDEOS["v0"])
    with GrowingShard(path, {"short_side": 32}) as shard:
        assert not shard.notes
        shard.add("v1", VIDEOS["v1"])
        shard.finish({})
    assert set(shards.Shards([path])) == set(VIDEOS["v1"])


def test_two_processes_do_not_write_one_shard(tmp_path: Path) -> None:
    path = tmp_path / "0.safetensors"
    again = GrowingShard(path, "a")
    with GrowingShard(path, "a"), pytest.raises(UserError, match="being made by another process"):
        again.__enter__()


def test_a_full_disk_loses_the_last_video_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "0.safetensors"

    class Full:
        def __init__(self, file: Any) -> None:
            self._file = file

        def __getattr__(self, name: str) -> Any:
            return getattr(self._file, name)

        def write(self, data: bytes) -> int:
            self._file.write(bytes(data)[:2])
            raise OSError(28, os.strerror(28))

    with pytest.raises(OSError, match="No space left"), GrowingShard(path, "a") as shard:
        shard.add("v0", VIDEOS["v0"])
        shard._data = Full(shard._data)
        shard.add("v1", VIDEOS["v1"])
    with GrowingShard(path, "a") as shard:
        assert list(shard.notes) == ["v0"]
        for name in ("v1", "v2", "v3"):
            shard.add(name, VIDEOS[name])
        shard.finish({"run_id": "1"})
    assert path.read_bytes() == made(tmp_path / "y/0.safetensors").read_bytes()
    assert json.dumps(shards.header(path)) == '{"run_id": "1"}'
