"""Which classes variant full takes for which."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

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

PROTOCOLS: Final = ("linear_all", "finetune")
"""Those with one prediction a video."""


def matrices(results: Results) -> dict[str, tuple[NDArray[np.float64], int]]:
    """For each protocol the confusion matrix of variant full, read out of all features, and its number of seeds.

    Predictions of all seeds are counted together. Rows are true classes, columns predicted ones, (C, C); rows sum to 1,
    but those of classes without a test video are 0. A protocol that was not run is left out.
    """
    found = {}
    for protocol in PROTOCOLS:
        seeds = [
            cell["predictions"][protocol]["all"]
            for (name, _), cell in results.cells.items()
            if name == FULL and "all" in cell["predictions"].get(protocol, {})
        ]
        if seeds:
            true = np.tile(results.labels, len(seeds))
            from sklearn.metrics import confusion_matrix  # here: it takes over a second, and other reports do without

            shares = confusion_matrix(
                true, np.concatenate(seeds), labels=np.arange(len(results.classes)), normalize="true"
            )
            found[protocol] = shares, len(seeds)
    return found


def order(results: Results) -> list[int]:
    """Classes as they are drawn, group by group; those of no group last."""
    return [results.classes.index(name) for name in ordered(results.expected.groups, results.classes)]


def draw(results: Results, *outputs: Path) -> None:
    """Write the figure, a panel a protocol: shares of the test videos of each class in %.

    Raises:
        UserError: No run of variant full has predictions of either protocol.
    """
    found = matrices(results)
    if not found:
        raise UserError(f"no metrics of variant {FULL!r} have predictions of {' or '.join(PROTOCOLS)}; evaluate again")
    count, names, chosen = len(results.classes), protocol_names(results), order(results)
    # Of many classes no numbers are written into the cells, and the names, small as they are, have to be apart.
    side = min(9.0, 0.36 * count + 1.5) if count <= style.MANY_CLASSES else max(9.0, 0.09 * count + 1.5)
    figure, axes = plt.subplots(
        1, len(found), figsize=(side * len(found) + 0.8, side + 0.4), squeeze=False, layout="constrained"
    )
    image: Any = None
    for axis, (protocol, (shares, seeds)) in zip(axes[0], found.items(), strict=True):
        image = panel(axis, 100 * shares[np.ix_(chosen, chosen)])
        axis.set_title(f"{names[protocol]} (n = {seeds} seed{'s' * (seeds != 1)})")
        ticks(axis, results, chosen)
    axes[0, 0].set_ylabel("true class")
    figure.colorbar(image, ax=axes[0].tolist(), label="videos of the true class (%)", shrink=0.8)
    style.save(figure, *outputs)


def panel(axis: Axes, percent: NDArray[np.float64]) -> Any:
    """One matrix, (C, C) in %."""
    image = axis.imshow(percent, cmap="cividis", vmin=0, vmax=100)
    axis.grid(visible=False)
    if len(percent) <= style.MANY_CLASSES:
        for (row, column), share in np.ndenumerate(percent):
            if share >= 0.5:
                ink = "black" if share > 55 else "white"
                axis.text(column, row, f"{share:.0f}", ha="center", va="center", fontsize=6, color=ink)
    return image


def ticks(axis: Axes, results: Results, chosen: list[int]) -> None:
    """Class names in the colours of their groups."""
    groups = group_of(results.expected.groups)
    names, size, turned = [results.classes[k] for k in chosen], 8.0, 60
    if len(names) > style.MANY_CLASSES:
        size, turned = 4.5, 90
        ends = [k for k in range(1, len(names)) if groups.get(names[k]) != groups.get(names[k - 1])]
        for end in ends:
            axis.axvline(end - 0.5, color="white", lw=0.5)
            axis.axhline(end - 0.5, color="white", lw=0.5)
    place: dict[str, Any] = {"ha": "right", "va": "center" if turned == 90 else "top", "rotation_mode": "anchor"}
    axis.set_xticks(range(len(names)), names, rotation=turned, fontsize=size, **place)
    axis.set_yticks(range(len(names)), names, fontsize=size)
    for label, name in zip([*axis.get_xticklabels(), *axis.get_yticklabels()], names * 2, strict=True):
        label.set_color(style.group_colour(groups.get(name)))
    axis.set_xlabel("predicted class")
