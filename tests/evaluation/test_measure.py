"""The harness itself: features that say nothing give chance level, features that are the label 100 %."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import binomtest
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torchmetrics.functional.classification import multiclass_accuracy

from csvr.data import shards
from csvr.data.batches import ClipShape, Features
from csvr.errors import UserError
from csvr.evaluation.features import CPU, load_clips, video_features
from csvr.evaluation.finetune import finetuned_classes, predicted
from csvr.evaluation.measure import labelled, measure, size
from csvr.evaluation.pretext import pretext_quality
from csvr.integration.layer import IntegrationLayer
from csvr.pretrain.model import CSVR, Encoders
from csvr.tracking.machine import chosen_device
from tests.pretrain.small import VIDEOS, params, write_features

CLASSES, TRAIN, TEST = 5, 30, 40
"""Classes, and videos of each."""
SHAPE = ClipShape(frames=2, stride=1, crop=8, iframe_window=0, iframe_inside=True)
PROTOCOLS = {"retrieval", "linear_all", "linear_few", "linear_5pct", "linear_20pct", "finetune", "finetune_5pct"}
PROTOCOLS |= {"finetune_20pct"}


class Reader(nn.Module):
    """Stands for the encoders: reads the class that a video is painted with, or makes up something of its own."""

    def __init__(self, honest: bool) -> None:
        super().__init__()
        self.honest, self.scale = honest, nn.Parameter(torch.ones(()))
        self.backbone, self.pose, self.integration = SimpleNamespace(out_channels=CLASSES), None, None

    def forward(self, clip: Tensor, poses: Tensor) -> dict[str, Tensor]:
        # Red is the class, green and blue are the video's number; all in steps of 10.
        red, green, blue = ((clip.mean((2, 3, 4)) + 1) * 127.5 / 10).round().long().T
        if self.honest:
            features = torch.eye(CLASSES)[red.clamp(max=CLASSES - 1)]
        else:
            drawn = [
                np.random.default_rng([int(g), int(b)]).normal(size=CLASSES) for g, b in zip(green, blue, strict=True)
            ]
            features = torch.from_numpy(np.stack(drawn)).float()
        return {"f_s": self.scale * features[..., None, None, None]}


@pytest.fixture(scope="module")
def painted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Features, pd.DataFrame]:
    folder, rows = tmp_path_factory.mktemp("painted"), []
    clips: dict[str, Any] = {}
    poses: dict[str, Any] = {}
    listed = [("train", label) for label in range(CLASSES) for _ in range(TRAIN)]
    listed += [("test", label) for label in range(CLASSES) for _ in range(TEST)]
    for k, (split, label) in enumerate(listed):
        name = f"v{k}"
        clips[name] = np.broadcast_to(np.uint8([10 * label, 10 * (k % 25), 10 * (k // 25)]), (4, 8, 8, 3)).copy()
        poses |= {name: np.zeros((4, 17, 3), np.float32), f"{name}/frame": np.arange(4, dtype=np.int32)}
        rows.append({"video": name, "label": label, "split": split})
    for stem, arrays in (("clips", clips), ("poses", poses)):
        shards.write(folder / stem, arrays, {"run_id": stem})
    return Features([folder / "clips"], [folder / "poses"], [], SHAPE), pd.DataFrame(rows)


def settings() -> dict[str, Any]:
    finetune = {
        "per_class": 8, "epochs": 8, "batch": 8, "lr": 0.1, "encoder_lr_factor": 0.0, "warmup": 1, "weight_decay": 0.0,
        "dropout": 0.0, "colour": 0.0, "permute": 0.0,
    }  # fmt: skip
    return params(sigma_v=0, sigma_p=0, pose_input=False) | {
        "evaluate": {
            "clips": 2, "probe": {"c": 10.0, "few": 4, "draws": 4, "seed": 0}, "no_pose_test": True,
            "semi": {"fractions": [0.05, 0.2], "probe": True, "finetune": True}, "finetune": finetune,
        },
    }  # fmt: skip


def test_features_that_are_the_label_are_always_right(painted: tuple[Features, pd.DataFrame]) -> None:
    found = measure(Reader(True), *painted, settings(), seed=0)
    assert set(found.scores) == PROTOCOLS
    for protocol, by in found.scores.items():
        assert set(by) <= {"all", "f_s"} and len(by["all"]) == CLASSES * TEST
        assert set(by["all"]) == {1.0}, protocol
    assert set(found.ranks["retrieval"]["all"]) == {1}
    labels = painted[1].label[painted[1].split == "test"].tolist()
    for protocol in ("linear_all", "finetune", "finetune_5pct"):
        assert found.predictions[protocol]["all"] == labels


def test_features_that_say_nothing_are_right_by_chance(painted: tuple[Features, pd.DataFrame]) -> None:
    found = measure(Reader(False), *painted, settings(), seed=0)
    count = CLASSES * TEST
    for protocol, by in found.scores.items():
        interval = binomtest(round(sum(by["all"])), count).proportion_ci(0.999)
        # Within 11 points of chance, and chance within the interval.
        assert interval.low < 1 / CLASSES < interval.high and interval.high - interval.low < 0.25, protocol
    # The first right one of 30 in 150 is at rank 6 or later with a probability of 0.8 ** 5.
    late = sum(rank > 5 for rank in found.ranks["retrieval"]["all"])
    assert binomtest(late, count, 0.8**5).pvalue > 0.001


def test_scores_are_those_of_the_predictions(painted: tuple[Features, pd.DataFrame]) -> None:
    found = measure(Reader(False), *painted, settings(), seed=0)
    labels = torch.tensor(painted[1].label[painted[1].split == "test"].tolist())
    for protocol, by in found.predictions.items():
        expected = multiclass_accuracy(torch.tensor(by["all"]), labels, CLASSES, average="micro")
        assert np.mean(found.scores[protocol]["all"]) == pytest.approx(float(expected))
    assert found.scores["retrieval"]["all"] == [float(rank == 1) for rank in found.ranks["retrieval"]["all"]]


def test_several_splits_are_measured_as_each_of_them_alone(painted: tuple[Features, pd.DataFrame]) -> None:
    features, first = painted
    swapped = np.random.default_rng(5).permutation(first.split)
    alone = [
        measure(Reader(False), features, first.assign(split=split), settings(), 0) for split in (first.split, swapped)
    ]
    found = measure(Reader(False), features, first.assign(split_2=swapped), settings(), seed=0)
    for kind in ("scores", "ranks", "predictions"):
        one, two, both = (getattr(outcome, kind) for outcome in (*alone, found))
        assert both == {p: {name: one[p][name] + two[p][name] for name in by} for p, by in one.items()}
    assert found.scores["retrieval"]["all"] != alone[0].scores["retrieval"]["all"] * 2


def test_protocols_that_nobody_asks_for_are_not_run(painted: tuple[Features, pd.DataFrame]) -> None:
    p = settings()
    p["evaluate"] |= {"probe": None, "semi": None}
    assert set(measure(Reader(True), *painted, p, seed=0).scores) == {"finetune"}
    p["evaluate"] |= {"probe": settings()["evaluate"]["probe"], "finetune": None}
    assert set(measure(Reader(True), *painted, p, seed=0).scores) == {"linear_all", "linear_few", "retrieval"}


def test_labelled_videos_are_counted(painted: tuple[Features, pd.DataFrame]) -> None:
    # Of 30 a class 5 % is 1.5, rounded up.
    assert labelled(painted[1], settings()) == {"5pct": 10, "20pct": 30}


def test_soft_max_is_averaged_over_clips_by_hand(painted: tuple[Features, pd.DataFrame]) -> None:
    """One clip is sure of class 1, two lean to class 0: the mean of soft-maxes says 1, votes and logits would not."""
    logits = torch.tensor([[0.2, 0.0], [0.2, 0.0], [-9.0, 0.0]])

    class Fixed(nn.Linear):
        def forward(self, clip: Tensor, poses: Tensor) -> Tensor:
            return logits.repeat(len(clip) // 3, 1)

    chance = np.exp(logits.numpy()) / np.exp(logits.numpy()).sum(1, keepdims=True)
    assert chance.mean(0).argmax() == 1 and (chance.argmax(1) == 0).sum() == 2
    assert predicted(Fixed(1, 1), painted[0], ["v0", "v1"], 3).tolist() == [1, 1]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Features:
    folder = tmp_path_factory.mktemp("small")
    write_features(folder)
    return Features([folder / "clips"], [folder / "poses"], [], ClipShape(**params()["clip"]))


def test_no_pose_is_what_videos_without_a_person_give(small: Features, tmp_path: Path) -> None:
    nobody = {name: np.zeros_like(value) if value.ndim == 3 else value for name, value in dict(small.poses).items()}
    shards.write(tmp_path / "poses", nobody, {"run_id": "0"})
    empty = Features(list(small.clips.headers), [tmp_path / "poses"], [], small.shape)
    torch.manual_seed(0)
    encoders = Encoders(params()["model"], motion=True).eval()
    found = video_features(encoders, None, small, VIDEOS, 2, no_pose=True)
    expected = video_features(encoders, None, empty, VIDEOS, 2)
    for name in ("f_d", "f_i"):
        torch.testing.assert_close(found[f"{name}_no_pose"], expected[name])
        assert not torch.allclose(found[name], expected[name], atol=1e-4)
    assert len(found["f_d_no_pose"].unique(dim=0)) == 1
    torch.testing.assert_close(found["f_s"], expected["f_s"])
    assert "f_d_no_pose" not in video_features(encoders, None, small, VIDEOS, 2)


def test_sizes_are_those_of_the_networks() -> None:
    p = params()
    model = CSVR(p, 8)
    found = size(p, 8)
    assert found["parameters"] == sum(x.numel() for x in model.parameters())
    assert found["parameters_encoders"] == sum(x.numel() for x in model.encoders.parameters())
    assert 0 < found["gflops_encoders"] < found["gflops"]


def test_evaluation_is_on_the_device_of_the_networks(small: Features) -> None:
    """Followed without a GPU, by torch's fake tensors: nothing is left on the CPU but what is handed back."""
    p = params()
    p["evaluate"] = settings()["evaluate"]
    with FakeTensorMode(allow_non_fake_inputs=True):
        with torch.device("cuda"):
            model = CSVR(p, 8).eval()
        clip, poses = load_clips(small, VIDEOS[:2], 2, torch.device("cuda"))
        assert clip.device.type == poses.device.type == "cuda"
        with torch.device("cuda"):
            control = IntegrationLayer(model.encoders.backbone.out_channels, 8, **p["model"]["integration"]).eval()
        found = video_features(model.encoders, control, small, VIDEOS, 2, no_pose=True)
        assert {x.device.type for x in found.values()} == {"cpu"} and len(found) == 6


