"""The very small profile on a real Slurm: `make test-slurm`. Not in `make test`: needs root and Debian's packages."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from csvr.data import shards
from tests.slurm.cluster import Cluster, missing
from tests.workflow.repository import ENV, command, copy_repository

pytestmark = pytest.mark.skipif(bool(missing()), reason=f"not here: {', '.join(missing())}")
TABLE = "reports/table_ablation.md"
CELL = "results/mannequin/full/sigma_v=1__sigma_p=1__sigma_c=3/seed0"
NETWORKS = f"{CELL}/networks.safetensors"
LONG = ("pretrain.steps=600", "pretrain.checkpoint_every=20", "variants=[full]")
"""A training of a minute or more, with many checkpoints."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("slurm") / "c") as found:
        yield found


def repository(target: Path, *overrides: str) -> Path:
    """A copy of the repository, with the very small profile in p.yaml."""
    folder = copy_repository(target)
    made = command(
        "python", "workflow/scripts/compose_params.py", "+profile=micro", *overrides, "--output", "p.yaml", cwd=folder
    )
    assert made.returncode == 0, made.stdout
    return folder


def locally(folder: Path, target: str) -> None:
    made = command("snakemake", "--cores", "2", target, "--configfile", "p.yaml", cwd=folder)
    assert made.returncode == 0, made.stdout


def submit(cluster: Cluster, folder: Path, target: str, *flags: str) -> subprocess.Popen[str]:
    """Start `snakemake --workflow-profile slurm`, for a cluster without accounting and without GPUs."""
    # Given here, these flags replace those of the profile.
    resources = [flag for flag in flags if flag.startswith("pretrain:")] or ["pretrain:gpu=0"]
    rest = [flag for flag in flags if flag not in resources]
    return subprocess.Popen(
        [
            "snakemake", "--workflow-profile", "slurm", target, "--configfile", "p.yaml",
            "--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "2",
            "--seconds-between-status-checks", "2", "--latency-wait", "10", "--set-resources", *resources,
            "--set-threads", "generate_mannequin=2", "index_videos=2", *rest,
        ],
        cwd=folder, env=ENV, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def ended(process: subprocess.Popen[str], code: int = 0) -> str:
    out, _ = process.communicate(timeout=1500)
    assert process.returncode == code, out
    return out


def until(what: object, seconds: float = 300) -> None:
    assert callable(what)
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not come so far"
        time.sleep(0.2)


def weights(folder: Path) -> dict[str, np.ndarray]:
    found = shards.Shards([folder / NETWORKS])
    return {name: found[name] for name in found}


def test_same_table_as_on_this_machine(cluster: Cluster, tmp_path: Path) -> None:
    here, there = repository(tmp_path / "here"), repository(tmp_path / "there")
    locally(here, TABLE)
    out = ended(submit(cluster, there, TABLE))
    assert "Submitted" in out or "SLURM jobid" in out, out
    tables = [
        re.sub(r"run \d+|\d+ → \d+|\d+ s\b|at .*? UTC", "", (folder / TABLE).read_text()) for folder in (here, there)
    ]
    rows = [[line for line in table.splitlines() if line.startswith("|")] for table in tables]
    assert rows[0] == rows[1] and len(rows[0]) > 4
    for name in ("scores", "ranks", "predictions"):
        first, second = (json.loads((folder / CELL / "metrics.json").read_text())[name] for folder in (here, there))
        assert first == second
    # Jobs of extraction were submitted together.
    assert "extraction" in out


def test_a_node_that_dies_is_survived(cluster: Cluster, tmp_path: Path) -> None:
    here, there = repository(tmp_path / "here", *LONG), repository(tmp_path / "there", *LONG)
    ended(submit(cluster, there, "features/mannequin/index.csv"))
    process = submit(cluster, there, NETWORKS)
    try:
        until(lambda: any((there / CELL).glob("networks.checkpoints/*/step0000[4-9]0")))
        jobs = cluster.command("squeue", "--noheader", "--states=RUNNING", "--format=%N").split()
        assert len(jobs) == 1
        cluster.kill_node(jobs[0])
        out = ended(process)
    finally:
        process.kill()
        cluster.start_node(jobs[0])
    assert re.search(r"[Rr]estart|retr|Trying to restart", out), out
    log = (there / "logs/mannequin/pretrain/full/sigma_v=1__sigma_p=1__sigma_c=3/seed0.log").read_text()
    assert re.search(r"step (\d+)", log)
    locally(here, NETWORKS)
    first, second = weights(here), weights(there)
    assert first.keys() == second.keys() and all(np.array_equal(first[name], second[name]) for name in first)


def test_a_job_over_its_time_goes_on_in_the_next(cluster: Cluster, tmp_path: Path) -> None:
    long = (*LONG[1:], "pretrain.steps=2000")
    folder = repository(tmp_path / "r", *long)
    out = ended(submit(cluster, folder, NETWORKS, "pretrain:runtime=attempt", "--retries", "6"))
    assert "TIMEOUT" in out, out
    assert (folder / NETWORKS).exists()


def test_a_job_that_fails_names_its_log(cluster: Cluster, tmp_path: Path) -> None:
    folder = repository(tmp_path / "r")
    ended(submit(cluster, folder, "features/mannequin/index.csv"))
    video = sorted((folder / "data/mannequin/videos").rglob("*.avi"))[0]
    video.write_bytes(b"no video")
    out = ended(submit(cluster, folder, "features/mannequin/clips/0.safetensors", "--retries", "0"), code=1)
    log = "logs/mannequin/extract_clips/0.log"
    assert log in out and str(video.relative_to(folder)) in (folder / log).read_text()
    assert not (folder / "features/mannequin/clips/0.safetensors").exists()


def test_processes_of_two_nodes_train_together(cluster: Cluster, tmp_path: Path) -> None:
    """Through `csvr.launch`, as a rule with `nodes=2` starts it."""
    made = subprocess.run(
        ["salloc", "--nodes=2", "--ntasks=2", "python", "-m", "csvr.launch", "--nodes", "2", "--dry-run", "pretrain"],
        cwd=Path(__file__).parents[2], env=ENV, text=True,
        capture_output=True, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    assert "srun --nodes=2" in made.stdout and "--rdzv-endpoint=n1:29500" in made.stdout
