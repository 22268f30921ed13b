"""A copy of the repository to run Snakemake in, with the tiny profile."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

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
