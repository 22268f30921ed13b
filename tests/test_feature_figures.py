"""Figures of features: neighbours by hand, the mask's place, and that each figure can be drawn."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from compose_params import composed
from matplotlib.figure import Figure
from torch import Tensor

from csvr.data.batches import ClipShape
from csvr.errors import UserError
from csvr.evaluation.frozen import Frozen
from csvr.evaluation.retrieval import first_hit, ranked
from csvr.pretrain.model import CSVR
from csvr.reporting import feature_figures
from csvr.reporting.feature_figures import DRAWN, Inputs, flat, over_frames, picture

TABLE = pd.DataFrame(
    [
        (f"v_{name}_{split}{k}", name, label, split)
        for label, name in enumerate("ABC")
        for split in ("train", "test")
        for k in (0, 1)
    ],
    columns=["video", "class", "label", "split"],
)


class Stored:
    """Stored clips and poses of any video: 40 frames, each as bright as its number, and as the video's name says."""

    shape = ClipShape(frames=4, stride=4, crop=56, iframe_window=8, iframe_inside=False)

    def length(self, _: str) -> int:
        return 40

    def images(self, video: str, start: int) -> Tensor:
        frames = torch.arange(start, start + self.shape.span, self.shape.stride) + sum(map(ord, video)) % 100
        return frames[None, :, None, None].expand(3, -1, 64, 64).to(torch.uint8)

    def keypoints(self, video: str, start: int) -> Tensor:
        rng = torch.Generator().manual_seed(sum(map(ord, video)) + start)
        return torch.rand(16, 17, 3, generator=rng) * 50


def test_neighbours_are_those_of_retrieval() -> None:
    train = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    test = np.array([[2.0, 0.5], [-0.1, -3.0]])
    order = ranked(train, test)[:, :3]
    assert order.tolist() == [[0, 1, 3], [3, 2, 0]]
    rng = np.random.default_rng(0)
    train, test, labels = rng.normal(size=(30, 5)), rng.normal(size=(9, 5)), np.arange(30) % 3
    ranks = first_hit(train, labels, test, np.arange(9) % 3)
    hits = labels[ranked(train, test)[:, :30]] == (np.arange(9) % 3)[:, None]
    assert ranks.tolist() == (hits.argmax(1) + 1).tolist()


def test_map_keeps_clusters_apart_and_is_the_same_again() -> None:
    values = np.random.default_rng(0).normal(size=(30, 8)) + 20 * (np.arange(30) % 2)[:, None]
    found = flat(values)
    assert found.shape == (30, 2) and np.array_equal(found, flat(values))
    centres = [found[k::2].mean(0) for k in (0, 1)]
    spread = max(np.linalg.norm(found[k::2] - centres[k], axis=1).max() for k in (0, 1))
    assert np.linalg.norm(centres[0] - centres[1]) > spread
    assert not flat(np.ones((30, 8)) + 1e-9 * values[:, :1]).any()
    with pytest.raises(UserError, match="at least 4 test videos, not 3"):
        flat(values[:3])


def test_mask_lies_over_the_clip() -> None:
    mask = torch.zeros(1, 2, 2, 2, 2)
    mask[0, :, 1, 0, 1] = 1.0
    found = over_frames(mask, (4, 8, 8))
    assert found.shape == (1, 4, 8, 8)
    assert found[0, 3, 0, 7] == 1 and found[0, 0].max() == 0 and found[0, 3, 7].max() == 0
    # Mean over channels.
    mask[0, 0] = 0
    assert over_frames(mask, (4, 8, 8)).max() == 0.5


def test_picture_is_the_middle_of_the_video() -> None:
    frame = picture(Stored(), "v")  # type: ignore[arg-type]
    assert frame.shape == (64, 64, 3) and set(frame.flat) == {20 + ord("v") % 100}


@pytest.mark.parametrize("name", DRAWN)
def test_figures_in_all_formats(tmp_path: Path, name: str) -> None:
    params: dict[str, Any] = yaml.safe_load(composed([]))
    names, rng = ["f_s", "f_d", "f_i"], np.random.default_rng(0)
    frozen = Frozen(TABLE.video.tolist(), {name: rng.random((len(TABLE), 4), np.float32) for name in names})
    groups = {"one": ["A"], "two": ["B", "C"]}
    inputs = Inputs(CSVR(params, 16).eval(), Stored(), TABLE, groups, frozen, names)  # type: ignore[arg-type]
    outputs = [tmp_path / f"figure{suffix}" for suffix in (".png", ".svg", ".pdf")]
    DRAWN[name](inputs, *outputs)
    assert outputs[0].read_bytes()[:4] == b"\x89PNG" and "<svg" in outputs[1].read_text()
    assert outputs[2].read_bytes()[:5] == b"%PDF-"


def test_map_of_many_classes_has_a_legend_of_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    table = pd.DataFrame(
        [(f"v_{k}", f"class {k}", k, "test") for k in range(40)], columns=["video", "class", "label", "split"]
    )
    drawn: list[Figure] = []
    frozen = Frozen(table.video.tolist(), {"f_s": np.random.default_rng(0).random((40, 3), np.float32)})
    monkeypatch.setattr(feature_figures, "flat", lambda values: values[:, :2])
    monkeypatch.setattr(feature_figures.style, "save", lambda figure, *_: drawn.append(figure))
    groups = {"motion": [f"class {k}" for k in range(30)], "both": [f"class {k}" for k in range(30, 40)]}
    model: Any = SimpleNamespace(encoders=None)
    DRAWN["features"](Inputs(model, None, table, groups, frozen, ["f_s"]))  # type: ignore[arg-type]
    DRAWN["features"](Inputs(model, None, table, {}, frozen, ["f_s"]))  # type: ignore[arg-type]
    assert [text.get_text() for text in drawn[0].legends[0].get_texts()] == ["motion", "both"]
    assert not drawn[1].legends and len({line.get_color() for line in drawn[1].axes[0].lines}) == 40


def test_no_mask_is_no_figure(tmp_path: Path) -> None:
    params: dict[str, Any] = yaml.safe_load(composed([]))
    params["model"]["integration"]["mode"] = "adain"
    inputs = Inputs(CSVR(params, 16).eval(), Stored(), TABLE, {}, None, ["f_s", "f_d", "f_i"])  # type: ignore[arg-type]
    with pytest.raises(UserError, match="no mask"):
        DRAWN["mask"](inputs, tmp_path / "figure.png")
