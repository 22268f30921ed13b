"""How long and how large it will be: python -m csvr.plan --profile k400_hmdb51 --cluster gpus8

Estimates jobs, core-hours, GPU-hours, disk and wall time of a profile (`params/profile/`) on a cluster
(`params/cluster/`: what it has, and what a core and a GPU were measured to do). Steps are taken one after the other, so
wall time is an upper bound. Without `--profile` it plans params.yaml.
"""

from __future__ import annotations

import argparse
import functools
import math
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from csvr import cli
from csvr.errors import UserError
from csvr.files import canonical
from csvr.variants import PRETRAIN, VARIED, WEIGHTS, applied

ROOT: Final = Path(__file__).resolve().parents[1]
KB_A_SECOND: Final = {"reencoded": 375.0, "jpeg": 207.0, "raw": 1839.0, "iframes": 156.0, "native": 47.0, "poses": 1.5}
"""Disk for a second of video, measured (docs/datasets.md): poses at stride 4, frames at a short side of 128."""
RATES: Final = (
    "cores", "gpus", "index_frames", "reencode_frames", "clips_frames", "iframes_frames", "poses_frames",
    "core_tflops", "gpu_poses_frames", "gpu_tflops",
)  # fmt: skip
INDEX_PROCESSES: Final = 8
"""As many as `--cores 8` and profiles/slurm give it."""
BACKWARD: Final = 3
"""A forward and a backward pass cost as much as so many forward passes."""


