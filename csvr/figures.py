"""Draw a data set: python -m csvr.figures contact-sheet --index index.csv --output dataset.png

One row a class: three of its videos, three frames of each. The colour of a class name is its group.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from csvr import cli
from csvr.data import index
from csvr.data.clips import read_video
from csvr.errors import UserError

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.lines import Line2D

COLOURS = ("tab:blue", "tab:green", "tab:orange", "tab:purple", "tab:red")
SHORT_SIDE = 96  # pixels of a frame in the figure


def frames(path: Path, count: int) -> NDArray[np.uint8]:
    """`count` frames of a video, spread over its length, as one strip."""
    video = read_video(path, SHORT_SIDE)
    chosen = np.linspace(0, len(video) - 1, count).round().astype(int)
    return np.concatenate(list(video[chosen]), axis=1)


def contact_sheet(
    table: pd.DataFrame, groups: dict[str, list[str]], output: Path, videos: int = 3, each: int = 3
) -> None:
    """Draw a row of videos for every class.

    Args:
        table: Index of the data set.
        groups: Names of groups, and the classes in each; classes in none are drawn last, in black.
        output: PNG file.
        videos: Videos a class.
        each: Frames a video.

    Raises:
        UserError: The index is empty.
    """
    if table.empty:
        raise UserError("the index lists no videos; there is nothing to draw")
    group_of = {name: group for group, names in groups.items() for name in names}
    colour = dict(zip(groups, COLOURS, strict=False))
    order = sorted(table["class"].unique(), key=lambda name: (list(groups) + [None]).index(group_of.get(name)))
    figure, axes = plt.subplots(
        len(order), videos, figsize=(3.2 * videos + 1.6, 1.15 * len(order) + 0.6), squeeze=False, layout="constrained"
    )
    for row, name in zip(axes, order, strict=True):
        paths = table.path[table["class"] == name].tolist()
        # Spread over the list: neighbours are clips of one scene.
        paths = [paths[k] for k in np.linspace(0, len(paths) - 1, min(videos, len(paths))).round().astype(int)]
        for axis in row:
            axis.set_axis_off()
        for axis, path in zip(row, paths, strict=False):
            axis.imshow(frames(Path(path), each))
        # Axes that are off show no label of their own.
        row[0].text(
            -0.02, 0.5, name, transform=row[0].transAxes, ha="right", va="center", fontsize=9,
            color=colour.get(group_of.get(name, ""), "black"), fontweight="bold",
        )  # fmt: skip
    handles = [Line2D([], [], color=colour.get(group, "black"), lw=4, label=group) for group in groups]
    if handles:
        figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), frameon=False)
    output.parent.mkdir(parents=True, exist_ok=True)
    part = output.with_name(f"{output.name}.{os.getpid()}.part")
    # No date or version in the file: the same videos give the same bytes.
    figure.savefig(part, dpi=110, format="png", metadata={"Software": None})
    plt.close(figure)
    os.replace(part, output)


def main() -> None:
    """Parse flags, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    sheet = commands.add_parser("contact-sheet", help="a row of videos for every class")
    sheet.add_argument("--index", type=Path, required=True, help="index of the data set (python -m csvr.index)")
    sheet.add_argument("--groups", type=cli.parameters, help="groups of classes: YAML text or file")
    sheet.add_argument("--output", type=Path, required=True, help="PNG file")
    args = parser.parse_args()
    groups: dict[str, Any] = args.groups or {}
    contact_sheet(index.read(args.index), groups, args.output)


if __name__ == "__main__":
    cli.run(main)
