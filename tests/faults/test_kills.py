"""The whole workflow, killed at random moments until it is done: it ends as one that nobody disturbed.

`make test` kills a few times; `make test-faults` (CSVR_KILLS=100) as often as the number says.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from csvr.data import shards
from tests.workflow.repository import ENV, command, copy_repository

KILLS = int(os.environ.get("CSVR_KILLS", "3"))
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
LINES = "reports/table_ablation.csv"


def repository(target: Path) -> Path:
    """A copy with the very small profile, and enough steps for checkpoints in between."""
    folder = copy_repository(target)
    made = command(
        "python", "workflow/scripts/compose_params.py", "+profile=micro", "pretrain.steps=60",
        "pretrain.checkpoint_every=10", "variants=[full]", "--output", "p.yaml", cwd=folder,
    )  # fmt: skip
    assert made.returncode == 0, made.stdout
    return folder


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


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], float]:
    """What comes out, and how long it takes."""
    folder, began = repository(tmp_path_factory.mktemp("undisturbed") / "r"), time.monotonic()
    done = command("snakemake", "--cores", "8", "--configfile", "p.yaml", cwd=folder)
    assert done.returncode == 0, done.stdout
    return content(folder), time.monotonic() - began


def start(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["snakemake", "--cores", "8", "--configfile", "p.yaml"], cwd=folder, env=ENV, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip


def test_killed_at_any_moment(undisturbed: tuple[dict[str, str], float], tmp_path: Path) -> None:
    expected, seconds = undisturbed
    rng = random.Random(17)
    killed: Counter[str] = Counter()
    rounds = 0
    while sum(killed.values()) < KILLS:
        folder = repository(tmp_path / f"r{rounds}")
        rounds += 1
        while True:
            process = start(folder)
            stop = sum(killed.values()) < KILLS
            try:
                # Early moments are many: most of a resumed run is behind it.
                out, _ = process.communicate(timeout=rng.uniform(1, 0.4 * seconds) if stop else 20 * seconds)
            except subprocess.TimeoutExpired:
                way = rng.choice(SIGNALS)
                os.killpg(process.pid, way)
                try:
                    process.communicate(timeout=60)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.communicate()
                killed[way.name] += 1
                continue
            if process.returncode and "locked" in out:
                # Snakemake says the one command that frees it.
                assert "--unlock" in out, out
                unlocked = command("snakemake", "--unlock", "--configfile", "p.yaml", cwd=folder)
                assert unlocked.returncode == 0, unlocked.stdout
                continue
            assert process.returncode == 0, out
            break
        assert content(folder) == expected, f"round {rounds}, {dict(killed)}"
        left = [
            path for path in (folder / "results").rglob("*") if ".part" in path.name or path.suffix == ".checkpoints"
        ]
        left += list((folder / "features").rglob("*.part*"))
        assert not left, left
    print(f"{sum(killed.values())} kills ({dict(killed)}) in {rounds} runs of {seconds:.0f} s")
