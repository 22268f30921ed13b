"""The training: resumable, seeded, and its checkpoint is one that OpenPifPaf itself takes."""

import json
import pickletools
import sys
import zipfile
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from csvr import pose_estimator
from csvr.errors import UserError
from csvr.files import sha256
from csvr.pose import estimator
from csvr.pose.estimator_data import render

pytest.importorskip("openpifpaf")

PARAMS = {
    "seed": 3, "steps": 4, "batch": 2, "fresh": 1, "pool": 4, "empty": 0.0, "lr": 1e-3, "warm_up": 2, "flat": 0.5,
    "weight_decay": 1e-3, "ema": 0.9, "stem": 4, "widths": [4, 8, 8, 8], "blocks": [1, 1, 1, 1],
    "keypoint_weights": {"left_wrist": 3.0}, "thresholds": {"keypoint": 0.05}, "save_every": 2, "held_out": 4,
}  # fmt: skip


class Run(SimpleNamespace):
    """Stands in for a Sacred run: an id and the scalars logged; stops the training after a step, if told to."""

    def __init__(self, number: str, stop: int | None = None) -> None:
        super().__init__(_id=number, scalars={}, stop=stop)

    def log_scalar(self, name: str, value: float, step: int) -> None:
        self.scalars[name, step] = value
        if step == self.stop:
            raise KeyboardInterrupt


def weights(path: Path) -> dict[str, torch.Tensor]:
    """The state of a checkpoint that this test wrote."""
    state: dict[str, torch.Tensor] = torch.load(path, weights_only=False)["model"].state_dict()
    return state


def test_a_killed_training_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    result = estimator.train(PARAMS, tmp_path / "whole.pt", Run("7"))
    with pytest.raises(KeyboardInterrupt):  # while it reports on step 2, of which the state is already saved
        estimator.train(PARAMS, tmp_path / "killed.pt", Run("7", stop=2))
    assert not (tmp_path / "killed.pt").exists() and list((tmp_path / "killed.pt.checkpoints").glob("*/step000002"))
    estimator.train(PARAMS, tmp_path / "killed.pt", Run("8"))
    whole, resumed = weights(tmp_path / "whole.pt"), weights(tmp_path / "killed.pt")
    assert whole.keys() == resumed.keys()
    for name, value in whole.items():
        torch.testing.assert_close(value, resumed[name], rtol=1e-5, atol=1e-6)
    killed_runs = torch.load(tmp_path / "killed.pt", weights_only=False)["meta"]["runs"]
    assert killed_runs == ["7", "8"] and result["runs"] == ["7"]
    assert result["steps"] == 4 and result["held_out"]["frames"] > 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["killed.pt", "whole.pt"]


def test_a_damaged_checkpoint_costs_the_steps_since_the_one_before(tmp_path: Path) -> None:
    def stopped(name: str) -> Path:
        with pytest.raises(ZeroDivisionError):
            estimator.train(PARAMS | {"save_every": 1, "steps": 60}, tmp_path / name, Quits("7"))
        return tmp_path / f"{name}.checkpoints"

    class Quits(Run):
        def log_scalar(self, name: str, value: float, step: int) -> None:
            if step == 3:
                raise ZeroDivisionError

    folder = stopped("x.pt")
    newest = next(folder.glob("*/step000003/networks.safetensors"))
    data = bytearray(newest.read_bytes())
    data[-9] ^= 1
    newest.write_bytes(data)
    recipe = estimator.Recipe.of(PARAMS | {"save_every": 1, "steps": 60})
    assert estimator.Trainer(recipe, folder).step == 2
    # Those of other parameters are not gone on from.
    assert estimator.Trainer(estimator.Recipe.of(PARAMS), folder).step == 0


def test_predictor_takes_the_checkpoint_without_csvr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import openpifpaf

    recipe = estimator.Recipe.of(PARAMS)
    trainer = estimator.Trainer(recipe, tmp_path / "state")
    trainer.export(tmp_path / "net.pt", {})
    with zipfile.ZipFile(tmp_path / "net.pt") as file:
        pickle = next(name for name in file.namelist() if name.endswith("data.pkl"))
        texts = [arg for _, arg, _ in pickletools.genops(file.read(pickle)) if isinstance(arg, str)]
    assert any("openpifpaf" in text for text in texts)
    assert not [text for text in texts if text.split(".")[0].split(" ")[0] == "csvr"]
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    monkeypatch.setattr(openpifpaf.network.Factory, "checkpoint", None)
    predictor = openpifpaf.Predictor(checkpoint=str(tmp_path / "net.pt"))
    assert [meta.stride for meta in predictor.model_cpu.head_metas] == [8, 8]
    predictions, _, _ = predictor.numpy_image(render(0, 0).image)
    assert isinstance(predictions, list)


