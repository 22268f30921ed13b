"""Goal 6: what Snakemake, Python and Sacred cost around the work; how busy a whole run keeps the cores."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections import Counter
from datetime import datetime
from pathlib import Path

import pandas as pd
import yaml

from csvr.files import params_sha256
from csvr.variants import applied
from tests.bench import media
from tests.bench.figures import CSVR, ROOT, Bench, Figures, Goal, Unavailable, python, run

HELP, NOTHING, PLAN, JOB = (
    "--help of",
    "snakemake with nothing to do",
    "plan of all jobs (snakemake -n)",
    "from a job's start to its first video, or its first pass of a network:",
)
LOADED, BUSY, TWICE, WALL = (
    "commands whose --help imports torch",
    "main job: CPU time by wall time and cores",
    "steps computed twice",
    "main job, wall time",
)
WHOLE = "the whole job, to its end"
FLOOR, TORCH = "floor: python -c pass", "python -c 'import torch'"


def commands() -> list[str]:
    """All of `python -m csvr.<command>`."""
    files = [*(ROOT / "csvr").glob("*.py"), *(ROOT / "csvr").glob("*/__main__.py")]
    found = [path for path in files if '__name__ == "__main__"' in path.read_text() or path.name == "__main__.py"]
    return sorted(path.parent.name if path.name == "__main__.py" else path.stem for path in found)


def measure(bench: Bench) -> None:
    """Starts of commands and of jobs, plans, and what the records of a finished run say."""
    names = commands()[: 2 if bench.quick else None]
    ways = {name: lambda name=name: python("-m", f"csvr.{name}", "--help") for name in names}
    bench.compare(HELP, ways | {FLOOR: lambda: python("-c", "pass"), TORCH: lambda: python("-c", "import torch")})
    if "torch" not in [f.note for f in bench.figures(bench.goal).all]:
        heavy = [name for name in names if imports_torch(name)]
        bench.value(LOADED, len(heavy), "commands", note=", ".join(heavy))
    jobs(bench)
    ways = {
        CSVR: lambda: nothing(bench.finished),
        "floor: snakemake --version": lambda: python("-m", "snakemake", "--version"),
    }
    bench.compare(NOTHING, ways, 5)
    bench.compare(
        PLAN, {CSVR: lambda: python("-m", "snakemake", "-n", "-q", "--cores", "8")}, 3, note="three runs, nothing there"
    )
    finished(bench)


def imports_torch(name: str) -> bool:
    """Whether `--help` of a command imports torch."""
    code = (
        "import atexit, runpy, sys; atexit.register(lambda: print('torch' in sys.modules)); "
        f"sys.argv = ['x', '--help']; runpy.run_module('csvr.{name}', run_name='__main__', alter_sys=True)"
    )
    return run([sys.executable, "-c", code]).strip().endswith("True")


def nothing(folder: Path) -> float:
    """`snakemake` for the ablation table where all is there.

    Raises:
        Unavailable: It is not.
    """
    before = len(list((folder / "runs").glob("[0-9]*")))
    if not before or not (folder / "reports" / "table_ablation.md").exists():
        raise Unavailable(f"no finished run in {folder} (--finished)")
    began = time.perf_counter()
    shown = run([sys.executable, "-m", "snakemake", "--cores", "8", "reports/table_ablation.md"], folder, errors=True)
    if "Nothing to be done" not in shown:
        raise Unavailable("there was something to do")
    return time.perf_counter() - began


STARTED = """
from csvr import memory
memory.prepare()  # before torch, or that would be imported twice
import runpy, sys, time

begun = []

def useful(*args, **kwargs):
    if not begun:
        begun.append(time.perf_counter())
        print("began to work at", begun[0], flush=True)

def opening(*args, opened, **kwargs):
    useful()
    return opened(*args, **kwargs)

if sys.argv[1] == "video":
    import av, functools
    av.open = functools.partial(opening, opened=av.open)
else:
    from torch.nn.modules.module import register_module_forward_pre_hook
    register_module_forward_pre_hook(useful)
