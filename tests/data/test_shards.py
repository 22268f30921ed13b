"""Shards: round trip, headers, partial reads, and what is said of damaged files."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from csvr.data import shards
from csvr.errors import UserError


def test_round_trip_over_several_files(tmp_path: Path) -> None:
    arrays = {f"v{k}": np.arange(12 * (k + 1), dtype=np.uint8).reshape(-1, 3, 4) for k in range(3)}
    shards.write(tmp_path / "a", {"v0": arrays["v0"]}, {"run_id": "1"})
    shards.write(tmp_path / "b", {"v1": arrays["v1"], "v2": arrays["v2"]}, {"run_id": "2"})
    store = shards.Shards([tmp_path / "a", tmp_path / "b"])
    assert set(store) == set(arrays) and len(store) == 3
    for name, array in arrays.items():
        np.testing.assert_array_equal(store[name], array)
    np.testing.assert_array_equal(store.rows("v2", 1, 3), arrays["v2"][1:3])
    assert store.shape_of("v2") == [3, 3, 4]
    assert [h["run_id"] for h in store.headers.values()] == ["1", "2"]


@pytest.mark.parametrize("kind", ["u1", "<i4", "<i8", "<f2", "<f4", "<f8"])
def test_rows_are_those_of_the_array_and_are_not_copied(tmp_path: Path, kind: str) -> None:
    """Beside safetensors' own reading, for types whose arrays begin anywhere in the file."""
    arrays = {f"v{k}": np.random.default_rng(k).integers(0, 99, (5 + k, 3, k + 1)).astype(kind) for k in range(3)}
    shards.write(tmp_path / "a", arrays | {"odd": np.zeros(3, np.uint8)}, {})
    store = shards.Shards([tmp_path / "a"])
    for name, array in arrays.items():
        for start, stop, step in ((0, len(array), 1), (1, 4, 2), (0, 99, 3), (2, 2, 1), (4, 1, 1)):
            found = store.rows(name, start, stop, step)
            np.testing.assert_array_equal(found, store[name][start:stop:step])
            assert found.dtype == array.dtype and found.shape == array[start:stop:step].shape
        assert np.shares_memory(store.rows(name, 0, 3), store.rows(name, 2, 5))
        assert not np.shares_memory(store[name], store.rows(name, 0, 3))


def test_a_shard_that_is_replaced_while_it_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that is read is of the new file; of two different ones the arrays would lie elsewhere."""
    shards.write(tmp_path / "a", {"v": np.zeros((4, 2))}, {"run_id": "old, and its header is longer"})
    opened = shards.safe_open

    def replaced(path: Path, framework: str) -> Any:
        monkeypatch.setattr(shards, "safe_open", opened)
        shards.write(tmp_path / "a", {"v": np.ones((4, 2))}, {"run_id": "new"})
        return opened(path, framework)

    monkeypatch.setattr(shards, "safe_open", replaced)
    store = shards.Shards([tmp_path / "a"])
    assert store.rows("v", 0, 4).tolist() == store["v"].tolist() == [[1, 1]] * 4
    assert store.headers[tmp_path / "a"] == {"run_id": "new"}


def test_damaged_missing_and_doubled_files_are_named(tmp_path: Path) -> None:
    shards.write(tmp_path / "a", {"v": np.zeros(3)}, {})
    shards.write(tmp_path / "b", {"v": np.zeros(3)}, {})
    with pytest.raises(UserError, match="holds 'v'"):
        shards.Shards([tmp_path / "a", tmp_path / "b"])
    (tmp_path / "a").write_bytes((tmp_path / "a").read_bytes()[:20])
    for name in ("a", "absent"):
        with pytest.raises(UserError, match=str(tmp_path / name)):
            shards.header(tmp_path / name)


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        shards.write(tmp_path / "a", {"v": np.zeros(3)}, {"bad": object()})
    assert not list(tmp_path.iterdir())


@pytest.fixture
def flipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Path]:
    """A shard of `v` (100 rows in 10 blocks) and `w`, in which one bit of the byte at this place is the other one."""
    monkeypatch.setattr(shards, "BLOCK", 40)
    path = tmp_path / "it's 0.safetensors"

    def make(place: int) -> Path:
        shards.write(path, {"v": np.arange(400, dtype=np.uint8).reshape(100, 2, 2), "w": np.ones(3)}, {"run_id": "1"})
        data = bytearray(path.read_bytes())
        data[place] ^= 4
        path.write_bytes(data)
        return path

    return make


def test_a_flipped_bit_is_noticed_where_it_is_read(flipped: Callable[[int], Path]) -> None:
    path = flipped(-4 * 35)  # row 65, of the block of rows 60 to 70
    store = shards.Shards([path])
    assert store["w"].tolist() == [1, 1, 1]
    assert store.rows("v", 0, 60).shape == (60, 2, 2) and store.rows("v", 73, 100)[0, 0, 0] == 73 * 4 % 256
    for read in (lambda: store.rows("v", 61, 62), lambda: store.rows("v", 55, 75), lambda: store["v"]):
        with pytest.raises(UserError) as error:
            read()
        assert str(error.value).startswith(f"{path}: 'v' is damaged")
        quoted = f"'{path.parent}/it'\"'\"'s 0.safetensors'"
        assert str(error.value).endswith(f"rm -f {quoted} && snakemake --cores 8 {quoted}")


def test_a_flipped_bit_anywhere_in_the_file_is_noticed(flipped: Callable[[int], Path]) -> None:
    """In an array, in its name or shape, in what is said of it, or in the format's own numbers."""
    for place in range(flipped(0).stat().st_size):
        path = flipped(place)
        with pytest.raises(UserError, match=re.escape(str(path))):
            dict(shards.Shards([path]))
        with pytest.raises(UserError, match=re.escape(str(path))):
            store = shards.Shards([path])
            [store.rows(name, 0, store.shape_of(name)[0]) for name in store]


def test_what_was_compared_is_read_as_it_is(flipped: Callable[[int], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    path = flipped(0)
    flipped_back = bytearray(path.read_bytes())
    flipped_back[0] ^= 4
    path.write_bytes(flipped_back)
    store, compared = shards.Shards([path]), []
    checksum = shards.checksum
    monkeypatch.setattr(shards, "checksum", lambda *about: compared.append(len(about[0])) or checksum(*about))
    whole = np.arange(400, dtype=np.uint8).reshape(100, 2, 2)
    for start, stop in ((0, 0), (0, 1), (3, 9), (5, 35), (31, 100), (0, 100)):
        np.testing.assert_array_equal(store.rows("v", start, stop), whole[start:stop])
    assert compared == [10] * 10


@pytest.mark.parametrize("array", [np.zeros((0, 3), np.float32), np.zeros((3, 0)), np.float32(2), np.zeros((2, 3, 50))])
def test_arrays_of_odd_shapes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, array: np.ndarray[Any, Any]) -> None:
    """None or one item, and rows larger than a block."""
    monkeypatch.setattr(shards, "BLOCK", 40)
    shards.write(tmp_path / "a", {"v": array}, {})
    np.testing.assert_array_equal(shards.Shards([tmp_path / "a"])["v"], np.atleast_1d(array))
