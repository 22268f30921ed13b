"""Copies of the repository to run Snakemake in: with the tiny profile, and with DVC and the micro profile."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflow.experiments import Repository, create, header
from tests.workflow.repository import Run, command, copy_repository


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository with tiny.yaml. Nothing is run in it but dry-runs."""
    target = copy_repository(tmp_path_factory.mktemp("repository"))
    made = command(
        sys.executable, "workflow/scripts/compose_params.py", "+profile=tiny", "--output", "tiny.yaml", cwd=target
    )
    assert made.returncode == 0, made.stdout
    return target


@pytest.fixture(scope="session")
def snakemake() -> Run:
    """Call `snakemake … --configfile tiny.yaml` in a folder."""

    def call(
        folder: Path, *words: str, cores: int = 2, also: tuple[Path, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        return command("snakemake", "--cores", str(cores), *words, "--configfile", "tiny.yaml", *also, cwd=folder)

    return call


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Everything made by plain Snakemake, then taken over by `dvc repro` and committed."""
    repository = create(tmp_path_factory.mktemp("made") / "r")
    repository.snakemake()
    run = header(repository)["run_id"]
    assert "Nothing to be done" in repository.dvc("repro")
    assert header(repository)["run_id"] == run
    repository.commit("results")
    return repository


@pytest.fixture
def baseline(made: Repository, tmp_path: Path) -> Repository:
    """A copy of `made` to do anything with."""
    return made.copy(tmp_path / "r")
