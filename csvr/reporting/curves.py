"""Training curves: one panel a column of the histories, one colour a variant, mean ± standard deviation over seeds."""

from __future__ import annotations

import math
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.lines import Line2D

from csvr.data.shards import header
from csvr.errors import UserError
from csvr.files import sha256
from csvr.refusal import require
from csvr.reporting import style
from csvr.reporting.results import Expectation

FIRST = ("loss", "video", "pose", "context")  # panels in this order, other columns after them as they come


def check(path: Path, expected: Expectation) -> None:
    """Refuse a history that does not belong to the networks beside it, or these to the parameters and the code.

    Raises:
        UserError: Names the file, both values and the command that mends it.
    """
    names, _ = expected.rows(path)
    networks = path.with_name("networks.safetensors")
    made = header(networks)
    params = {key: value for key, value in expected.variants[names[0]].params.items() if key in made["params"]}
    found = {"history_sha256": sha256(path), "code": expected.code["pretrain"], "params": params}
    # What is there against what the networks say: the message reads "made with (networks), expected (asked for)".
    require(networks, {key: made.get(key) for key in found}, found, f"snakemake --cores 8 {path} --forcerun pretrain")


def read(paths: list[Path], expected: Expectation) -> pd.DataFrame:
    """All histories in long form: variant, seed, step, term, value.

    Raises:
        UserError: A path that is not of a cell that the report expects, or a file that is no history.
    """
    frames = []
    for path in paths:
        names, seed = expected.rows(path)
        try:
            table = pd.read_csv(path)
            rows = table.drop(columns="run").melt(id_vars="step", var_name="term")
            rows["value"] = pd.to_numeric(rows["value"])
        except (OSError, ValueError, KeyError) as error:
            raise UserError(
                f"{path}: no history of csvr.pretrain ({error}); run snakemake --cores 8 {path} --forcerun pretrain"
            ) from error
        frames += [rows.assign(variant=name, seed=seed) for name in names]
    return pd.concat(frames, ignore_index=True)


def draw(paths: list[Path], expected: Expectation, *outputs: Path) -> None:
    """Draw mean ± standard deviation over seeds.

    Raises:
        UserError: As `check` and `read`, or no file has a curve.
    """
    for path in paths:
        check(path, expected)
    table = read(paths, expected).dropna(subset="value")
    if table.empty:
        raise UserError("none of the histories has a curve; the variants were not trained")
    terms = sorted(table.term.unique(), key=lambda t: FIRST.index(t) if t in FIRST else len(FIRST))
    variants = [name for name in expected.variants if name in set(table.variant)]
    columns = min(3, len(terms))
    rows = math.ceil(len(terms) / columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(3.6 * columns, 2.4 * rows + 0.6), squeeze=False, layout="constrained"
    )
    for axis, term in zip(axes.flat, terms, strict=False):
        for k, variant in enumerate(variants):
            chosen = table[(table.term == term) & (table.variant == variant)]
            grouped = chosen.groupby("step")["value"]
            mean, std = grouped.mean(), grouped.std(ddof=1).fillna(0)
            colour = style.PALETTE[k % len(style.PALETTE)]
            axis.plot(mean.index, mean, color=colour, lw=1.2, ls="-" if k < len(style.PALETTE) else "--")
            axis.fill_between(mean.index, mean - std, mean + std, color=colour, alpha=0.15, lw=0)
        axis.set(title=term, xlabel="step")
    for axis in axes.flat[len(terms) :]:
        axis.set_visible(False)
    handles = [
        Line2D([], [], color=style.PALETTE[k % len(style.PALETTE)], ls="-" if k < len(style.PALETTE) else "--")
        for k in range(len(variants))
    ]
    figure.legend(handles, variants, loc="outside upper center", ncols=min(4, len(variants)))
    style.save(figure, *outputs)
