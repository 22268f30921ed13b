"""Figure 4 of the paper: accuracy of each class by feature, the colour of a class name is its group."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from csvr.errors import UserError
from csvr.reporting import style
from csvr.reporting.claims import FULL
from csvr.reporting.groups import group_of, ordered
from csvr.reporting.protocols import protocol_names
from csvr.reporting.results import Results

PANEL: Final = 40
"""Classes below each other in one panel, where there are many."""
ROW: Final = 0.19
"""Height of one of these, inches."""
Values = dict[str, NDArray[np.float64]]
"""Of each read-out that there is, (S seeds, C classes), in %."""


def draw(results: Results, *outputs: Path, protocol: str = "linear_few") -> None:
    """Mean accuracy of each class over seeds, ± standard deviation, for f_s, f_d and f_i of variant full.

    Bars; or, of many classes, points in a panel for each group, as high as a page at most.

    Raises:
        UserError: There is no run of variant full with read-outs.
    """
    found = {readout: results.scores(FULL, protocol, readout) for readout in style.READOUT_COLOURS}
    present = {readout: np.stack(list(scores.values())) for readout, scores in found.items() if scores}
    if not present:
        raise UserError(f"no metrics of variant {FULL!r} have {protocol} by read-out; run snakemake --cores 8")
    every = ordered(results.expected.groups, results.classes)
    order = [name for name in every if results.classes.index(name) in results.labels]
    values = {
        readout: 100
        * np.stack([scores[:, results.labels == results.classes.index(name)].mean(axis=1) for name in order], axis=1)
        for readout, scores in present.items()
    }
    title, chance = f"Variant {FULL}. {protocol_names(results)[protocol]}", 100 / len(results.classes)
    form = bars if len(order) <= style.MANY_CLASSES else points
    form(values, order, results.expected.groups, title, chance, *outputs)


def bars(
    values: Values, order: list[str], groups: dict[str, list[str]], title: str, chance: float, *outputs: Path
) -> None:
    """One group of bars a class, side by side."""
    figure, axis = plt.subplots(figsize=(max(6.5, 0.62 * len(order) + 1.5), 4), layout="constrained")
    width = 0.8 / len(values)
    for k, (readout, found) in enumerate(values.items()):
        x = np.arange(len(order)) + (k - (len(values) - 1) / 2) * width
        axis.bar(
            x, found.mean(axis=0), 0.92 * width, yerr=_std(found), label=_name(readout, found),
            color=style.READOUT_COLOURS[readout], edgecolor="#555555", lw=0.4, error_kw={"lw": 0.8, "capsize": 1.5},
        )  # fmt: skip
    axis.axhline(chance, color="#555555", ls="--", lw=0.8, label="chance")
    axis.set_xticks(range(len(order)), order, rotation=40, ha="right", rotation_mode="anchor")
    for label, name in zip(axis.get_xticklabels(), order, strict=True):
        label.set_color(style.group_colour(group_of(groups).get(name)))
    axis.set(ylabel="top-1 (%)", ylim=(0, 100), xlim=(-0.6, len(order) - 0.4))
    if groups:
        title += "\nClass names: motion orange, context blue, both black"
    axis.set_title(title, pad=24)
    axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(values) + 1)
    style.save(figure, *outputs)


def panels(order: list[str], groups: dict[str, list[str]]) -> Iterator[tuple[str, list[int]]]:
    """Titles of panels and the places of their classes in `order`: a group or a part of one, of nearly equal sizes."""
    found = group_of(groups)
    for group in dict.fromkeys(found.get(name, "") for name in order):
        members = [place for place, name in enumerate(order) if found.get(name, "") == group]
        parts = np.array_split(members, math.ceil(len(members) / PANEL))
        for k, part in enumerate(parts, start=1):
            title = group or ("no group" if groups else "")
            yield title + (f" ({k} of {len(parts)})" if title and len(parts) > 1 else ""), part.tolist()


def points(
    values: Values, order: list[str], groups: dict[str, list[str]], title: str, chance: float, *outputs: Path
) -> None:
    """One row a class, in panels beside each other, at most four; others below them."""
    shown = list(panels(order, groups))
    columns = min(4, len(shown))
    rows = math.ceil(len(shown) / columns)
    most = max(len(places) for _, places in shown)
    figure, axes = plt.subplots(
        rows, columns, figsize=(3.3 * columns, (ROW * most + 0.8) * rows + 0.7), squeeze=False, layout="constrained"
    )
    for axis, (name, places) in zip(axes.flat, shown, strict=False):
        panel(axis, {readout: found[:, places] for readout, found in values.items()}, chance)
        axis.set_yticks(range(len(places)), [order[place] for place in places], fontsize=7)
        # As many rows in each panel, so that they are as far apart in all of them.
        axis.set(title=name, xlabel="top-1 (%)", xlim=(-2, 102), ylim=(most - 0.4, -0.6))
        colour = style.group_colour(group_of(groups).get(order[places[0]]))
        for label in [axis.title, *axis.get_yticklabels()]:
            label.set_color(colour if groups else "black")
    for axis in axes.flat[len(shown) :]:
        axis.set_visible(False)
    figure.suptitle(title, fontsize=10)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=len(values) + 1)
    style.save(figure, *outputs)


def panel(axis: Axes, values: Values, chance: float) -> None:
    """Points of some classes, a little apart so that equal ones are all seen."""
    for k, (readout, found) in enumerate(values.items()):
        y = np.arange(found.shape[1]) + 0.22 * (k - (len(values) - 1) / 2)
        axis.errorbar(
            found.mean(axis=0), y, xerr=_std(found), label=_name(readout, found), ls="", ms=3.5, mew=0.4,
            marker=style.READOUT_MARKERS[readout], mfc=style.READOUT_COLOURS[readout], mec="#333333",
            ecolor="#777777", elinewidth=0.6,
        )  # fmt: skip
    axis.axvline(chance, color="#555555", ls="--", lw=0.8, label="chance")
    axis.grid(axis="both")


def _std(found: NDArray[np.float64]) -> NDArray[np.float64] | None:
    return np.asarray(found.std(axis=0, ddof=1)) if len(found) > 1 else None


def _name(readout: str, found: NDArray[np.float64]) -> str:
    return f"{readout} (n = {len(found)} seed{'s' * (len(found) != 1)})"
