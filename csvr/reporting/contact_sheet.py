"""The figure of a data set: frames of videos of every class."""

from __future__ import annotations

import math
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from csvr.data.clips import read_video
from csvr.errors import UserError
from csvr.reporting import style
from csvr.reporting.groups import group_of, ordered, spelled

SHORT_SIDE = 96  # pixels of a frame in the figure


def frames(path: Path, count: int) -> NDArray[np.uint8]:
    """`count` frames of a video, spread over its length, as one strip; one alone is the middle one."""
    video = read_video(path, SHORT_SIDE)
    chosen = np.linspace(0, len(video) - 1, count + 2 * (count == 1)).round().astype(int)
    chosen = chosen[1:2] if count == 1 else chosen
    return np.concatenate(list(video[chosen]), axis=1)


def contact_sheet(
    table: pd.DataFrame, groups: dict[str, list[str]], *outputs: Path, videos: int = 3, each: int = 3
) -> None:
    """Draw a row of videos for every class; of many classes several to a row, with one frame of each video.

    Args:
        table: Index of the data set.
        groups: Names of groups, and the classes in each; classes in none are drawn last, in gray.
        outputs: PNG, SVG and PDF files.
        videos: Videos a class.
        each: Frames a video.

    Raises:
        UserError: The index is empty.
    """
    if table.empty:
        raise UserError("the index lists no videos; there is nothing to draw")
    classes = sorted(table["class"].unique())
    groups = spelled(groups, classes)
    order, grouped, columns = ordered(groups, classes), group_of(groups), 1
    if len(order) > style.MANY_CLASSES:
        each, columns = 1, 4
    rows = math.ceil(len(order) / columns)
    size = columns * (1.07 * each * videos + 1.6), 1.15 * rows + 0.6
    figure = plt.figure(figsize=size, layout="constrained")
    axes = figure.subplots(rows, columns * videos, squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    for k, name in enumerate(order):
        # Down each column, so that a group stays together.
        row = axes[k % rows, k // rows * videos :][:videos]
        paths = table.path[table["class"] == name].tolist()
        # Spread over the list: neighbours are clips of one scene.
        paths = [paths[k] for k in np.linspace(0, len(paths) - 1, min(videos, len(paths))).round().astype(int)]
        for axis, path in zip(row, paths, strict=False):
            axis.imshow(frames(Path(path), each))
        # Axes that are off show no label of their own.
        row[0].text(
            -0.02, 0.5, name, transform=row[0].transAxes, ha="right", va="center", fontsize=9,
            color=style.group_colour(grouped.get(name)) if groups else "black", fontweight="bold",
        )  # fmt: skip
    handles = [Line2D([], [], color=style.group_colour(group), lw=4, label=group) for group in groups]
    if handles:
        figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    # No finer than the frames are.
    style.save(figure, *outputs, dpi=100)
