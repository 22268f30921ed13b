"""How all figures look: colours that colour-blind readers tell apart, sizes, and the formats that they are saved in."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from csvr.errors import UserError
from csvr.files import part_of

PALETTE: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#585858")
"""Okabe and Ito's, and a gray that is darker than theirs, which is their pink to who sees no green."""
GROUP_COLOURS: Final = {"overall": "#777777", "motion": "#E07B00", "context": "#0072B2", "both": "#000000"}
READOUT_COLOURS: Final = {"f_s": "#882255", "f_d": "#009E73", "f_i": "#F0E442"}
"""None of the groups' colours; from dark to light, so that they are apart in gray print too."""
READOUT_MARKERS: Final = {"f_s": "o", "f_d": "s", "f_i": "D"}
GRAY: Final = "#777777"
MANY_CLASSES: Final = 30
"""Of more classes figures have another form: what one row or one bar a class would make of them is not readable."""

plt.rcParams.update(
    {
        "font.size": 9, "axes.titlesize": 10, "axes.spines.top": False, "axes.spines.right": False,
        "axes.grid": True, "axes.grid.axis": "y", "grid.alpha": 0.3, "axes.axisbelow": True, "legend.frameon": False,
        "text.parse_math": False,  # a name with two dollars is a name and no formula
        "svg.hashsalt": "csvr",  # names in an SVG are those of the last time
        "pdf.fonttype": 42,  # TrueType: journals refuse Type 3
    }
)  # fmt: skip

NO_DATE: Final[dict[str, dict[str, Any]]] = {
    ".png": {"Software": None},
    ".svg": {"Date": None},
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
"""Metadata by suffix: the same figure gives the same bytes."""


def group_colour(group: str | None) -> str:
    """Colour of a group of classes; gray for one that the paper does not have."""
    return GROUP_COLOURS.get(group or "", GRAY)


def ramp(names: Iterable[str]) -> dict[str, tuple[float, ...]]:
    """Colours of things without a colour of their own, from dark blue to light yellow (cividis, made for the
    colour-blind)."""
    every = list(names)
    return dict(zip(every, map(tuple, plt.get_cmap("cividis")(np.linspace(0, 0.95, len(every)))), strict=True))


def save(figure: Figure, *paths: Path, dpi: float = 150) -> None:
    """Write a figure atomically, as PNG, SVG or PDF by each suffix, without a date in it, and close it.

    Raises:
        UserError: Another suffix; nothing is written.
    """
    try:
        wrong = [path for path in paths if path.suffix not in NO_DATE]
        if wrong:
            raise UserError(f"{wrong[0]}: figures are written as {', '.join(NO_DATE)}")
        if figure.get_layout_engine() is not None and len(paths) > 1:
            # Once, and not again for each format: of hundreds of axes it takes most of the time.
            figure.set_dpi(dpi)
            figure.draw_without_rendering()
            figure.set_layout_engine("none")
        for path in paths:
            _save(figure, path, dpi)
    finally:
        plt.close(figure)


def _save(figure: Figure, path: Path, dpi: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = part_of(path)
    try:
        figure.savefig(part, format=path.suffix[1:], dpi=dpi, metadata=NO_DATE[path.suffix])
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
