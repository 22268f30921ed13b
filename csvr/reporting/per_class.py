"""Figure 4 of the paper: accuracy of each class by feature, the colour of a class name is its group."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from csvr.errors import UserError
from csvr.reporting import style
from csvr.reporting.claims import FULL
from csvr.reporting.protocols import protocol_names
from csvr.reporting.results import Results


def draw(results: Results, output: Path, protocol: str = "linear_few") -> None:
    """Mean accuracy of each class over seeds, ± standard deviation, for f_s, f_d and f_i of variant full.

    Raises:
        UserError: There is no run of variant full with read-outs.
    """
    found = {readout: results.scores(FULL, protocol, readout) for readout in style.READOUT_COLOURS}
    present = {readout: np.stack(list(scores.values())) for readout, scores in found.items() if scores}
    if not present:
        raise UserError(f"no metrics of variant {FULL!r} have {protocol} by read-out; run snakemake --cores 8")
    group_of = {name: group for group, members in results.expected.groups.items() for name in members}
    grouped = [*group_of, *(name for name in results.classes if name not in group_of)]
    order = [name for name in grouped if results.classes.index(name) in results.labels]
    figure, axis = plt.subplots(figsize=(max(6.5, 0.62 * len(order) + 1.5), 4), layout="constrained")
    width = 0.8 / len(present)
    for k, (readout, scores) in enumerate(present.items()):
        # (S seeds, V videos) → (S, classes), in %
        values = 100 * np.stack(
            [scores[:, results.labels == results.classes.index(name)].mean(axis=1) for name in order], axis=1
        )
        x = np.arange(len(order)) + (k - (len(present) - 1) / 2) * width
        std = values.std(axis=0, ddof=1) if len(values) > 1 else None
        axis.bar(
            x, values.mean(axis=0), 0.92 * width, yerr=std, label=f"{readout} (n = {len(values)} seeds)",
            color=style.READOUT_COLOURS[readout], edgecolor="#555555", lw=0.4, error_kw={"lw": 0.8, "capsize": 1.5},
        )  # fmt: skip
    axis.axhline(100 / len(results.classes), color="#555555", ls="--", lw=0.8, label="chance")
    axis.set_xticks(range(len(order)), order, rotation=40, ha="right", rotation_mode="anchor")
    for label, name in zip(axis.get_xticklabels(), order, strict=True):
        label.set_color(style.group_colour(group_of.get(name)))
    axis.set(ylabel="top-1 (%)", ylim=(0, 100), xlim=(-0.6, len(order) - 0.4))
    title = f"Variant {FULL}. {protocol_names(results)[protocol]}"
    if results.expected.groups:
        title += "\nClass names: motion orange, context blue, both black"
    axis.set_title(title, pad=24)
    axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(present) + 1)
    style.save(figure, output)
