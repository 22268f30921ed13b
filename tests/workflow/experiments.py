"""A git and DVC repository with the micro profile, and what its reports say they were made with."""

from __future__ import annotations

import functools
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dvc.api
import yaml

from csvr.data import shards
from csvr.reporting.results import Expectation
from tests.workflow.repository import ENV, command, copy_repository

TABLE = "reports/table_ablation.md"
COMPOSE = "workflow/scripts/compose_params.py"


class Repository:
    """A working copy; every command is expected to succeed unless `fails` is said."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def run(self, *words: str | Path, fails: bool = False) -> str:
        done = command(*words, cwd=self.path)
        assert (done.returncode != 0) == fails, f"{' '.join(map(str, words))}\n{done.stdout}"
        return done.stdout

    def git(self, *words: str, fails: bool = False) -> str:
        return self.run("git", "-c", "user.name=Tester", "-c", "user.email=tester@example.org", *words, fails=fails)

    def dvc(self, *words: str, fails: bool = False) -> str:
        return self.run("dvc", *words, fails=fails)

    def snakemake(self, *words: str, fails: bool = False) -> str:
        return self.run("snakemake", "--cores", "8", *words, fails=fails)

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a command in a process group of its own."""
        return subprocess.Popen(
            words, cwd=self.path, env=ENV, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True,
            # A shell's background jobs ignore Ctrl-C, and so would what they start.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip

    def commit(self, message: str) -> None:
        self.git("add", "-A")
        self.git("commit", "-qm", message)

    def copy(self, target: Path) -> Repository:
        shutil.copytree(self.path, target, symlinks=True)
        # The index knows the old copy's inodes; without this `git diff-files` sees changes where there are none.
        copied = Repository(target)
        copied.git("status")
        return copied

    def json(self, path: str) -> Any:
        return json.loads((self.path / path).read_text())

    @property
    def sigma_p(self) -> float:
        return float(yaml.safe_load((self.path / "params.yaml").read_text())["sigma_p"])


def create(target: Path) -> Repository:
    """A committed repository with the micro profile, nothing made yet."""
    copy_repository(target)
    config = target / "params/config.yaml"
    # An experiment composes params.yaml anew, so the profile has to stand in the defaults list.
    text = config.read_text()
    assert "  - _self_\n" in text
    config.write_text(text.replace("  - _self_\n", "  - _self_\n  - profile: micro\n"))
    repository = Repository(target)
    repository.run(sys.executable, COMPOSE)
    repository.git("init", "-qb", "main")
    repository.commit("micro profile")
    return repository


def folder(sigma_p: float = 1.0, variant: str = "full", seed: int = 0) -> str:
    """Where results of a variant with that σ_p are."""
    return f"results/mannequin/{variant}/sigma_v=1__sigma_p={sigma_p:g}__sigma_c=3/seed{seed}"


def weight(metrics: dict[str, Any]) -> float:
    """σ_p of a trained variant, from its loss terms alone: L = σ_v L_video + σ_p L_pose + σ_c L_context."""
    loss = metrics["loss"]
    return float((loss["loss"] - 1.0 * loss["video"] - 3.0 * loss["context"]) / loss["pose"])


def agree(read: Callable[[str], str], sigma_p: float) -> None:
    """All that was recorded belongs to `sigma_p`: parameters, results, numbers and what the table names.

    Args:
        read: Content of a file, from a working copy or from an experiment.
        sigma_p: What the parameters should say.
    """
    assert yaml.safe_load(read("params.yaml"))["sigma_p"] == sigma_p
    # Rounded to six digits, and L_pose is small.
    assert abs(weight(json.loads(read("reports/metrics.json"))["variants"]["full"]) - sigma_p) < 1e-3
    cell = json.loads(read(f"{folder(sigma_p)}/metrics.json"))
    assert cell["params"]["sigma_p"] == sigma_p
    expected = json.loads(read("results/mannequin/expected.json"))
    assert expected["variants"]["full"]["params"]["sigma_p"] == sigma_p
    table = read(TABLE)
    assert Expectation.of(expected).digest in table
    assert re.search(rf"\b{cell['pretrain_run_id']} → {cell['run_id']}\b", table)
    for step, code in cell["code"].items():
        assert f"{step} {code}" in table and expected["code"][step] == code


def here(repository: Repository, sigma_p: float) -> None:
    """`agree` for the working copy, in which nothing is left to do."""
    agree(lambda path: (repository.path / path).read_text(), sigma_p)
    said = repository.snakemake()
    assert "Nothing to be done" in said, said
    agree(lambda path: (repository.path / path).read_text(), sigma_p)


def there(repository: Repository, name: str, sigma_p: float) -> None:
    """`agree` for an experiment or a commit."""
    agree(functools.partial(read, repository, name), sigma_p)


def read(repository: Repository, revision: str, path: str) -> str:
    """A file of an experiment or a commit."""
    return str(dvc.api.read(path, repo=str(repository.path), rev=revision))


def header(repository: Repository, sigma_p: float = 1.0, variant: str = "full") -> dict[str, Any]:
    return shards.header(repository.path / folder(sigma_p, variant) / "networks.safetensors")


def computed(repository: Repository) -> dict[str, int]:
    """How often each step ran, by the runs that are recorded."""
    runs = (json.loads(path.read_text()) for path in (repository.path / "runs").glob("*/run.json"))
    return dict(Counter(run["experiment"]["name"] for run in runs))


def run_queue(repository: Repository, count: int) -> None:
    """Run the queued experiments, each in a worker."""
    repository.dvc("queue", "start", "-j", str(count))
    limit = time.monotonic() + 300
    while "Running" in (status := repository.dvc("queue", "status")) or "Queued" in status:
        assert time.monotonic() < limit, status
        time.sleep(2)
    assert status.count("Success") == count, status


def find(repository: Repository, name: str) -> str:
    """The commit of an experiment."""
    lines = repository.git("for-each-ref", "--format=%(objectname) %(refname)", "refs/exps").splitlines()
    return next(line.split()[0] for line in lines if line.endswith(f"/{name}"))