sys.argv = sys.argv[2:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""
"""A command that says when it opens its first video (networks are read by then), or when a network computes first.

Its clock is that of all processes.
"""
COMPUTES = ("pretrain", "evaluate")


def jobs(bench: Bench) -> None:
    """Commands with four short videos: nearly all of their time is start and end."""
    folder = bench.scratch / "four"
    index, runs = folder / "index.csv", ["--runs", folder / "runs"]
    if not index.exists():
        places = [(split, label) for split in ("train", "test") for label in ("one", "two")]
        for place, video in zip(places, media.drawn(bench.scratch / "drawn", 4), strict=True):
            home = folder.joinpath("videos", *place)
            home.mkdir(parents=True, exist_ok=True)
            (home / video.name).write_bytes(video.read_bytes())
        run([
            sys.executable, "-m", "csvr.index", "--layout", "folder", "--videos", folder / "videos", "--splits", folder,
            "--split", "1", "--output", index, *runs,
        ])  # fmt: skip
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["pretrain"]["steps"], params["evaluate"]["probe"]["few"] = 1, 1
    params["evaluate"] |= {"semi": None, "finetune": None}
    sizes = {key: params["features"][key] for key in ("short_side", "aspect", "storage", "quality")}
    given = {
        "iframes": {key: sizes[key] for key in ("short_side", "aspect")},
        "clips": sizes,
        "poses": params["pose_extraction"],
    } | {command: applied(params, params["ablations"]["full"]["set"]) for command in COMPUTES}
    made = {kind: ["--" + kind, folder / f"{kind}.safetensors"] for kind in ("clips", "poses", "iframes")}
    flags = {command: [*made["clips"], *made["poses"], "--variant", "full"] for command in COMPUTES}
    flags["pretrain"] += [*made["iframes"], "--seed", "0", "--history", folder / "history.csv"]
    flags["evaluate"] += ["--networks", folder / "pretrain.safetensors", "--frozen", folder / "frozen.safetensors"]

    def command_line(command: str) -> list[str | Path]:
        output = folder / f"{command}.safetensors"
        output.unlink(missing_ok=True)
        words = [command, "extract"] if command == "poses" else [command]
        return [
            f"csvr.{words[0]}", *words[1:], "--index", index, "--params", json.dumps(given[command]), "--output",
            output, *runs, *flags.get(command, []),
        ]  # fmt: skip

    def begun(command: str) -> float:
        what = "network" if command in COMPUTES else "video"
        words, began = command_line(command), time.perf_counter()
        shown = re.search(r"began to work at ([\d.]+)", run([sys.executable, "-c", STARTED, what, *words]))
        if not shown:
            raise RuntimeError(f"{command} did nothing")
        return float(shown[1]) - began

    for command in given:
        ways = {
            CSVR: lambda command=command: begun(command),
            WHOLE: lambda command=command: python("-m", *command_line(command)),
        }
        bench.compare(f"{JOB} csvr.{command} of four videos", ways)


def finished(bench: Bench) -> None:
    """From the records of a finished run: how long, how busy, and whether anything was done twice."""
    logs = sorted((bench.finished / ".snakemake" / "log").glob("*.log"))
    times = list((bench.finished / "benchmarks").rglob("*.tsv"))
    if not logs or not (bench.finished / "reports" / "index.html").exists():
        print(f"dag: no finished run in {bench.finished}: its records are left out")
        return
    # The first job's start to the last one's end, gaps between calls of Snakemake left out.
    wall = sum(span(path) for path in logs)
    tables = [pd.read_csv(path, sep="\t") for path in times]
    cores, cpu = len(os.sched_getaffinity(0)), sum(table.cpu_time.sum() for table in tables)
    bench.value(WALL, wall / 60, "min", note=f"{len(times)} jobs, all reports, {cores} cores")
    note = f"jobs' own time; by CPU time, of which Snakemake misses the last half minute, {cpu / wall / cores:.0%}"
    bench.value(BUSY, 100 * sum(table.s.sum() for table in tables) / (wall * cores), "%", note=note)
    done: Counter[str] = Counter()
    for path in (bench.finished / "runs").glob("[0-9]*/run.json"):
        record = json.loads(path.read_text())
        if record["status"] == "COMPLETED":
            config = json.loads(path.with_name("config.json").read_text())
            done[
                params_sha256([record["experiment"]["name"], {k: v for k, v in config.items() if k != "variant"}])
            ] += 1
    bench.value(
        TWICE, sum(count - 1 for count in done.values()), "steps", note=f"of {sum(done.values())} recorded runs"
    )


def span(log: Path) -> float:
    """Seconds from the first to the last time in one of Snakemake's logs; 0 where nothing was run."""
    stamps = re.findall(r"^\[(\w{3} \w{3} +\d+ [\d:]+ \d{4})\]$", log.read_text(), re.MULTILINE)
    times = [datetime.strptime(stamp, "%a %b %d %H:%M:%S %Y") for stamp in stamps]
    return (max(times) - min(times)).total_seconds() if times else 0.0


def goals(figures: Figures) -> list[Goal]:
    """What issue 7 asks of the DAG."""
    helps = {f.name: f.median for f in figures.all if f.case == HELP and f.name not in (FLOOR, TORCH)}
    slow = sorted((name for name, seconds in helps.items() if seconds > 0.5), key=lambda name: -helps[name])
    starts = [figures.median(case) for case in figures.cases(JOB)]
    none = "torch imported only where used: commands whose `--help` imports it"
    note = f"slower: {', '.join(slow)}" if slow else ""
    slowest = max((start for start in starts if start), default=None)
    return [
        Goal("snakemake with nothing to do ≤ 5 s", figures.median(NOTHING), 5, False, "s"),
        Goal(
            "`--help` of every command ≤ 0.5 s: the slowest", max(helps.values(), default=None), 0.5, False, "s", note
        ),
        Goal(none, figures.median(LOADED), 0, False, "commands"),
        Goal("overhead of a job (start to first useful work) ≤ 4 s: the slowest", slowest, 4, False, "s"),
        Goal("cores busy ≥ 85 % of the main job's wall time", figures.median(BUSY), 85, unit="%"),
        Goal("nothing computed twice", figures.median(TWICE), 0, False, "steps"),
    ]
