"""The ablation table as a figure: one panel a protocol, one cluster a variant, one bar a column, one dot a seed."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.artist import Artist
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from csvr.reporting import style
from csvr.reporting.protocols import protocol_names
from csvr.reporting.results import Results
from csvr.reporting.statistics import accuracy, spread


def draw(results: Results, *outputs: Path) -> None:
    """Bars are means over seeds, whiskers ± one standard deviation, dots seeds; the dashed line is chance."""
    names, masks, variants = protocol_names(results), results.masks(), results.expected.variants
    figure, axes = plt.subplots(
        len(names), 1, figsize=(1.5 * len(variants) + 2, 2.5 * len(names) + 0.8), sharex=True, squeeze=False,
        layout="constrained",
    )  # fmt: skip
    width = 0.8 / len(masks)
    for axis, (protocol, title) in zip(axes[:, 0], names.items(), strict=True):
        for row, variant in enumerate(variants):
            scores = results.scores(variant, protocol)
            if not scores:
                planned = protocol in variants[variant].protocols()
                axis.text(row, 4, "missing" if planned else "not evaluated", ha="center", color=style.GRAY)
                continue
            for column, (group, mask) in enumerate(masks.items()):
                values = 100 * np.array([accuracy(x, mask) for x in scores.values()])
                found, x = spread(values), row + (column - (len(masks) - 1) / 2) * width
                axis.bar(x, found.mean, 0.9 * width, color=style.group_colour(group), alpha=0.55)
                if found.n > 1:
                    axis.errorbar(x, found.mean, found.std, color="black", lw=1, capsize=2)
                offsets = x + np.linspace(-0.25, 0.25, found.n) * width if found.n > 1 else [x]
                axis.plot(offsets, values, "o", ms=3, mfc="white", mec="black", mew=0.6, zorder=3)
        axis.axhline(100 / len(results.classes), color="#555555", ls="--", lw=0.8)
        axis.set(title=title, ylabel="top-1 (%)", ylim=(0, 100))
    handles: list[Artist] = [Patch(color=style.group_colour(group), alpha=0.55) for group in masks]
    handles.append(Line2D([], [], ls="", marker="o", ms=3, mfc="white", mec="black", mew=0.6))
    handles.append(Line2D([], [], color="#555555", ls="--", lw=0.8))
    figure.legend(handles, [*masks, "one seed", "chance"], loc="outside upper center", ncols=len(masks) + 2)
    axes[-1, 0].set_xticks(range(len(variants)), [v.title.replace(" ", "\n", 1) for v in variants.values()])
    style.save(figure, *outputs)