def test_unknown_devices_are_one_message() -> None:
    assert chosen_device("cpu") == CPU
    with pytest.raises(UserError, match="--device tpu9: .*take --device cpu"):
        chosen_device("tpu9")
    if not torch.cuda.is_available():
        with pytest.raises(UserError, match="--device cuda: .*take --device cpu"):
            chosen_device("cuda")


def test_fine_tuning_with_a_share_sees_that_share_alone(
    small: Features, monkeypatch: pytest.MonkeyPatch, painted: tuple[Features, pd.DataFrame]
) -> None:
    seen: list[list[str]] = []

    def spy(encoders: Any, names: Any, features: Any, train: Any, settings: Any, area: Any, seed: int) -> Any:
        seen.append(train[0])
        assert settings["per_class"] is None and len(train[0]) == len(train[1])
        raise StopIteration

    monkeypatch.setattr("csvr.evaluation.finetune.train_classifier", spy)
    features, table = painted
    rows = table[table.split == "train"]
    for seed in (0, 0, 1):
        train = rows.video.tolist(), rows.label.to_numpy()
        with pytest.raises(StopIteration):
            finetuned_classes(Reader(True), ["f_s"], features, train, [], settings(), seed, 0.2)
    labels = dict(zip(rows.video, rows.label, strict=True))
    assert np.bincount([labels[video] for video in seen[0]]).tolist() == [6] * CLASSES
    assert seen[0] == seen[1] != seen[2]


def test_pretext_quality_takes_a_device(small: Features) -> None:
    torch.manual_seed(0)
    model = CSVR(params(), 8).eval()
    assert pretext_quality(model, small, VIDEOS[:2], CPU) == pretext_quality(model, small, VIDEOS[:2])