@dataclass(frozen=True)
class Step:
    """One kind of job. Hours are of one core or one GPU; those of the cores stay where GPUs do the work.

    Attributes:
        jobs: How many.
        core_hours, gpu_hours: Of all jobs together.
        gigabytes: That stay on disk.
        processes: Cores or GPUs that each job has.
    """

    name: str
    jobs: int
    core_hours: float = 0.0
    gpu_hours: float = 0.0
    gigabytes: float = 0.0
    processes: int = 1

    def hours(self, cores: int, gpus: int) -> float:
        """Wall time: as many jobs side by side as there is room for; processes of a job share its work evenly."""
        total, width = (self.gpu_hours, gpus) if self.gpu_hours else (self.core_hours, cores)
        processes = min(self.processes, width)
        return math.ceil(self.jobs / (width // processes)) * total / self.jobs / processes if total else 0.0


def cells(params: dict[str, Any], keys: Sequence[str]) -> list[dict[str, Any]]:
    """Effective parameters of all variants, points of the sweep and forms of the layer, and all of their seeds.

    Those that differ in none of `keys` are one, as the workflow computes them once.
    """
    full = params["ablations"]["full"]["set"]
    points = [
        full | {"sigma_p": p, "sigma_c": c} for p in params["sweep"]["sigma_p"] for c in params["sweep"]["sigma_c"]
    ]
    integration = params["integration"]
    wanted = [(params["ablations"][name]["set"], params["seeds"]) for name in params["variants"]]
    wanted += [(point, params["sweep"]["seeds"]) for point in points]
    wanted += [(params["ablations"][name]["set"], integration["seeds"]) for name in integration["variants"]]
    found: dict[str, dict[str, Any]] = {}
    for changes, seeds in wanted:
        effective = applied(params, changes)
        for seed in seeds:
            found.setdefault(canonical([{key: effective[key] for key in keys}, seed]), effective)
    return list(found.values())


def steps(
    params: dict[str, Any], cluster: dict[str, Any], sizes: dict[str, dict[str, float]], processes: int = 1
) -> list[Step]:
    """The plan.

    Args:
        params: All of them, as params.yaml has them.
        cluster: `RATES`.
        sizes: For each data set its videos for training and testing, seconds and frames a second.
        processes: GPUs (or cores) that each pretraining has.

    Raises:
        UserError: Nothing is known about a data set.
    """
    dataset, target = params["dataset"], params["downstream"] or params["dataset"]
    found: list[Step] = []
    for each in {one["name"]: one for one in (dataset, target)}.values():
        found += _extraction(each, params, cluster, _size(each, sizes))
    train, tested = _size(dataset, sizes), _size(target, sizes)
    networks, outcomes = cells(params, PRETRAIN), cells(params, VARIED)
    pretrained = evaluated = 0.0
    for effective in networks:
        pretrained += (
            BACKWARD * _flops(params, effective)[0] * effective["pretrain"]["batch"] * effective["pretrain"]["steps"]
        )
    for effective in outcomes:
        encoders = _flops(params, effective)[1]
        settings = effective["evaluate"]
        videos = tested["train"] + tested["test"]
        if settings["probe"]:
            evaluated += encoders * videos * settings["clips"]
        if settings["finetune"]:
            classes, per_class = tested["classes"], settings["finetune"]["per_class"]
            labelled = tested["train"] if per_class is None else min(tested["train"], per_class * classes)
            evaluated += BACKWARD * encoders * labelled * settings["finetune"]["epochs"]
            evaluated += encoders * tested["test"] * settings["clips"]
    where = "gpu_hours" if cluster["gpus"] else "core_hours"
    rate = 3600 * (cluster["gpu_tflops"] if cluster["gpus"] else cluster["core_tflops"])
    found.append(
        Step(
            f"pretraining, {train['train']:,.0f} videos",
            len(networks),
            **{where: pretrained / rate},
            processes=processes,
        )
    )
    found.append(Step(f"evaluation, {target['name']}", len(outcomes), **{where: evaluated / rate}))
    return found


def _extraction(
    dataset: dict[str, Any], params: dict[str, Any], cluster: dict[str, Any], size: dict[str, float]
) -> list[Step]:
    frames, jobs, name = size["seconds"] * size["fps"], dataset["shards"], dataset["name"]
    again = isinstance(dataset["iframes"], dict)
    # Measured at a short side of 128.
    area = (params["features"]["short_side"] / 128) ** 2

    def step(what: str, rate: str, kilobytes: float, count: float = frames, on_gpu: bool = False) -> Step:
        hours = count / cluster[rate] / 3600
        where = {"gpu_hours": hours} if on_gpu else {"core_hours": hours}
        return Step(f"{what}, {name}", jobs, **where, gigabytes=kilobytes * size["seconds"] / 1e6)

    posed, gpu = frames / params["pose_extraction"]["stride"], bool(cluster["gpus"])
    return [
        Step(f"index, {name}", 1, frames / cluster["index_frames"] / 3600, processes=INDEX_PROCESSES),
        *[step("re-encoding", "reencode_frames", KB_A_SECOND["reencoded"])] * again,
        step("clips", "clips_frames", KB_A_SECOND[params["features"]["storage"]] * area),
        step("I-frames", "iframes_frames", KB_A_SECOND["iframes" if again else "native"] * area),
        step("poses", "gpu_poses_frames" if gpu else "poses_frames", KB_A_SECOND["poses"], posed, gpu),
    ]


def _flops(params: dict[str, Any], effective: dict[str, Any]) -> tuple[float, float]:
    """As `_tera_flops`; of the loss weights only whether a branch is built matters."""
    built = {key: effective[key] for key in ("model", "clip", "pose_input")}
    built |= {key: float(effective[key] > 0) for key in WEIGHTS}
    return _tera_flops(yaml.safe_dump(built | {"pose_extraction": params["pose_extraction"]}))


@functools.cache
def _tera_flops(params: str) -> tuple[float, float]:
    """Of one clip, forward: of all networks that are pretrained, and of the encoders alone."""
    from csvr.pretrain.sizes import networks  # imports torch

    rows = networks(yaml.safe_load(params))
    kept = [row for row in rows if row.name.endswith(("f_s", "f_d", "f_i"))]
    return sum(row.flops for row in rows) / 1e12, sum(row.flops for row in kept) / 1e12


def _size(dataset: dict[str, Any], sizes: dict[str, dict[str, float]]) -> dict[str, float]:
    drawn = dataset.get("generate")
    if drawn:
        classes = sum(len(names) for names in dataset["groups"].values())
        train = classes * drawn["train_groups"] * drawn["clips_per_train_group"]
        test = classes * drawn["test_groups"]
        seconds = (train + test) * drawn["frames"] / drawn["fps"]
        return {"train": train, "test": test, "seconds": seconds, "fps": drawn["fps"], "classes": classes}
    if dataset["name"] not in sizes:
        raise UserError(f"nothing is known about {dataset['name']}; add a line to params/cluster/videos.csv")
    return sizes[dataset["name"]]


def composed(profile: str) -> dict[str, Any]:
    """All parameters of a profile.

    Raises:
        UserError: There is no such profile.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "params.yaml")
        words = ["workflow/scripts/compose_params.py", f"+profile={profile}", "--output", str(file)]
        done = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            known = ", ".join(sorted(path.stem for path in (ROOT / "params/profile").glob("*.yaml")))
            raise UserError(f"--profile {profile}: can't be composed; there is {known}\n{done.stderr.strip()}")
        return cli.parameters(str(file))


def read(flag: str, text: str) -> dict[str, Any]:
    """The parameters that a flag names.

    Raises:
        UserError: There are none.
    """
    try:
        return cli.parameters(text)
    except argparse.ArgumentTypeError as error:
        raise UserError(f"{flag}: {error}") from error


def table(found: list[Step], cluster: dict[str, Any]) -> str:
    """The plan as a Markdown table, with sums."""
    cores, gpus = cluster["cores"], cluster["gpus"]
    lines = ["| Step | Jobs | Core-hours | GPU-hours | Hours | GB |", "|---|--:|--:|--:|--:|--:|"]
    rows = [(s.name, s.jobs, s.core_hours, s.gpu_hours, s.hours(cores, gpus), s.gigabytes) for s in found]
    rows.append(("all", *(sum(row[k] for row in rows) for k in range(1, 6))))  # type: ignore[arg-type, misc]
    for name, jobs, *numbers in rows:
        lines.append(f"| {name} | {jobs:,} | " + " | ".join(f"{number:,.1f}" for number in numbers) + " |")
    return "\n".join(lines)


def main() -> None:
    """Parse flags, print the plan."""
    parser = cli.parser(__doc__, records=False, writes=False)
    parser.add_argument("--profile", help="file of params/profile/, without .yaml")
    parser.add_argument("--params", default="params.yaml", help="without --profile: parameters")
    parser.add_argument("--cluster", default="development", help="file of params/cluster/, or one of your own")
    parser.add_argument("--gpus", type=int, default=1, help="GPUs of each pretraining")
    args = cli.parse(parser)
    params = composed(args.profile) if args.profile else read("--params", args.params)
    named = ROOT / "params/cluster" / f"{args.cluster}.yaml"
    cluster = read("--cluster", str(named if named.exists() else args.cluster))
    if missing := [name for name in RATES if name not in cluster]:
        raise UserError(f"{args.cluster}: {missing[0]} is missing; it takes {', '.join(RATES)}")
    import pandas as pd  # takes long; flags don't need it

    known = pd.read_csv(ROOT / "params/cluster/videos.csv").set_index("dataset")
    sizes = {str(name): row.drop("source").to_dict() for name, row in known.iterrows()}
    print(f"{args.profile or args.params} on {args.cluster}: {cluster['cores']} cores, {cluster['gpus']} GPUs\n")
    print(table(steps(params, cluster, sizes, args.gpus), cluster))


if __name__ == "__main__":
    cli.run(main)
