"""Frozen features: read as they were written, by name and video."""

from pathlib import Path

import numpy as np
import pytest

from csvr.errors import UserError
from csvr.evaluation.frozen import Frozen


def test_written_features_are_read_by_name_and_video(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    values = {"f_s": rng.random((3, 2), np.float32), "f_d": rng.random((3, 4), np.float32)}
    Frozen(["b", "a", "c"], values).write(tmp_path / "f.safetensors", {"run_id": "7"})
    found, header = Frozen.read(tmp_path / "f.safetensors", ["f_d", "f_s"])
    assert header["run_id"] == "7"
    expected = np.concatenate([values["f_d"][[1, 0]], values["f_s"][[1, 0]]], 1)
    assert np.array_equal(found.of(["f_d", "f_s"], ["a", "b"]), expected)


def test_features_that_were_not_computed_are_named(tmp_path: Path) -> None:
    Frozen([], {}).write(tmp_path / "f.safetensors", {})
    with pytest.raises(UserError, match="f.safetensors: no features f_s, f_i; they are computed for evaluate.probe"):
        Frozen.read(tmp_path / "f.safetensors", ["f_s", "f_i"])