def test_fields_have_the_stride_that_the_targets_have() -> None:
    recipe = estimator.Recipe.of(PARAMS)
    net = estimator.network(recipe.stem, recipe.widths, recipe.blocks, recipe.keypoint_weights)
    images, targets = next(estimator.batches(recipe, estimator.head_constants(net), 0))
    net.train()
    cif, caf = net(images, head_mask=[True, True])
    assert images.shape == (2, 3, 129, 129)
    assert cif.shape == (2, 17, 5, 17, 17) and targets[0].shape == cif.shape
    assert caf.shape == (2, 19, 8, 17, 17) and targets[1].shape[3:] == caf.shape[3:]


def test_batches_depend_on_the_step_alone() -> None:
    recipe = estimator.Recipe.of(PARAMS)
    net = estimator.network(recipe.stem, recipe.widths, recipe.blocks, {})
    heads = estimator.head_constants(net)
    third = list(islice(estimator.batches(recipe, heads, 0), 3))[2]
    again = next(estimator.batches(recipe, heads, 2))
    other = next(estimator.batches(recipe, heads, 3))
    torch.testing.assert_close(third[0], again[0])
    torch.testing.assert_close(third[1][0], again[1][0], equal_nan=True)
    assert not torch.equal(third[0], other[0])


def test_keypoint_weights_reach_the_losses() -> None:
    net = estimator.network(4, (4, 8, 8, 8), (1, 1, 1, 1), {"left_wrist": 3.0, "left_elbow": 2.0})
    cif, caf = net.head_metas
    assert dict(zip(cif.keypoints, cif.training_weights, strict=True))["left_wrist"] == 3.0
    limbs = {
        (cif.keypoints[a - 1], cif.keypoints[b - 1]): w
        for (a, b), w in zip(caf.skeleton, caf.training_weights, strict=True)
    }
    assert limbs["left_elbow", "left_wrist"] == 3.0 and limbs["left_shoulder", "left_elbow"] == 2.0
    assert limbs["left_hip", "right_hip"] == 1.0


def test_learning_rate_warms_up_stays_and_falls() -> None:
    recipe = estimator.Recipe.of(PARAMS | {"steps": 100, "warm_up": 10, "lr": 1.0, "flat": 0.3})
    rates = np.array([estimator.rate(step, recipe) for step in range(101)])
    np.testing.assert_allclose(rates[:10], np.arange(1, 11) / 10)
    np.testing.assert_allclose(rates[10:31], 1.0)
    assert (np.diff(rates[30:]) < 0).all() and rates[100] == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"spets": 1}, "spets"), ({"widths": [1, 2]}, "four"), ({"fresh": 5}, "fresh"),
        ({"keypoint_weights": {"tail": 1}}, "tail"),
    ],
)  # fmt: skip
def test_wrong_parameters_are_named(change: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        estimator.Recipe.of(PARAMS | change)


def test_command_writes_checkpoint_and_its_description(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output, runs = tmp_path / "net.pt", tmp_path / "runs"
    flags = ["--params", json.dumps(PARAMS | {"steps": 1}), "--output", str(output), "--runs", str(runs)]
    monkeypatch.setattr(sys, "argv", ["pose_estimator", *flags])
    pose_estimator.main()
    about = json.loads(output.with_suffix(".json").read_text())
    assert about["sha256"] == sha256(output)
    assert about["params"] == PARAMS | {"steps": 1} and about["runs"] == ["1"] and about["steps"] == 1
    assert "--output" in about["command"] and about["start"] < about["stop"]
    assert set(about["losses"]) == {"total", "cif.c", "cif.vec", "cif.scales", "caf.c", "caf.vec", "caf.scales"}
    logged = json.loads((runs / "1" / "metrics.json").read_text())
    assert logged["held_out.pck@0.1"]["steps"] == [1]
