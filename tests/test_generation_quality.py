"""The judge and the measurement of generated clips through the command line, on noise."""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from csvr import clip_judge, generation_quality
from csvr.data import shards
from csvr.data.batches import ClipShape, Features
from csvr.data.index import COLUMNS, digest
from csvr.errors import UserError
from csvr.evaluation.pretext import pretext_quality
from csvr.files import sha256
from csvr.pretrain.model import CSVR
from tests.workflow.repository import ROOT

EMBEDDED: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text())
KEYS = ("clip", "augment", "model", "pretrain", "sigma_v", "sigma_p", "sigma_c", "pose_input")
PRETRAINED: dict[str, Any] = {key: EMBEDDED[key] for key in KEYS}
JUDGE: dict[str, Any] = {
    "clip": EMBEDDED["clip"],
    "augment": {"area": EMBEDDED["augment"]["area"]},
    "model": {
        "backbone": EMBEDDED["model"]["backbone"],
        "generation": {"generator": EMBEDDED["model"]["generation"]["generator"]},
    },
    "clip_judge": EMBEDDED["clip_judge"] | {"epochs": 1, "batch": 4, "warmup": 1, "clips": 1},
}
PARAMS = PRETRAINED | {"judge": JUDGE, "generation_quality": {"fvd": EMBEDDED["generation_quality"]["fvd"]}}
TEST = ["v_2", "v_3", "v_6", "v_7"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Eight videos of 36 noisy frames of two classes, half of them for training; and untrained networks."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        [(f"v_{k}", f"v_{k}.avi", "AB"[k // 4], k // 4, "train" if k % 4 < 2 else "test") for k in range(8)],
        columns=COLUMNS[:5],
    ).assign(frames=36, key_frames=3, width=60, height=60, fps=15.0, sha256="0", problem="", run="1")
    table.to_csv(tmp_path / "index.csv", index=False)
    clips = {f"v_{k}": rng.integers(0, 256, (36, 60, 60, 3)).astype(np.uint8) for k in range(8)}
    poses: dict[str, Any] = {f"v_{k}": rng.uniform(1, 50, (36, 17, 3)).astype(np.float32) for k in range(8)}
    poses |= {f"v_{k}/frame": np.arange(36, dtype=np.int32) for k in range(8)}
    made = {"params": {}, "code": "c", "index_sha256": digest(tmp_path / "index.csv")}
    for kind, arrays in (("clips", clips), ("poses", poses)):
        shards.write(tmp_path / f"{kind}.safetensors", arrays, made | {"run_id": kind})
    networks(tmp_path, PRETRAINED)
    return tmp_path


def stored(folder: Path) -> Features:
    shape = ClipShape(**EMBEDDED["clip"])
    return Features([folder / "clips.safetensors"], [folder / "poses.safetensors"], [], shape)


def networks(folder: Path, params: dict[str, Any], **about: Any) -> CSVR:
    """Write networks as pretraining would."""
    torch.manual_seed(0)
    model = CSVR(params, 16)
    header = {
        "run_id": "7", "variant": "full", "seed": 3, "params": params, "code": "p", "seconds": 1.5,
        "data": stored(folder).provenance(folder / "index.csv"),
    }  # fmt: skip
    weights = {name: value.numpy() for name, value in model.state_dict().items()}
    shards.write(folder / "networks.safetensors", weights, header | about)
    return model.eval()


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Callable[..., None]:
    def run(command: ModuleType, params: dict[str, Any], output: str, *flags: object) -> None:
        words = [
            "--index", folder / "index.csv", "--clips", folder / "clips.safetensors", "--poses",
            folder / "poses.safetensors", "--params", json.dumps(params), "--output", folder / output, "--runs",
            folder / "runs", *flags,
        ]  # fmt: skip
        monkeypatch.setattr(sys, "argv", [command.__name__, *map(str, words)])
        command.main()

    return run


@pytest.fixture
def measure(call: Callable[..., None], folder: Path) -> Callable[..., dict[str, Any]]:
    """Train a judge with `judge` and measure with `params`; returns what was written."""

    def run(params: dict[str, Any] = PARAMS, judge: dict[str, Any] = JUDGE) -> dict[str, Any]:
        if judge:
            call(clip_judge, judge, "judge.safetensors")
        flags = "--networks", folder / "networks.safetensors", "--judge", folder / "judge.safetensors"
        call(generation_quality, params, "generation.json", *flags)
        return dict(json.loads((folder / "generation.json").read_text()))

    return run


