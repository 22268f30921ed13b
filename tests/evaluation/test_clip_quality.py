"""Quality of generated clips: similarity, the judge, a network of the user's."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

from csvr.data import shards
from csvr.data.batches import ClipShape, Features
from csvr.errors import UserError
from csvr.evaluation.clip_quality import clip_quality, ssim
from csvr.evaluation.finetune import Classifier, correct
from csvr.evaluation.frechet import frechet_distance
from csvr.evaluation.fvd import fvd_features
from csvr.evaluation.judge import JudgeEncoder, judge_features, load_judge, resolution, train_judge
from csvr.generation.tganv2 import Pyramid

SHAPE = ClipShape(frames=4, stride=2, crop=32, iframe_window=8, iframe_inside=True)
PARAMS: dict[str, Any] = {
    "model": {
        "backbone": {"kind": "r3d", "width": 4, "blocks": [1, 1]},
        "generation": {"generator": {"start_size": 8, "channels": [4]}},
    },
    "augment": {"area": [0.9, 1.0]},
    "clip_judge": {
        "seed": 0, "epochs": 12, "batch": 6, "lr": 0.01, "warmup": 2, "weight_decay": 0.0, "dropout": 0.0,
        "colour": 0.0, "permute": 0.0, "clips": 1,
    },
}  # fmt: skip
VIDEOS = [f"v_{k}" for k in range(12)]
LABELS = np.arange(12) % 2


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> Features:
    """Twelve noisy videos of 20 frames; those of class 1 are brighter. They flicker, so that no frame is another."""
    folder = tmp_path_factory.mktemp("features")
    rng = np.random.default_rng(0)
    clips: dict[str, Any] = {}
    poses: dict[str, Any] = {}
    for name, label in zip(VIDEOS, LABELS, strict=True):
        clips[name] = rng.integers(100 * label, 100 * label + 100, (20, 32, 32, 3)).astype(np.uint8)
        poses[name] = rng.uniform(1, 20, (20, 17, 3)).astype(np.float32)
        poses[f"{name}/frame"] = np.arange(20, dtype=np.int32)
    for stem, arrays in (("clips", clips), ("poses", poses)):
        shards.write(folder / stem, arrays, {"run_id": stem})
    return Features([folder / "clips"], [folder / "poses"], [], SHAPE)


@pytest.fixture(scope="module")
def judge(features: Features) -> Classifier:
    torch.manual_seed(0)
    return train_judge(features, (VIDEOS, LABELS), PARAMS)


def windowed(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> float:
    """SSIM of two images (H, W) in 0 … 1 as Wang et al. 2004 have it, reflected at the borders."""

    def mean(image: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return np.asarray(gaussian_filter(image, 1.5, truncate=3.5, mode="mirror"))

    a, b = mean(one), mean(other)
    variances, covariance = (mean(one**2) - a**2, mean(other**2) - b**2), mean(one * other) - a * b
    c1, c2 = 0.01**2, 0.03**2
    similarity = (2 * a * b + c1) * (2 * covariance + c2) / ((a**2 + b**2 + c1) * (sum(variances) + c2))
    return float(similarity.mean())


def test_ssim_is_that_of_the_paper() -> None:
    rng = np.random.default_rng(0)
    real = gaussian_filter(rng.uniform(-1, 1, (2, 3, 3, 28, 28)), (0, 0, 0, 2, 2)) * 3
    fake = (real + rng.normal(size=real.shape) * 0.1).clip(-1, 1)
    expected = [
        np.mean(
            [windowed((a + 1) / 2, (b + 1) / 2) for a, b in zip(*(x.reshape(-1, 28, 28) for x in pair), strict=True)]
        )
        for pair in zip(fake, real, strict=True)
    ]
    found = ssim(torch.from_numpy(fake), torch.from_numpy(real))
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert 0 < float(found.max()) < 1


def test_ssim_of_still_gray_is_that_of_its_brightness() -> None:
    """(2ab + c₁) / (a² + b² + c₁), which depends on where black is; equal clips have 1."""
    one, other = torch.full((1, 3, 2, 16, 16), -0.5), torch.full((1, 3, 2, 16, 16), 0.5)
    expected = (2 * 0.25 * 0.75 + 1e-4) / (0.25**2 + 0.75**2 + 1e-4)
    assert float(ssim(one, other)) == pytest.approx(expected, rel=1e-3)
    assert float(ssim(one.double(), other.double())) == pytest.approx(expected, rel=1e-9)
    assert float(ssim(one, one)) == pytest.approx(1)


def test_judge_learns_at_the_resolution_of_the_generators(features: Features, judge: Classifier) -> None:
    assert resolution(PARAMS["model"]["generation"]["generator"]) == 16
    assert correct(judge, features, (VIDEOS, LABELS), 1).mean() == 1
    clip = torch.rand(2, 3, 4, 32, 32)
    pooled = nn.functional.avg_pool3d(clip, (1, 2, 2))
    np.testing.assert_allclose(judge_features(judge, clip), judge_features(judge, pooled), rtol=1e-5)
    assert judge_features(judge, pooled).shape == (2, judge.encoders.backbone.out_channels)


def test_judge_is_loaded_as_it_was(judge: Classifier, tmp_path: Path) -> None:
    path = tmp_path / "judge.safetensors"
    weights = {name: value.numpy() for name, value in judge.state_dict().items()}
    shards.write(path, weights, {"params": PARAMS, "classes": ["a", "b"]})
    again, header = load_judge(path)
    clips = torch.rand(3, 3, 4, 16, 16)
    assert header["params"] == PARAMS and not again.training
    np.testing.assert_array_equal(judge_features(again, clips), judge_features(judge, clips))
    shards.write(path, weights, {"params": PARAMS, "classes": ["a", "b", "c"]})
    with pytest.raises(UserError, match="(?s)not what csvr.clip_judge writes .*--forcerun clip_judge"):
        load_judge(path)


def stand_in(sharpness: float) -> Any:
    """A model whose generators know the clip, and give it a share of its contrast."""

    def generate(clip: Tensor) -> Pyramid:
        pooled = nn.functional.avg_pool3d(clip, (1, 2, 2))
        return Pyramid([sharpness * pooled], [torch.arange(4)])

    video = SimpleNamespace(generators={"clip": generate, "future": generate}, sizes=[8, 16], NAMES=("clip", "future"))
    return SimpleNamespace(encoders=lambda clip, poses: {"f_s": clip}, video=video)


def test_perfect_reconstructions_have_no_distance(features: Features, judge: Classifier) -> None:
    found = clip_quality(stand_in(1.0), judge, features, VIDEOS, None)
    clip, future = found["generated"]["clip"], found["generated"]["future"]
    assert clip == pytest.approx({"psnr": np.inf, "ssim": 1, "frechet": 0}, abs=1e-5)
    assert future["psnr"] < np.inf and future["ssim"] < 0.9 and future["frechet"] > 0
    # Noise: the last frame is as near to the frames after it as to any other.
    assert found["repeated"]["future"]["ssim"] < 0.9 and found["repeated"]["future"]["psnr"] < 40
    assert found["clips"] == 12 and found["dimension"] == judge.encoders.backbone.out_channels
    blurred = clip_quality(stand_in(0.5), judge, features, VIDEOS, None)
    assert blurred["generated"]["clip"]["psnr"] < 30
    assert blurred["generated"]["clip"]["frechet"] > found["repeated"]["clip"]["frechet"] / 100 > 0
    assert blurred["repeated"] == found["repeated"]


def test_judge_of_another_resolution_is_refused(features: Features) -> None:
    other = {**PARAMS["model"], "generation": {"generator": {"start_size": 8, "channels": [4, 4]}}}
    coarse = Classifier(JudgeEncoder(other), ["f_s"], 2, 0.0).eval()
    with pytest.raises(UserError, match="generate 16 pixels, but the judge was trained on 32"):
        clip_quality(stand_in(1.0), coarse, features, VIDEOS, None)


class Extractor(nn.Module):
    """Mean and standard deviation of each colour, as a network of one's own might be."""

    def forward(self, clips: Tensor, double: bool = False) -> Tensor:
        found = torch.cat([clips.mean((2, 3, 4)), clips.std((2, 3, 4))], 1)
        return 2 * found if double else found


