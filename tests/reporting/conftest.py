"""Synthetic metrics: six classes in three groups, 20 test videos each, three seeds."""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from csvr import report

CLASSES = ["ArmsUp", "ArmsDown", "AtBeach", "At|City", "<script>alert(1)</script>", "Jump"]
GROUPS = {"motion": CLASSES[:2], "context": CLASSES[2:4], "both": CLASSES[4:]}
EACH = 20
# Accuracy of motion, context, both
ACCURACY = {
    "full": (0.9, 0.7, 0.9),
    "no_pose": (0.2, 0.6, 0.7),
    "no_context": (0.9, 0.4, 0.85),
    "no_generation": (0.9, 0.7, 0.9),
    "random_init": (0.4, 0.3, 0.5),
    "pose_input_no_loss": (0.5, 0.7, 0.8),
    "supervised_scratch": (0.5, 0.5, 0.5),
}
UNTRAINED = ("random_init", "supervised_scratch")
POSES = {
    f"{name}{guess}": value
    for guess, values in (("", (0.0, 0.9, 0.8)), ("_repeat", (0.4, 0.7, 0.6)), ("_velocity", (0.6, 0.5, 0.25)))
    for name, value in zip(("mpjpe", "pck@0.1", "oks"), values, strict=True)
}
CODE = {name: name[0] * 64 for name in ("pretrain", "evaluate", "pose_quality")}
FEATURES = {kind: {"params": {"short_side": 64}, "code": kind[0] * 64} for kind in ("clips", "poses", "iframes")}
Make = Callable[..., list[Path]]


def params(variant: str) -> dict[str, Any]:
    probe = None if variant == "supervised_scratch" else {"few": 8, "draws": 8}
    return {
        "sigma_p": 0 if variant == "no_pose" else 1,
        "pose_input": variant != "no_pose",
        "clip": {"frames": 4, "crop": 56},
        "model": {"backbone": {"kind": "r3d", "width": 16, "blocks": [1, 1]}},
        "pretrain": {"steps": 0 if variant in UNTRAINED else 300},
        "evaluate": {
            "clips": 3, "probe": probe, "finetune": {"per_class": 8}, "no_pose_test": True,
            "semi": {"fractions": [0.01, 0.1], "probe": True, "finetune": False},
        },
    }  # fmt: skip


def place(variant: str) -> str:
    """Folders of a variant's results."""
    return f"{variant}/sigma_p={params(variant)['sigma_p']}"


def metrics(variant: str, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng([seed, list(ACCURACY).index(variant)])
    labels = np.repeat(np.arange(6), EACH)

    def shares(shift: float = 0.0) -> list[float]:
        p = np.clip(np.asarray(ACCURACY[variant])[labels // 2] + shift, 0, 1)
        return (rng.binomial(8, p) / 8).tolist()

    readouts = ["all", "f_s"] if variant == "no_pose" else ["all", "f_s", "f_d", "f_i", "f_i_untrained"]
    scores: dict[str, Any] = {"finetune": {"all": shares()}}
    if variant != "supervised_scratch":
        for protocol in ("linear_few", "linear_all", "retrieval"):
            scores[protocol] = {name: shares(-0.2 * (name == "f_i_untrained")) for name in readouts}
        scores |= {f"linear_{share}": {"all": shares(-0.3)} for share in ("1pct", "10pct")}
        if variant != "no_pose":
            for protocol in ("linear_few", "linear_all", "retrieval"):
                scores[f"{protocol}_no_pose"] = {name: shares(-0.4) for name in ("all", "f_d", "f_i")}
    # The rank of the first hit grows as a video's score falls.
    ranks = {
        protocol: {
            name: (1 + np.round(40 * (1 - np.array(values)))).astype(int).tolist() for name, values in by.items()
        }
        for protocol, by in scores.items()
        if protocol.startswith("retrieval")
    }
    return {
        "run_id": f"{100 + seed}", "pretrain_run_id": f"{seed}", "variant": variant, "seed": seed,
        "params": params(variant),
        "data": {"index_sha256": "abc123", "clips": ["1"], "poses": ["2"], "made": copy.deepcopy(FEATURES)},
        "code": {name: CODE[name] for name in ("pretrain", "evaluate")},
        "git": {"commit": "0123abcd", "dirty": False}, "host": {"cpu": "A CPU", "cores": 2, "hostname": "here"},
        "threads": 1, "seconds": {"pretrain": 60.0, "evaluate": 12.0},
        "videos": [f"v_{k}" for k in range(len(labels))], "labels": labels.tolist(), "classes": CLASSES,
        "scores": scores, "ranks": ranks, "predictions": {"finetune": {"all": labels.tolist()}},
        "size": {"parameters": 2000, "gflops": 0.5, "parameters_encoders": 1000, "gflops_encoders": 0.25},
        "peak_memory_mb": {"pretrain": 900.0, "evaluate": 1000.0 + seed}, "labelled": {"1pct": 6, "10pct": 30},
        "device": "cpu",
        "pretext": {} if variant in ("no_pose", *UNTRAINED) else {"pose": POSES | {"mpjpe": 0.2 + 0.1 * seed}},
    }  # fmt: skip


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`python -m csvr.report …`"""

    def run(*args: object) -> None:
        monkeypatch.setattr(sys, "argv", ["csvr.report", *map(str, args)])
        report.main()

    return run


@pytest.fixture
def expect() -> dict[str, Any]:
    return {
        "order": list(ACCURACY),
        "variants": {
            name: {
                "title": f"title of {name}",
                "description": f"About {name}.",
                "params": params(name),
                "cell": place(name),
                "networks": place(name),
            }
            for name in ACCURACY
        },
        "seeds": [0, 1, 2],
        "groups": GROUPS,
        "dataset": "mannequin",
        "command": "snakemake --cores 8 reports/table_ablation.md",
        "main": "full",
        "code": CODE,
        "features": FEATURES,
    }


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Write metrics of all cells; `change(variant, seed, cell)` may edit a cell, or return False to leave it out."""

    def write(change: Callable[[str, int, dict[str, Any]], Any] = lambda *_: None) -> list[Path]:
        paths = []
        for variant in ACCURACY:
            for seed in range(3):
                cell = metrics(variant, seed)
                if change(variant, seed, cell) is not False:
                    path = tmp_path / "results" / "mannequin" / place(variant) / f"seed{seed}" / "metrics.json"
                    path.parent.mkdir(parents=True)
                    path.write_text(json.dumps(cell))
                    paths.append(path)
        return paths

    return write