def test_measurement_says_how_it_was_made(measure: Callable[..., dict[str, Any]], folder: Path) -> None:
    found = measure()
    header = shards.header(folder / "judge.safetensors")
    assert header["params"] == JUDGE and header["classes"] == ["A", "B"] and 0 <= header["accuracy"] <= 1
    assert found["judge"]["sha256"] == sha256(folder / "judge.safetensors")
    assert found["judge"]["run_id"] == header["run_id"] and found["judge"]["accuracy"] == header["accuracy"]
    assert found["code"] | {"generation_quality": ""} == {
        "pretrain": "p", "clip_judge": header["code"], "generation_quality": "",
    }  # fmt: skip
    assert (found["variant"], found["seed"], found["pretrain_run_id"]) == ("full", 3, "7")
    assert found["params"] == PARAMS and found["data"]["index_sha256"] == digest(folder / "index.csv")
    run = json.loads((folder / "runs" / found["run_id"] / "run.json").read_text())
    assert run["experiment"]["name"] == "generation_quality" and run["status"] == "COMPLETED"
    measures = found["measures"]
    assert measures["clips"] == 4 and measures["dimension"] == 64
    # The same clips, and thus the same numbers, as in the metrics of every cell.
    model = networks(folder, PRETRAINED)
    known = pretext_quality(model, stored(folder), TEST)["generation"]
    assert measures["generated"]["clip"]["psnr"] == pytest.approx(known["psnr_clip"], abs=1e-5)
    assert measures["generated"]["future"]["psnr"] == pytest.approx(known["psnr_future"], abs=1e-5)
    assert measures["repeated"]["future"]["psnr"] == pytest.approx(known["psnr_repeat"], abs=1e-5)
    assert measures["generated"]["clip"]["frechet"] > 0


def test_judge_is_a_function_of_its_seed(call: Callable[..., None], folder: Path) -> None:
    weights = []
    for name in ("a", "b"):
        call(clip_judge, JUDGE, f"{name}.safetensors")
        weights.append(dict(shards.Shards([folder / f"{name}.safetensors"])))
    assert all(np.array_equal(value, weights[1][name]) for name, value in weights[0].items())


def test_another_judge_is_refused(measure: Callable[..., dict[str, Any]], folder: Path) -> None:
    other = copy.deepcopy(JUDGE)
    other["clip_judge"]["lr"] = 0.5
    with pytest.raises(UserError, match=r"judge.safetensors: .*lr = 0.5, expected 0.003; run .* --forcerun clip_judge"):
        measure(judge=other)
    path = folder / "judge.safetensors"
    weights, header = dict(shards.Shards([path])), shards.header(path)
    data = header["data"] | {"clips": ["another run"]}
    shards.write(path, weights, header | {"params": JUDGE, "data": data})
    with pytest.raises(UserError, match=r"data.clips = \['another run'\], expected \['clips'\]; run .* clip_judge"):
        measure(judge={})


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"sigma_p": 0.5}, "networks.safetensors: made with sigma_p = 1.0, but 0.5 is asked for; run .* pretrain"),
        ({"generation_quality": {"fvd": {"weights": "no.pt", "sha256": "0" * 64}}}, "weights = no.pt: can't be read"),
    ],
)
def test_other_parameters_are_refused(
    measure: Callable[..., dict[str, Any]], change: dict[str, Any], named: str
) -> None:
    with pytest.raises(UserError, match=named):
        measure(PARAMS | change)


def test_networks_without_generators_or_training_are_refused(
    measure: Callable[..., dict[str, Any]], folder: Path
) -> None:
    for change in ({"sigma_v": 0.0}, {"pretrain": PRETRAINED["pretrain"] | {"steps": 0}}):
        networks(folder, PRETRAINED | change)
        with pytest.raises(UserError, match="networks.safetensors: has no trained generators"):
            measure(PARAMS | change)


def test_networks_of_other_clips_are_refused(measure: Callable[..., dict[str, Any]], folder: Path) -> None:
    data = stored(folder).provenance(folder / "index.csv")
    networks(folder, PRETRAINED, data=data | {"clips": ["another run"]})
    with pytest.raises(UserError, match="pretrained on data with clips = .*another run.*--forcerun pretrain"):
        measure()
