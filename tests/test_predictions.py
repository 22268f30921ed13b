"""The figure of predictions: which videos it shows, and that every variant has one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from compose_params import composed
from matplotlib.image import imread

from csvr.pretrain.model import CSVR
from csvr.pretrain.views import Views
from csvr.reporting.predictions import draw, examples, strip

TABLE = pd.DataFrame(
    [(f"v_{name}_{k}", name, split) for name in "ABCDE" for k, split in enumerate(("train", "test", "test"))],
    columns=["video", "class", "split"],
)


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ({"one": ["A", "C", "E"], "two": ["B"]}, ["v_A_1", "v_E_1", "v_B_1"]),
        ({"none here": ["F"], "two": ["D", "F"]}, ["v_D_1"]),
        ({}, ["v_A_1", "v_E_1"]),
    ],
)
def test_first_test_video_of_the_first_and_last_class(groups: dict[str, list[str]], expected: list[str]) -> None:
    assert examples(TABLE, groups) == expected


def test_frames_stand_side_by_side() -> None:
    clip = torch.tensor([-1.0, 0.0, 3.0])[None, :, None, None].expand(3, -1, 2, 4)
    shown = strip(clip)
    assert shown.shape == (2, 12, 3)
    np.testing.assert_allclose(shown[0, ::4, 0], [0, 0.5, 1])


@pytest.mark.parametrize("pose", ["coordinates", "heatmaps"])
def test_variants_show_what_they_predict(tmp_path: Path, pose: str) -> None:
    params: dict[str, Any] = yaml.safe_load(composed([f"pose={pose}"]))
    clip, poses = torch.zeros(2, 3, 4, 56, 56), torch.rand(2, 16, 17, 3)
    views = Views(clip, clip, poses, poses, torch.empty(0), torch.empty(0))
    widths = []
    for changes in ({}, {"sigma_v": 0}, {"sigma_v": 0, "sigma_p": 0}):
        output = tmp_path / "figure.png"
        draw(CSVR(params | changes, 16).eval(), views, ["a", "b"], output)
        widths.append(imread(output).shape[1])
    assert widths[0] > widths[1] > widths[2]
