"""Runs of the very small profile, and what they computed."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from csvr.data import shards
from tests.workflow.experiments import COMPOSE, Repository, create

LINES = "reports/table_ablation.csv"
long = pytest.mark.skipif("CSVR_KILLS" not in os.environ, reason="takes minutes: make test-faults runs it")


@dataclass(frozen=True)
class Undisturbed:
    """A finished run, what it computed, and how long it took."""

    path: Path
    content: dict[str, str]
    seconds: float


def repository(target: Path) -> Repository:
    """A git and DVC repository with the very small profile, and enough steps for checkpoints in between."""
    made = create(target)
    profile = target / "params/profile/micro.yaml"
    text = profile.read_text()
    for before, after in (
        ("pretrain: {steps: 1,", "pretrain: {steps: 60, checkpoint_every: 10,"),
        ("variants: [full, no_pose]", "variants: [full]"),
    ):
        assert before in text
        text = text.replace(before, after)
    profile.write_text(text)
    made.run(sys.executable, COMPOSE)
    made.commit("one variant, more steps")
    return made


def content(folder: Path) -> dict[str, str]:
    """What was computed, by file: arrays, scores, tables; not when, or by which run."""
    found = {}
    for path in sorted([*folder.glob("features/*/*/*.safetensors"), *folder.rglob("results/**/networks.safetensors")]):
        arrays = shards.Shards([path])
        digest = hashlib.sha256()
        for name in sorted(arrays):
            digest.update(name.encode() + arrays[name].tobytes())
        found[str(path.relative_to(folder))] = digest.hexdigest()
    for path in sorted(folder.rglob("results/**/metrics.json")):
        cell = json.loads(path.read_text())
        kept = {key: cell[key] for key in ("videos", "labels", "scores", "ranks", "predictions", "pretext")}
        found[str(path.relative_to(folder))] = hashlib.sha256(json.dumps(kept).encode()).hexdigest()
    index = (folder / "features/mannequin/index.csv").read_text()
    found["index"] = re.sub(r",\w+$", "", index, flags=re.MULTILINE)
    return found | {LINES: _numbers(folder / LINES)}


def _numbers(path: Path) -> str:
    """A table without the columns that say which runs."""
    table = pd.read_csv(path, dtype=str)
    return str(table.drop(columns=[name for name in table.columns if name.endswith("run_id")]).to_csv(index=False))
