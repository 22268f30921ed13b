"""Quality of predictions, on videos whose future is known."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from csvr.data import shards
from csvr.data.batches import ClipShape, Features
from csvr.evaluation.pretext import centre_views, pose_guesses, pretext_quality, psnr
from csvr.generation.tganv2 import Pyramid
from csvr.pretrain.model import CSVR
from tests.pretrain.test_loop import with_pose

SHAPE = ClipShape(frames=4, stride=2, crop=32, iframe_window=8, iframe_inside=True)


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> Features:
    """Two videos of 20 frames: a still one, and one whose joints go 2 pixels a frame to the right."""
    folder = tmp_path_factory.mktemp("features")
    rng = np.random.default_rng(0)
    clips: dict[str, Any] = {}
    poses: dict[str, Any] = {}
    for name, speed in (("still", 0), ("moving", 2)):
        image = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
        clips[name] = np.stack([np.roll(image, speed * t, axis=1) for t in range(20)])
        joints = np.concatenate([rng.uniform(0, 20, (17, 2)), np.ones((17, 1))], 1)
        poses[name] = np.stack([joints + [speed * t, 0, 0] for t in range(20)]).astype(np.float32)
        poses[f"{name}/frame"] = np.arange(20, dtype=np.int32)
    for stem, arrays in (("clips", clips), ("poses", poses)):
        shards.write(folder / stem, arrays, {"run_id": stem})
    return Features([folder / "clips"], [folder / "poses"], [], SHAPE)


def test_psnr_equals_its_formula() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.uniform(-1, 1, (2, 3, 3, 2, 4, 4))
    expected = [10 * np.log10(2**2 / np.mean((x - y) ** 2)) for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(psnr(torch.from_numpy(a), torch.from_numpy(b)), expected)


def test_guesses_by_hand(features: Features) -> None:
    views = centre_views(features, ["moving"])
    guesses = {name: guess[0, :, 3] for name, guess in pose_guesses(views).items()}
    a, b = views.poses[0, -2:, 3, :2]
    for t in range(8):
        torch.testing.assert_close(guesses["repeat"][t], b)
        torch.testing.assert_close(guesses["velocity"][t], b + (t + 1) * (b - a))


def test_views_are_the_middle_of_each_video(features: Features) -> None:
    views = centre_views(features, ["moving"])
    middle = (20 - 2 * SHAPE.span) // 2
    shown = torch.from_numpy(features.clips["moving"][middle : middle + 2 * SHAPE.span : 2]).permute(3, 0, 1, 2)
    joined = torch.cat([views.clip[0], views.future[0]], 1)
    torch.testing.assert_close(joined, shown / 127.5 - 1, atol=1e-4, rtol=0)


def test_baselines_are_perfect_where_they_must_be_and_the_networks_are_scored(features: Features) -> None:
    def generate(integrated: torch.Tensor) -> Pyramid:
        return Pyramid([torch.zeros(len(integrated), 3, 4, 16, 16)], [torch.arange(4)])

    model: Any = SimpleNamespace(
        encoders=lambda clip, poses: {"f_s": clip, "f_d": poses},
        pose=SimpleNamespace(predict=lambda motion, poses: poses[..., :2]),
        video=SimpleNamespace(generators={"clip": generate, "future": generate}, sizes=[8, 16]),
    )
    still = pretext_quality(model, features, ["still"])
    moving = pretext_quality(model, features, ["moving"])
    perfect = {"mpjpe": 0, "pck@0.1": 1, "oks": 1}
    everyone = {f"{name}{guess}": x for guess in ("", "_repeat", "_velocity") for name, x in perfect.items()}
    assert still["pose"] == pytest.approx(everyone, abs=1e-5)
    assert list(moving["pose"]) == list(everyone)
    for name, best in perfect.items():
        assert moving["pose"][f"{name}_velocity"] == pytest.approx(best, abs=1e-5)
    assert moving["pose"]["pck@0.1_repeat"] < 1 and moving["pose"]["oks"] < moving["pose"]["oks_repeat"] < 1
    assert moving["pose"]["mpjpe_velocity"] == pytest.approx(0, abs=1e-5)
    # Frame k of the past lies 8 frames before frame k of the future, the last one 1 … 8: 4.5 on average.
    assert moving["pose"]["mpjpe"] / moving["pose"]["mpjpe_repeat"] == pytest.approx(8 / 4.5, rel=1e-4)
    assert still["generation"]["psnr_repeat"] == np.inf > moving["generation"]["psnr_repeat"]
    views = centre_views(features, ["still"])
    pooled = F.avg_pool3d(views.clip, (1, 2, 2))
    assert still["generation"]["psnr_clip"] == pytest.approx(
        -10 * np.log10(float(pooled.square().mean()) / 4), rel=1e-4
    )
    model.pose = model.video = None
    assert pretext_quality(model, features, ["still"]) == {}


@pytest.mark.parametrize("kind", ["coordinates", "heatmaps"])
def test_networks_of_both_kinds_are_scored(features: Features, kind: str) -> None:
    """Untrained, their prediction is that nobody moves; the same every time."""
    torch.manual_seed(0)
    model = CSVR(with_pose(kind, sigma_v=0), 8).eval()
    first = pretext_quality(model, features, ["still", "moving"])
    assert first == pretext_quality(model, features, ["still", "moving"])
    found = first["pose"]
    assert found["mpjpe"] == pytest.approx(found["mpjpe_repeat"], abs=0.02)
    assert all(np.isfinite(value) for value in found.values())


def test_nothing_visible_is_no_number(features: Features, tmp_path: Path) -> None:
    clips = {"v": features.clips["still"]}
    poses = {"v": np.zeros((20, 17, 3), np.float32), "v/frame": np.arange(20, dtype=np.int32)}
    for stem, arrays in (("clips", clips), ("poses", poses)):
        shards.write(tmp_path / stem, arrays, {"run_id": stem})
    nobody = Features([tmp_path / "clips"], [tmp_path / "poses"], [], SHAPE)
    model = CSVR(with_pose("heatmaps", sigma_v=0), 8).eval()
    assert pretext_quality(model, nobody, ["v"]) == {"pose": {}}
