"""Figures of what pretrained features hold: nearest videos, maps in two dimensions, the integration layer's mask."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray
from sklearn.manifold import TSNE
from torch import Tensor

from csvr.data.batches import Features
from csvr.errors import UserError
from csvr.evaluation.frozen import Frozen
from csvr.evaluation.pretext import centre_views
from csvr.evaluation.retrieval import ranked
from csvr.pretrain.model import CSVR
from csvr.reporting import style
from csvr.reporting.groups import group_of
from csvr.reporting.predictions import examples

Array = NDArray[np.float64]
NEIGHBOURS: Final = 5
SHOWN: Final = 4
"""Frames of a clip that the mask is drawn over."""
RIGHT, WRONG = style.PALETTE[:2]
MARKERS: Final = "osD^vP*X<>hp"


class Inputs(NamedTuple):
    """What all figures are drawn from.

    Attributes:
        model: Networks in evaluation mode.
        features: Stored clips and poses.
        table: Index of the data set.
        groups: Names of groups, and the classes in each.
        frozen: Features of all videos; None for the mask.
        names: The features that pretraining trains (`csvr.evaluation.measure.readouts`).
    """

    model: CSVR
    features: Features
    table: pd.DataFrame
    groups: dict[str, list[str]]
    frozen: Frozen | None
    names: list[str]


def flat(values: Array, seed: int = 0) -> Array:
    """t-SNE (van der Maaten and Hinton 2008) of standardised features (V, D): (V, 2), the same for the same input.

    The perplexity is 30, or a third of the videos if these are few. Features that are all the same lie at 0.

    Raises:
        UserError: Fewer than four videos.
    """
    if len(values) < 4:
        raise UserError(f"a feature map needs at least 4 test videos, not {len(values)}")
    mean, std = values.mean(0), values.std(0)
    # What differs by rounding alone is the same. Scikit-learn crashes where nothing differs.
    varied = std > 1e-6 * (1 + np.abs(mean))
    if not varied.any():
        return np.zeros((len(values), 2))
    normal = (values[:, varied] - mean[varied]) / std[varied]
    perplexity = min(30.0, (len(values) - 1) / 3)
    found = TSNE(perplexity=perplexity, init="pca", random_state=seed, n_jobs=1).fit_transform(normal)
    return np.asarray(found, dtype=np.float64)


def over_frames(mask: Tensor, size: tuple[int, int, int]) -> Tensor:
    """M as large as the clip, mean over channels: (N, 1 or C, t, h, w) → (N, T, H, W), trilinear, in 0 … 1."""
    return F.interpolate(mask.mean(1, keepdim=True), size=size, mode="trilinear", align_corners=False)[:, 0]


def picture(features: Features, video: str) -> NDArray[np.uint8]:
    """The frame in the middle of a video as it is stored: (h, w, 3)."""
    start = (features.length(video) - features.shape.span) // 2
    frames = features.images(video, start)
    return np.asarray(frames[:, frames.shape[1] // 2].permute(1, 2, 0).numpy())


def framed(axis: Axes, image: NDArray[Any], colour: str) -> None:
    """A picture with a frame of a colour around it."""
    axis.imshow(image)
    axis.grid(visible=False)
    axis.set(xticks=[], yticks=[])
    for spine in axis.spines.values():
        spine.set(visible=True, color=colour, linewidth=2.5)


def draw_retrieval(inputs: Inputs, *outputs: Path) -> None:
    """Queries from the first and last class of each group with their nearest training videos, by all features."""
    part = {split: inputs.table[inputs.table.split == split].reset_index(drop=True) for split in ("train", "test")}
    chosen = part["test"][part["test"].video.isin(examples(inputs.table, inputs.groups))].reset_index(drop=True)
    assert inputs.frozen is not None
    known, asked = (inputs.frozen.of(inputs.names, rows.video.tolist()) for rows in (part["train"], chosen))
    order = ranked(known, asked)[:, :NEIGHBOURS]
    figure, axes = plt.subplots(
        len(chosen), order.shape[1] + 1, figsize=(1.25 * (order.shape[1] + 1) + 0.4, 1.5 * len(chosen) + 0.5),
        squeeze=False, layout="constrained",
    )  # fmt: skip
    for row, (query, nearest) in enumerate(zip(chosen.itertuples(), order, strict=True)):
        framed(axes[row, 0], picture(inputs.features, str(query.video)), "black")
        axes[row, 0].set_xlabel(query[chosen.columns.get_loc("class") + 1], fontsize=7)
        for axis, k in zip(axes[row, 1:], nearest, strict=True):
            right = part["train"].label[k] == query.label
            framed(axis, picture(inputs.features, part["train"].video[k]), RIGHT if right else WRONG)
            axis.set_xlabel(("✓ " if right else "✗ ") + part["train"]["class"][k], fontsize=7)
    for axis, name in zip(axes[0], ["query", *map(str, range(1, order.shape[1] + 1))], strict=True):
        axis.set_title(name, fontsize=8)
    figure.legend(
        handles=[Line2D([], [], color=RIGHT, lw=3), Line2D([], [], color=WRONG, lw=3)],
        labels=["same class as the query", "another class"], loc="outside lower center", ncols=2, fontsize=8,
    )  # fmt: skip
    style.save(figure, *outputs)


def draw_map(inputs: Inputs, *outputs: Path) -> None:
    """f_s, f_d and f_i of all test videos: colours are groups, markers classes; without groups colours are classes."""
    test = inputs.table[inputs.table.split == "test"]
    assert inputs.frozen is not None
    shown = inputs.names
    groups = inputs.groups or {name: [name] for name in sorted(test["class"].unique())}
    grouped = group_of(groups)
    colours: dict[str, Any] = {group: style.group_colour(group) for group in groups}
    if not inputs.groups:
        colours = dict(style.ramp(groups))
    figure, axes = plt.subplots(1, len(shown), figsize=(3.4 * len(shown), 4), squeeze=False, layout="constrained")
    handles: dict[str, Line2D] = {}
    for axis, name in zip(axes[0], shown, strict=True):
        points = flat(inputs.frozen.of([name], test.video.tolist()))
        for label in dict.fromkeys(test["class"]):
            group = grouped.get(label)
            members = groups.get(group or "", [label])
            look: dict[str, Any] = {
                "ls": "", "marker": MARKERS[members.index(label) % len(MARKERS)], "ms": 4.5, "alpha": 0.8,
                "mec": "white", "mew": 0.4, "color": colours.get(group or "", style.GRAY),
            }  # fmt: skip
            inside = (test["class"] == label).to_numpy()
            (handles[label],) = axis.plot(points[inside, 0], points[inside, 1], **look)
        axis.set(title=name, xticks=[], yticks=[])
        axis.grid(visible=False)
    if len(handles) > style.MANY_CLASSES:
        handles = {name: Line2D([], [], ls="", marker="o", ms=4.5, color=colours[name]) for name in inputs.groups}
    if handles:
        figure.legend(handles.values(), handles, loc="outside lower center", ncols=5, fontsize=7)
    style.save(figure, *outputs)


@torch.inference_mode()
def draw_mask(inputs: Inputs, *outputs: Path) -> None:
    """Frames of test videos, and over them M: 1 takes the side with motion, 0 the clip's own feature.

    Raises:
        UserError: The integration layer has no mask.
    """
    videos = examples(inputs.table, inputs.groups)
    titles = inputs.table.set_index("video").loc[videos, "class"].tolist()
    views = centre_views(inputs.features, videos)
    maps = inputs.model.encoders(views.clip, views.poses)
    if "mask" not in maps:
        raise UserError("the integration layer has no mask (model.integration.mode); take `mask` from `figures`")
    frames, height, width = views.clip.shape[2:]
    masks = over_frames(maps["mask"], (frames, height, width)).double().numpy()
    clips = (views.clip.permute(0, 2, 3, 4, 1).double().numpy() / 2 + 0.5).clip(0, 1)
    times = np.unique(np.linspace(0, frames - 1, SHOWN).round().astype(int))
    low, high = float(masks.min()), float(masks.max())
    figure, axes = plt.subplots(
        len(videos), 2 * len(times), figsize=(0.85 * 2 * len(times) + 2.2, 0.86 * len(videos) + 0.4), squeeze=False,
        layout="constrained",
    )  # fmt: skip
    image: Any = None
    for row, (clip, mask, title) in enumerate(zip(clips, masks, titles, strict=True)):
        for column, t in enumerate(times):
            plain, covered = axes[row, 2 * column], axes[row, 2 * column + 1]
            plain.imshow(clip[t])
            covered.imshow(clip[t].mean(-1), cmap="gray", vmin=0, vmax=1)
            image = covered.imshow(mask[t], cmap="cividis", vmin=low, vmax=high, alpha=0.65)
            if row == 0:
                plain.set_title(f"frame {t * inputs.features.shape.stride}", fontsize=8)
                covered.set_title("M", fontsize=8)
        axes[row, 0].text(
            -0.06, 0.5, title, transform=axes[row, 0].transAxes, ha="right", va="center", fontsize=8
        )  # fmt: skip
    for axis in axes.flat:
        axis.set_axis_off()
    figure.colorbar(image, ax=axes.ravel().tolist(), label="M", shrink=0.7)
    style.save(figure, *outputs)


DRAWN: Final = {"retrieval": draw_retrieval, "features": draw_map, "mask": draw_mask}
