"""Quality of predictions, on videos whose future is known."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from csvr.data import shards
from csvr.data.batches import ClipShape, Features
from csvr.evaluation.pretext import centre_views, joint_errors, pretext_quality, psnr
from csvr.generation.tganv2 import Pyramid

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


def test_psnr_and_joint_errors_equal_their_formulas() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.uniform(-1, 1, (2, 3, 3, 2, 4, 4))
    expected = [10 * np.log10(2**2 / np.mean((x - y) ** 2)) for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(psnr(torch.from_numpy(a), torch.from_numpy(b)), expected)
    target = torch.tensor([[[[3.0, 4.0, 1.0], [9.0, 9.0, 0.0]]]])
    assert joint_errors(torch.zeros(1, 1, 2, 2), target).tolist() == [5.0]


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
        pose=SimpleNamespace(decoder=lambda motion, poses: poses[..., :2]),
        video=SimpleNamespace(generators={"clip": generate, "future": generate}, sizes=[8, 16]),
    )
    still = pretext_quality(model, features, ["still"])
    moving = pretext_quality(model, features, ["moving"])
    assert still["pose"] == pytest.approx({"mpjpe": 0, "mpjpe_repeat": 0, "mpjpe_velocity": 0}, abs=1e-5)
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
