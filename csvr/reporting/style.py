"""How all figures look: one set of colours (Okabe and Ito's, safe for colour-blind readers) and sizes."""

from __future__ import annotations

import os
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#999999")
GROUP_COLOURS = {"overall": "#777777", "motion": "#E07B00", "context": "#0072B2", "both": "#000000"}
READOUT_COLOURS = {"f_s": "#CC79A7", "f_d": "#009E73", "f_i": "#F0E442"}  # none of the groups' colours

plt.rcParams.update(
    {
        "font.size": 9, "axes.titlesize": 10, "axes.spines.top": False, "axes.spines.right": False,
        "axes.grid": True, "axes.grid.axis": "y", "grid.alpha": 0.3, "axes.axisbelow": True, "legend.frameon": False,
        "svg.hashsalt": "csvr",  # names in an SVG are those of the last time
    }
)  # fmt: skip


def group_colour(group: str | None) -> str:
    """Colour of a group of classes; gray for one that the paper does not have."""
    return GROUP_COLOURS.get(group or "", "#777777")


def save(figure: Figure, *paths: Path) -> None:
    """Write a figure atomically, as PNG or as SVG by each suffix, without a date in it, and close it."""
    try:
        for path in paths:
            _save(figure, path)
    finally:
        plt.close(figure)


def _save(figure: Figure, path: Path) -> None:
    metadata = {"Date": None} if path.suffix == ".svg" else {"Software": None}
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        figure.savefig(part, format=path.suffix[1:], dpi=150, metadata=metadata)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
