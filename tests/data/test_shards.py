"""Shards: round trip, headers, partial reads, and what is said of damaged files."""

from pathlib import Path

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
