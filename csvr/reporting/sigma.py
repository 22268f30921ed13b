"""Figure 3 of the paper: accuracy for combinations of the loss weights σ_p and σ_c, as a table and as a figure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D

from csvr.reporting import formats, style
from csvr.reporting.cells import Differences, accuracy_cells
from csvr.reporting.claims import FULL
from csvr.reporting.formats import environment, table
from csvr.reporting.origin import footer, run_rows
from csvr.reporting.protocols import protocol_names
from csvr.reporting.results import OVERALL, Results
from csvr.reporting.statistics import accuracy, spread

WEIGHTS: Final = ("sigma_p", "sigma_c")
"""What the sweep varies, in the order of the table's columns."""


def weights_text(sigma_p: float, sigma_c: float) -> str:
    """What names a row of the table."""
    return f"σ_p = {sigma_p:g}, σ_c = {sigma_c:g}"


@dataclass(frozen=True)
class Point:
    """One pair of weights, and the variant that has them."""

    sigma_p: float
    sigma_c: float
    variant: str


def points(results: Results) -> list[Point]:
    """The pairs in ascending order; a variant that only serves as the reference (not in the grid) is one too."""
    found = [
        Point(float(v.params["sigma_p"]), float(v.params["sigma_c"]), name)
        for name, v in results.expected.variants.items()
    ]
    return sorted(found, key=lambda point: (point.sigma_p, point.sigma_c))


def write(results: Results, output: Path) -> None:
    """Write the table in all formats: a row a pair, for each protocol."""
    names, columns = protocol_names(results), list(results.masks())
    differences = Differences(
        results, [(point.variant, protocol, "all") for protocol in names for point in points(results)]
    )
    shown = [
        table(
            title,
            ["σ_p", "σ_c", *columns, *(f"Δ {column}" for column in columns)],
            [
                [
                    f"{point.sigma_p:g}", f"{point.sigma_c:g}", *accuracy_cells(results, point.variant, protocol),
                    *differences.cells[point.variant, protocol, "all"],
                ]
                for point in points(results)
            ],
            left=0,
        )
        for protocol, title in names.items()
    ]  # fmt: skip
    values: dict[str, Any] = {
        "expected": results.expected,
        "base": next(point for point in points(results) if point.variant == FULL),
        "protocols": shown,
        "count": int(results.masks()[OVERALL].sum()),
        "chance": f"{100 / len(results.classes):.1f}",
        "missing": [f"{variant} seed {seed}" for variant, seed in results.missing()],
        "footer": footer(results),
        "runs": run_rows(results),
    }
    text = environment().get_template("sigma.md.j2").render(values | differences.about())
    formats.write(output, text, shown, "protocol")


def draw(results: Results, *outputs: Path) -> None:
    """A panel a protocol, a line a σ_c over σ_p: mean over seeds ± one standard deviation; the ring is full."""
    names, mask = protocol_names(results), results.masks()[OVERALL]
    figure, axes = plt.subplots(
        1, len(names), figsize=(3.4 * len(names) + 0.4, 3.2), sharey=True, squeeze=False, layout="constrained"
    )
    ticks = sorted({point.sigma_p for point in points(results)})
    for axis, (protocol, title) in zip(axes[0], names.items(), strict=True):
        for k, sigma_c in enumerate(sorted({point.sigma_c for point in points(results)})):
            x, mean, std = [], [], []
            for point in points(results):
                scores = results.scores(point.variant, protocol)
                if point.sigma_c != sigma_c or not scores:
                    continue
                found = spread(100 * np.array([accuracy(values, mask) for values in scores.values()]))
                # By rank: the values differ by orders of magnitude, and 0 has no place on a logarithmic axis.
                x.append(ticks.index(point.sigma_p))
                mean.append(found.mean)
                std.append(found.std if found.n > 1 else 0.0)
                if point.variant == FULL:
                    axis.plot(x[-1], mean[-1], "o", ms=10, mfc="none", mec="black")
            colour = style.PALETTE[k % len(style.PALETTE)]
            axis.errorbar(x, mean, std, color=colour, marker="o", ms=4, lw=1.2, capsize=2, label=f"σ_c = {sigma_c:g}")
        axis.axhline(100 / len(results.classes), color="#555555", ls="--", lw=0.8, label="chance")
        axis.set_xticks(range(len(ticks)), [f"{value:g}" for value in ticks])
        axis.set(title=title, xlabel="σ_p", ylim=(0, 100))
    axes[0, 0].set_ylabel("top-1 (%)")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    handles.append(Line2D([], [], ls="", marker="o", ms=10, mfc="none", mec="black"))
    labels.append("variant full")
    figure.legend(handles, labels, loc="outside upper center", ncols=max(1, len(labels)))
    style.save(figure, *outputs)