@pytest.fixture
def network(tmp_path: Path) -> dict[str, Any]:
    """`generation_quality.fvd` for a TorchScript file."""
    path = tmp_path / "network.pt"
    torch.jit.script(Extractor()).save(str(path))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"weights": str(path), "sha256": digest, "size": 24, "arguments": {}}


def test_network_of_the_user_adds_a_distance(features: Features, judge: Classifier, network: dict[str, Any]) -> None:
    extract = fvd_features(network)
    found = clip_quality(stand_in(0.5), judge, features, VIDEOS, extract)
    assert extract is not None
    generated = found["generated"]["clip"]
    assert generated["fvd"] > 0 and found["repeated"]["future"]["fvd"] > 0
    assert (
        "fvd"
        not in clip_quality(stand_in(0.5), judge, features, VIDEOS, fvd_features(network | {"weights": None}))[
            "generated"
        ]["clip"]
    )
    clips = torch.rand(5, 3, 4, 16, 16) * 2 - 1
    shown = nn.functional.interpolate(clips, size=(4, 24, 24), mode="trilinear")
    expected = Extractor()(shown)
    np.testing.assert_allclose(extract(clips), expected, rtol=1e-5)
    twice = fvd_features(network | {"arguments": {"double": True}})
    assert twice is not None
    np.testing.assert_allclose(twice(clips), 2 * expected, rtol=1e-5)
    assert frechet_distance(twice(clips), extract(clips)) > 0


def test_network_is_code_and_not_run_unless_it_is_the_one_meant(
    network: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.jit, "load", lambda *_, **__: pytest.fail("loaded"))
    with pytest.raises(UserError, match="has sha256 .*fvd.sha256 = 00.*; it is not loaded"):
        fvd_features(network | {"sha256": "00" * 32})
    with pytest.raises(UserError, match="fvd.weights = .*nowhere.*can't be read"):
        fvd_features(network | {"weights": str(tmp_path / "nowhere.pt")})


def test_network_that_is_none_is_named(network: dict[str, Any], tmp_path: Path) -> None:
    other = tmp_path / "other.pt"
    other.write_bytes(b"no network")
    digest = hashlib.sha256(b"no network").hexdigest()
    with pytest.raises(UserError, match="other.pt: no TorchScript module"):
        fvd_features(network | {"weights": str(other), "sha256": digest})
    extract = fvd_features(network | {"arguments": {"rescale": False}})
    assert extract is not None
    with pytest.raises(UserError, match="can't take clips of shape"):
        extract(torch.zeros(2, 3, 4, 16, 16))
