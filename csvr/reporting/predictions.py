"""The figure of predictions: clips and poses that pretrained networks predict, beside the real ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray
from torch import Tensor

from csvr.pose.skeleton import KEYPOINTS, LIMBS
from csvr.pretrain.model import CSVR
from csvr.pretrain.views import Views
from csvr.reporting import style

INSTANTS = 3  # poses of the future that are drawn, evenly spread


def examples(table: pd.DataFrame, groups: dict[str, list[str]]) -> list[str]:
    """Test videos to draw: the first one of the first and of the last class of every group.

    Args:
        table: Index of the data set.
        groups: Names of groups, and the classes in each. Without any, all classes are one group.
    """
    first = table[table.split == "test"].drop_duplicates("class").set_index("class").video
    members = [[name for name in names if name in first.index] for names in groups.values()] or [list(first.index)]
    chosen = dict.fromkeys(name for names in members for name in (*names[:1], *names[-1:]))
    return [str(first[name]) for name in chosen]


def strip(clip: Tensor) -> NDArray[np.float64]:
    """Frames of a clip (3, T, h, w) in −1 … 1 side by side: (h, T·w, 3) in 0 … 1."""
    return (clip.permute(2, 1, 3, 0).flatten(1, 2).double().numpy() / 2 + 0.5).clip(0, 1)


def skeleton(axis: Axes, joints: NDArray[Any], seen: NDArray[np.bool_], **look: Any) -> None:
    """Limbs of one pose, joints (17, 2), of which `seen` (17,) are drawn."""
    for pair in LIMBS:
        a, b = (KEYPOINTS.index(name) for name in pair)
        if seen[a] and seen[b]:
            axis.plot(joints[[a, b], 0], joints[[a, b], 1], **look)


@torch.inference_mode()
def draw(model: CSVR, views: Views, titles: list[str], *outputs: Path) -> None:
    """Write the figure.

    Args:
        model: In evaluation mode.
        views: The videos to draw (`centre_views`).
        titles: Of each.
        outputs: PNG, SVG and PDF files.
    """
    maps = model.encoders(views.clip, views.poses)
    strips = [("clip", views.clip)]
    if model.video is not None:
        integrated = maps.get("f_i", maps["f_s"])
        fake = {name: generator(integrated).clips[-1] for name, generator in model.video.generators.items()}
        strips += [("reconstructed", fake["clip"]), ("future", views.future), ("predicted", fake["future"])]
    times, predicted = np.empty(0, int), views.future_poses.numpy()
    if model.pose is not None:
        times = np.linspace(0, predicted.shape[1] - 1, INSTANTS + 1).round().astype(int)[1:]
        predicted = model.pose.predict(maps["f_d"], views.poses).numpy()
    widths = [views.clip.shape[2]] * len(strips) + [1] * len(times)
    figure, axes = plt.subplots(
        len(titles), len(widths), figsize=(0.65 * sum(widths) + 1.2, 0.75 * len(titles) + 0.5), squeeze=False,
        width_ratios=widths, layout="constrained",
    )  # fmt: skip
    for n, (row, title) in enumerate(zip(axes, titles, strict=True)):
        for axis in row:
            axis.set_axis_off()
        for axis, (_, clips) in zip(row, strips, strict=False):
            axis.imshow(strip(clips[n]))
        for axis, t in zip(row[len(strips) :], times, strict=True):
            true, seen = views.future_poses[n, t].numpy(), views.future_poses[n, t, :, 2].numpy() > 0
            skeleton(axis, true, seen, color="black", lw=2.2, alpha=0.35)
            skeleton(axis, predicted[n, t], np.ones(len(true), bool), color=style.PALETTE[1], lw=1)
            axis.set(xlim=(-1.4, 1.4), ylim=(1.4, -1.4), aspect="equal")
        row[0].text(-0.02, 0.5, title, transform=row[0].transAxes, ha="right", va="center", fontsize=8)
    shown = [name for name, _ in strips] + [f"frame +{t + 1}" for t in times]
    for axis, name in zip(axes[0], shown, strict=True):
        axis.set_title(name, fontsize=8)
    if model.pose is not None:
        handles = [Line2D([], [], color="black", lw=2.2, alpha=0.35), Line2D([], [], color=style.PALETTE[1], lw=1)]
        figure.legend(handles, ["estimated pose", "predicted pose"], loc="outside lower right", ncols=2, fontsize=8)
    style.save(figure, *outputs)
