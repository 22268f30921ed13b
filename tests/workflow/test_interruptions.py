"""Experiments that are ended, edited while they run, or run beside each other: whatever is recorded fits together."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time

import pytest
import yaml

from tests.workflow.experiments import Repository, folder, header, here, read, there


def wait_for_pretraining(repository: Repository, process: subprocess.Popen[str], sigma_p: float = 0.5) -> None:
    """Until the networks of full are there, or are others than now."""
    networks = repository.path / folder(sigma_p) / "networks.safetensors"
    before = header(repository, sigma_p)["run_id"] if networks.exists() else None
    limit = time.monotonic() + 120
    while not networks.exists() or header(repository, sigma_p)["run_id"] == before:
        assert process.poll() is None and time.monotonic() < limit
        time.sleep(0.1)


def back_and_on(repository: Repository) -> None:
    """Back to where it was, and on to σ_p = 0.5."""
    repository.git("checkout", "-q", "HEAD", ".")
    repository.dvc("checkout", "--force")
    repository.snakemake()
    here(repository, 1.0)
    repository.dvc("exp", "run", "-S", "sigma_p=0.5")
    here(repository, 0.5)


@pytest.mark.parametrize("way", [signal.SIGINT, signal.SIGKILL])
def test_interrupted_experiment(baseline: Repository, way: signal.Signals) -> None:
    process = baseline.start("dvc", "exp", "run", "-S", "sigma_p=0.5")
    wait_for_pretraining(baseline, process)
    os.killpg(process.pid, way)
    process.communicate(timeout=60)
    assert process.returncode != 0
    if way == signal.SIGKILL:
        baseline.snakemake("--unlock")
    back_and_on(baseline)


def test_edit_while_it_runs(baseline: Repository) -> None:
    """DVC reads parameters and sources when its stage ends: not those that the results were made with."""
    params, source = baseline.path / "params.yaml", baseline.path / "csvr/pretrain/views.py"
    process = baseline.start("dvc", "exp", "run", "-S", "sigma_p=0.5")
    wait_for_pretraining(baseline, process)
    params.write_text(params.read_text().replace("sigma_p: 0.5", "sigma_p: 0.25"))
    text, _ = process.communicate(timeout=120)
    assert process.returncode != 0 and "were changed while the workflow ran" in text
    process = baseline.start("dvc", "repro")
    wait_for_pretraining(baseline, process, 0.25)
    source.write_text(source.read_text() + "\n# changed\n")
    text, _ = process.communicate(timeout=120)
    # A step that was still to come used the new sources: the reports' guard sees that first.
    assert process.returncode != 0
    assert re.search(r"were changed while the workflow ran|made with code\.\w+ = '\w+', expected '\w+'", text)
    baseline.dvc("repro")
    here(baseline, 0.25)


def test_two_at_once_in_one_folder(baseline: Repository) -> None:
    """One of them is refused; whatever is recorded fits together."""
    running = [baseline.start("dvc", "exp", "run", "-S", f"sigma_p={value}") for value in (0.25, 0.5)]
    texts = [process.communicate(timeout=300)[0] for process in running]
    assert [process.returncode for process in running] != [0, 0], texts
    back_and_on(baseline)
    for name in baseline.dvc("exp", "list", "--name-only").split():
        there(baseline, name, yaml.safe_load(read(baseline, name, "params.yaml"))["sigma_p"])


def test_two_at_once(baseline: Repository) -> None:
    values = {"one": 0.25, "two": 0.5}
    running = [
        baseline.start("dvc", "exp", "run", "--temp", "-n", name, "-S", f"sigma_p={value}")
        for name, value in values.items()
    ]
    for process in running:
        text, _ = process.communicate(timeout=300)
        assert process.returncode == 0, text
    for name, value in values.items():
        there(baseline, name, value)
    here(baseline, 1.0)
