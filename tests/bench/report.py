"""Raw measurements as a page: goals first, then every figure, by goal."""

from __future__ import annotations

import importlib
import os
import platform
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt

from csvr.files import write_text
from csvr.tracking.checkout import git_state
from csvr.tracking.machine import host
from tests.bench.figures import CSVR, RUNS, Bench, Figure, Figures, Goal

TITLES = {
    "iframes": "1. I-frame extraction", "loading": "2. Clip loading", "poses": "3. Pose extraction",
    "step": "4. Training step", "evaluation": "5. Evaluation", "dag": "6. The DAG", "growth": "7. Growth",
}  # fmt: skip
PACKAGES = ("torch", "av", "opencv-python-headless", "numpy", "scikit-learn", "snakemake", "sacred", "openpifpaf")
PEERS = "FFmpeg of the peers: Debian's `ffmpeg`, and what PyAV, OpenCV, decord and torchcodec bring or find."


def write(path: Path, bench: Bench, goals: Iterable[str]) -> None:
    """The page, and beside it `growth.png` and `iframes.png`, of all that is measured of the sources as they are."""
    lines = ["# Benchmarks", "", *machine(), "", *summary(bench, goals), ""]
    for goal in goals:
        figures = bench.figures(goal)
        lines += [
            f"## {TITLES[goal]}",
            "",
            (importlib.import_module(f"tests.bench.{goal}").__doc__ or "").split(": ", 1)[1].capitalize(),
            "",
        ]
        for case in figures.cases():
            lines += [*table(case, [figure for figure in figures.all if figure.case == case]), ""]
        if not figures.all:
            lines += ["Not measured.", ""]
        elif (draw := DRAWN.get(goal)) is not None:
            draw(figures, path.with_name(f"benchmarks_{goal}.png"))
            lines += [f"![{TITLES[goal]}](benchmarks_{goal}.png)", ""]
    write_text(path, "\n".join(lines))


def machine() -> list[str]:
    """Hardware, versions, and how to read the rest."""
    found, state = host(), git_state()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    commit = (
        "no commit"
        if state is None
        else f"commit {str(state.get('commit'))[:12]}{', with changes' * bool(state.get('dirty'))}"
    )
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return [
        f"{found['cpu']}, {found['cores']} cores, {memory:.0f} GB, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}; {gpu()}; {commit}. {versions}. {PEERS}",
        "",
        f"Medians of {RUNS} runs (or of more or fewer, as it says) by turns, one thread where not said otherwise. "
        "Spread: half the distance from the least to the largest, by the median. Ratio: of the median to csvr's; "
        "above 1, csvr is better where less is better. `make bench` makes this page; docs/performance.md says how "
        "to read it and what was tried.",
    ]  # fmt: skip


def gpu() -> str:
    """Its name, or that there is none."""
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU here"


def summary(bench: Bench, goals: Iterable[str]) -> list[str]:
    """One row a goal: what was asked, what was found, whether that is met."""
    rows = ["| | Goal | Found | Limit | |", "|---|---|--:|--:|---|"]
    for goal in goals:
        for found in importlib.import_module(f"tests.bench.{goal}").goals(bench.figures(goal)):
            text = f"{found.text} ({found.note})" if found.note else found.text
            rows.append(f"| {TITLES[goal][:1]} | {text} | {' | '.join(outcome(found))} |")
    return rows


def outcome(goal: Goal) -> tuple[str, str, str]:
    """What was found, the limit, and whether it is met."""
    limit = f"{'≥' if goal.least else '≤'} {number(goal.limit)} {goal.unit}".strip()
    if goal.met is None or goal.found is None:
        return "not measured", limit, ""
    near = number(goal.found) == number(goal.limit) and not goal.met
    return f"{number(goal.found, 4 if near else 3)} {goal.unit}".strip(), limit, "met" if goal.met else "**missed**"


def table(case: str, figures: list[Figure]) -> list[str]:
    """All ways of one case, csvr's first."""
    figures = sorted(figures, key=lambda figure: figure.name != CSVR)
    unit = figures[0].unit
    own = figures[0].median if figures[0].name == CSVR and len(figures) > 1 else float("nan")
    rows = [f"**{case}**", "", f"| | {heading(unit)} | Spread | Ratio | Runs | |", "|---|--:|--:|--:|--:|---|"]
    for figure in figures:
        if not figure.values:
            rows.append(f"| {figure.name} | – | – | – | 0 | {figure.note} |")
            continue
        half = (max(figure.values) - min(figure.values)) / 2
        spread = f"± {100 * half / figure.median:.0f} %" if len(figure.values) > 1 and figure.median else ""
        ratio = f"{figure.median / own:.2f}" if own == own and own and figure.unit == unit else ""
        shown = number(figure.median * (1e3 if figure.unit == "s" else 1))
        rows.append(f"| {figure.name} | {shown} | {spread} | {ratio} | {len(figure.values)} | {figure.note} |")
    return rows


def heading(unit: str) -> str:
    """Times are shown in milliseconds."""
    return "ms" if unit == "s" else unit


def number(value: float, digits: int = 3) -> str:
    """So many digits that count, but all before the point."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.{digits}g}"


def draw_growth(figures: Figures, path: Path) -> None:
    """Time of each step over the number of videos, with the exponent that fits."""
    from tests.bench import growth

    matplotlib.use("agg")
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for axis, kind, label in zip(axes, (growth.TIME, growth.MEMORY), ("seconds", "peak memory, MB"), strict=True):
        for step in growth.STEPS:
            case = f"{kind} {step}"
            counts, values = growth.curve(figures, case)
            if len(counts) > 1:
                axis.loglog(counts, values, "o-", label=f"{step}: exponent {growth.exponent(figures, case):.2f}")
        axis.set(xlabel="videos", ylabel=label)
        axis.legend(fontsize=7)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def draw_iframes(figures: Figures, path: Path) -> None:
    """CPU time of each way on each video."""
    matplotlib.use("agg")
    cases = figures.cases()
    names = list(dict.fromkeys(f.name for f in figures.all if f.unit == "s" and f.values))
    figure, axis = plt.subplots(figsize=(9, 0.9 * len(cases) + 1.5), layout="constrained")
    for k, name in enumerate(names):
        places = [c + (k - len(names) / 2) * 0.8 / len(names) for c in range(len(cases))]
        values = [1e3 * (figures.median(case, name) or float("nan")) for case in cases]
        axis.barh(places, values, 0.8 / len(names), label=name)
    axis.set(yticks=range(len(cases)), yticklabels=cases, xlabel="CPU time of a video, ms (logarithmic)", xscale="log")
    axis.invert_yaxis()
    axis.legend(fontsize=7)
    figure.savefig(path, dpi=150)
    plt.close(figure)


DRAWN = {"growth": draw_growth, "iframes": draw_iframes}
