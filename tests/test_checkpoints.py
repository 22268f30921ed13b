"""Checkpoints: a damaged file is noticed, whichever it is and wherever, and the checkpoint before is what counts."""

import logging
from pathlib import Path

import pytest
import torch

from csvr.checkpoints import AVERAGE, NETWORKS, STATE, SUMS, Checkpoints

FILES = (f"{NETWORKS}.safetensors", f"{AVERAGE}.safetensors", STATE, SUMS)


def saved(folder: Path) -> Checkpoints:
    checkpoints = Checkpoints(folder, "made", last=2)
    for step in (10, 20):
        tensors = {name: {"w": torch.full((30,), float(step))} for name in (NETWORKS, AVERAGE)}
        checkpoints.save(step, 1.0, tensors, {"rng": torch.arange(100), "step": step})
    return checkpoints


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 4
    path.write_bytes(data)


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_anywhere_goes_back_to_the_one_before(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    size = len(next((saved(tmp_path / "size").folder).glob(f"*/step000020/{name}")).read_bytes())
    for place in range(0, size, max(1, size // 40)):
        checkpoints = saved(tmp_path / str(place))
        (damaged,) = checkpoints.folder.glob(f"*/step000020/{name}")
        flip(damaged, place)
        assert checkpoints.newest() == 10, place
        tensors, state = checkpoints.read(10)
        assert state["step"] == 10 and tensors[NETWORKS]["w"].tolist() == [10.0] * 30
        assert not damaged.parent.exists()
        assert f"{damaged.parent} can't be read" in caplog.text and "going back to that of step 10" in caplog.text
        caplog.clear()


@pytest.mark.parametrize("name", FILES)
def test_a_lost_file_counts_as_damage(name: str, tmp_path: Path) -> None:
    checkpoints = saved(tmp_path)
    next(tmp_path.glob(f"*/step000020/{name}")).unlink()
    assert checkpoints.newest() == 10


def test_without_another_one_training_begins_anew_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    checkpoints = saved(tmp_path)
    for path in tmp_path.glob(f"*/*/{STATE}"):
        flip(path, 200)
    assert checkpoints.newest() is None
    assert [record.getMessage().rpartition(": ")[2] for record in caplog.records] == [
        "going back to that of step 10", "there is no other, beginning anew",
    ]  # fmt: skip
