"""Goal 7: time and memory at 1, 10 and 100 times as many videos, and the exponent that fits them."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np

from tests.bench import media
from tests.bench.figures import RUNS, Bench, Figures, Goal, run
from workflow.scripts.compose_params import composed

BASE, TIMES = 20, (1, 10, 100)
"""Videos at 1×, and the factors."""
TIME, MEMORY = "seconds of", "peak memory of"
STEPS = ("I-frames", "clips", "one epoch", "evaluation", "plan of the DAG")
LIMIT = 1.05


def measure(bench: Bench) -> None:
    """Each step in a process of its own, so that its peak memory is its own."""
    for times in TIMES[: 2 if bench.quick else None]:
        count = (8 if bench.quick else BASE) * times
        if f"{TIME} I-frames" in bench.figures(bench.goal).cases() and done(bench, count):
            continue
        folder = videos(bench, count)
        found = {step: list[tuple[float, float]]() for step in STEPS}
        for _ in range(1 if bench.quick else RUNS):
            for step in STEPS[:-1]:
                found[step].append(alone("-m", "tests.bench.grown", step, folder, str(count)))
            found[STEPS[-1]].append(plan(bench, times, folder))
        for step, runs in found.items():
            for case, unit, values in zip((TIME, MEMORY), ("s", "MB"), zip(*runs, strict=True), strict=True):
                bench.keep(f"{case} {step}", {f"{count} videos": list(values)}, unit)


def done(bench: Bench, count: int) -> bool:
    """Whether all steps are measured with so many videos."""
    found = bench.figures(bench.goal)
    return all(found.median(f"{TIME} {step}", f"{count} videos") is not None for step in STEPS)


def videos(bench: Bench, count: int) -> Path:
    """A folder of `count` videos: a few drawn ones, linked under many names."""
    drawn = media.drawn(bench.scratch / "drawn", 8 if bench.quick else BASE)
    folder = bench.scratch / f"grown_{count}"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "videos").mkdir(parents=True)
    for k in range(count):
        (folder / "videos" / f"v{k:05d}.avi").hardlink_to(drawn[k % len(drawn)])
    return folder


def plan(bench: Bench, times: int, folder: Path) -> tuple[float, float]:
    """Time and memory of `snakemake -n` of the embedded profile, with as many times more shards of videos."""
    params = folder / "params.yaml"
    params.write_text(composed([f"dataset.shards={4 * times}"]))
    code = (
        "import resource, subprocess, sys, time\nbegan = time.perf_counter()\n"
        "words = [sys.executable, '-m', 'snakemake', '-n', '-q', '--cores', '8', '--configfile', sys.argv[1]]\n"
        "subprocess.run(words, check=True, stdout=subprocess.DEVNULL)\n"
        "print([time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024])"
    )
    return alone("-c", code, params)


def alone(*words: str | Path) -> tuple[float, float]:
    """Seconds and MB that a Python process prints at its end."""
    seconds, memory = json.loads(run([sys.executable, *words]).splitlines()[-1])
    return seconds, memory


def curve(figures: Figures, case: str) -> tuple[list[int], list[float]]:
    """Numbers of videos, and what was measured at each."""
    found = {int(f.name.split()[0]): f.median for f in figures.all if f.case == case}
    return sorted(found), [found[count] for count in sorted(found)]


def exponent(figures: Figures, case: str) -> float | None:
    """p of value ∝ videos^p, by least squares over logarithms; None from fewer than two points."""
    counts, values = curve(figures, case)
    return float(np.polyfit(np.log(counts), np.log(values), 1)[0]) if len(counts) > 1 else None


def last_exponent(figures: Figures, case: str) -> float | None:
    """The same between the two largest numbers, where fixed costs weigh least."""
    counts, values = curve(figures, case)
    return float(np.log(values[-1] / values[-2]) / np.log(counts[-1] / counts[-2])) if len(counts) > 1 else None


def goals(figures: Figures) -> list[Goal]:
    """What issue 7 asks of growth."""
    result = []
    for step in STEPS:
        last = last_exponent(figures, f"{TIME} {step}")
        memory = exponent(figures, f"{MEMORY} {step}")
        note = "" if last is None or memory is None else f"from 10× to 100×: {last:.2f}; of its memory: {memory:.2f}"
        result.append(
            Goal(f"exponent of the time of {step}", exponent(figures, f"{TIME} {step}"), LIMIT, False, "", note)
        )
    return result
