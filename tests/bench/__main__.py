"""Measure and report: python -m tests.bench [--only GOAL …] [--output reports/benchmarks.md]

Raw measurements are kept beside the report; those that are there, of the same sources, are not taken again.
"""

from __future__ import annotations

import argparse
import importlib
import os
import time
from pathlib import Path

from csvr import memory
from tests.bench import report
from tests.bench.figures import REAL, ROOT, Bench

GOALS = ("iframes", "loading", "poses", "step", "evaluation", "dag", "growth")


def main() -> None:
    """Parse flags."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--only", nargs="+", choices=GOALS, default=GOALS, help="measure these alone")
    parser.add_argument("--output", type=Path, default=Path("reports/benchmarks.md"), help="report (Markdown)")
    parser.add_argument("--scratch", type=Path, default=Path(".bench"), help="folder of videos to measure on")
    parser.add_argument("--peers", type=Path, help="Python with decord and torchcodec (make bench-peers)")
    parser.add_argument("--finished", type=Path, default=ROOT, help="folder of a finished run of the workflow")
    parser.add_argument("--real", type=Path, default=REAL, help="folder of real clips, used where it is there")
    parser.add_argument("--quick", action="store_true", help="one run of small things: does it work?")
    parser.add_argument("--render", action="store_true", help="measure nothing, write the report of what is there")
    args = parser.parse_args()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    memory.prepare()  # as every command does
    os.environ.pop(memory.PRELOAD, None)  # for this process alone: what it starts begins as if started by hand
    args.output.parent.mkdir(parents=True, exist_ok=True)
    raw = args.output.with_suffix(".jsonl")
    bench = Bench(raw, args.scratch.resolve(), args.quick, args.peers, args.finished.resolve(), args.real)
    for goal in () if args.render else args.only:
        bench.goal, began = goal, time.perf_counter()
        importlib.import_module(f"tests.bench.{goal}").measure(bench)
        print(f"{goal}: {time.perf_counter() - began:.0f} s in all", flush=True)
    report.write(args.output, bench, GOALS)


if __name__ == "__main__":
    main()
