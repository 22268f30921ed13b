"""Goal 4 on a GPU: bf16, layout and compilation against the plain fp32 step of the paper-size networks."""

from __future__ import annotations

import time
from dataclasses import replace

import torch
import yaml

from csvr.pretrain.sizes import networks
from tests.bench import training
from tests.bench.figures import CSVR, Bench, Figures, Goal
from workflow.scripts.compose_params import composed

CASE = "paper-size step on a GPU, clips of 16 × 112 × 112"
PLAIN, PEAK = "fp32, eager", "model FLOPs by the peak of a bf16 matrix product"
COSTS = "passes of the paper-size networks on a GPU, bf16, one by one"
WAYS = {
    PLAIN: {"precision": "32-true", "channels_last": False, "compile": False},
    "bf16": {"precision": "bf16-mixed", "channels_last": False, "compile": False},
    "bf16, channels_last_3d": {"precision": "bf16-mixed", "channels_last": True, "compile": False},
    CSVR: {"precision": "bf16-mixed", "channels_last": True, "compile": True},
}


def measure(bench: Bench) -> None:
    """All ways, how much of the peak the best of them uses, and which networks cost most."""
    small = training.embedded(bench, "cuda")
    paper = yaml.safe_load(composed(["+profile=paper"]))
    # The drawn videos are shorter than the paper's clips: so are these, the networks are the paper's.
    paper["clip"] |= {"stride": 1, "frames": 16}
    profile = replace(small, params=paper)
    bench.compare(
        CASE, {name: lambda s=s: training.steps(profile, 8, "full", 8, **s)["step"] for name, s in WAYS.items()}
    )
    seconds, batch = bench.figures(bench.goal).median(CASE), paper["pretrain"]["batch"]
    flops = 3 * batch * sum(row.flops for row in networks(paper | {"pose_extraction": {"stride": 1}}))
    if seconds:
        bench.value(PEAK, flops / seconds / peak(), "of 1", note="forward FLOPs × 3, generated clips counted as all")
    with torch.autocast("cuda", torch.bfloat16):
        passes = [training.bare(profile, "full")[0] for _ in range(5)]
    bench.keep(COSTS, {name: [found[name] for found in passes] for name in passes[0]})


def peak(size: int = 8192, count: int = 20) -> float:
    """FLOP/s of a large bf16 matrix product."""
    a = torch.randn(size, size, device="cuda", dtype=torch.bfloat16)
    for _ in range(3):
        a @ a
    torch.cuda.synchronize()
    began = time.perf_counter()
    for _ in range(count):
        a @ a
    torch.cuda.synchronize()
    return 2 * size**3 * count / (time.perf_counter() - began)


def goals(figures: Figures) -> list[Goal]:
    """What issue 7 asks of a GPU; it names no number."""
    ratio, costs = figures.ratio(CASE, PLAIN), {f.name: f.median for f in figures.all if f.case == COSTS}
    most = sorted(costs, key=costs.__getitem__, reverse=True)[:3]
    note = "no GPU here" if ratio is None else f"the three biggest costs: {', '.join(most)}"
    return [Goal("on a GPU: bf16, channels_last_3d and compile faster than the plain fp32 step", ratio, 1, note=note)]
