"""Several commands at once in one folder: what they leave fits together, or one of them is refused and says so."""

from __future__ import annotations

import json
import subprocess
import time

import pytest
import yaml

from tests.faults.runs import Undisturbed, content, long
from tests.workflow.experiments import Repository, find, here, run_queue, there

LOCKED = ("Directory cannot be locked", "--unlock")


def wait_for_lock(repository: Repository, process: subprocess.Popen[str]) -> None:
    """Until Snakemake has the folder for itself."""
    locks = repository.path / ".snakemake/locks"
    while not (locks.is_dir() and any(locks.iterdir())):
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.02)


def end(process: subprocess.Popen[str]) -> None:
    said, _ = process.communicate()
    assert process.returncode == 0, said


@pytest.fixture
def recorded(finished: Repository) -> Repository:
    """The same, taken over by DVC and committed."""
    finished.dvc("repro")
    finished.commit("results")
    return finished


@long
def test_a_second_snakemake_is_refused(finished: Repository, undisturbed: Undisturbed) -> None:
    first = finished.start("snakemake", "--cores", "8", "--forcerun", "evaluate")
    wait_for_lock(finished, first)
    said = finished.snakemake("--forcerun", "evaluate", fails=True)
    assert all(text in said for text in LOCKED)
    end(first)
    assert content(finished.path) == undisturbed.content
    assert "Nothing to be done" in finished.snakemake()


@long
def test_snakemake_during_an_experiment_is_refused(recorded: Repository) -> None:
    first = recorded.start("dvc", "exp", "run", "-n", "half", "-S", "sigma_p=0.5")
    wait_for_lock(recorded, first)
    said = recorded.snakemake(fails=True)
    assert all(text in said for text in LOCKED)
    end(first)
    there(recorded, "half", 0.5)
    here(recorded, 0.5)


@long
def test_an_experiment_during_snakemake_is_refused(recorded: Repository, undisturbed: Undisturbed) -> None:
    """It says so before it changes results; the parameters that it left are put back as docs/dvc.md says."""
    first = recorded.start("snakemake", "--cores", "8", "--forcerun", "pretrain")
    wait_for_lock(recorded, first)
    said = recorded.dvc("exp", "run", "-S", "sigma_p=0.5", fails=True)
    assert all(text in said for text in LOCKED), said
    recorded.git("checkout", "-q", "HEAD", ".")
    end(first)
    assert "Nothing to be done" in recorded.snakemake() and content(recorded.path) == undisturbed.content
    recorded.dvc("exp", "run", "-S", "sigma_p=0.5")
    here(recorded, 0.5)


@long
def test_queue_workers_beside_snakemake(recorded: Repository, undisturbed: Undisturbed) -> None:
    """Each in a folder of its own, all with one folder of runs."""
    recorded.dvc("exp", "run", "--queue", "-S", "sigma_p=0.25,0.5")
    first = recorded.start("snakemake", "--cores", "8", "--forcerun", "evaluate")
    run_queue(recorded, 2)
    end(first)
    assert content(recorded.path) == undisturbed.content
    here(recorded, 1.0)
    values = {}
    for name in recorded.dvc("exp", "list", "--name-only").split():
        value = yaml.safe_load(recorded.git("show", f"{find(recorded, name)}:params.yaml"))["sigma_p"]
        there(recorded, name, value)
        values[value] = name
    assert sorted(values) == [0.25, 0.5]
    runs = [json.loads(path.read_text()) for path in (recorded.path / "runs").glob("*/run.json")]
    assert all(run["status"] == "COMPLETED" for run in runs)
