"""What `make` says and calls; nothing is installed and nothing is computed: the programs are stand-ins."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from csvr.tracking.sources import ROOT

PROGRAMS = ("pip", "python", "snakemake")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A clone without an environment but for programs that say how they are called."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("requirements.txt", "requirements-openpifpaf.txt"):
        (tmp_path / name).touch()
    (tmp_path / ".venv/bin").mkdir(parents=True)
    for name in PROGRAMS:
        program = tmp_path / ".venv/bin" / name
        program.write_text(f'#!/bin/sh\necho "({name} $*)"\nexit "${{FAILS:-0}}"\n')
        program.chmod(0o755)
    return tmp_path


def make(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    # As a user's, not as one that the make which runs these tests has started.
    own = {name: value for name, value in os.environ.items() if not name.startswith("MAKE") and name != "MFLAGS"}
    return subprocess.run(["make", *words], cwd=folder, text=True, capture_output=True, env=own)


def test_reproduce_says_first_what_comes_and_last_what_to_read(folder: Path) -> None:
    done = make(folder, "reproduce", "CORES=3")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("Making reports/table_ablation.md:")
    first = {text: next(k for k, line in enumerate(lines) if line.startswith(text)) for text in ("(pip", "(snakemake")}
    assert "4 minutes" in lines[1] and "30 minutes on two cores" in lines[2] and first["(pip"] > 3
    assert lines[first["(snakemake"]] == "(snakemake --cores 3 reports/table_ablation.md)"
    assert lines[first["(snakemake"] + 1] == "Read:"
    named = re.findall(r"^  (\S+)", "\n".join(lines[first["(snakemake"] :]), flags=re.MULTILINE)
    listed = (ROOT / "docs/reports.md").read_text() + (ROOT / "README.md").read_text()
    assert len(named) == 3 and all(path in listed for path in named)
    # The environment is there now.
    assert "(pip" not in (again := make(folder, "reproduce").stdout) and "4 minutes" not in again
    assert "Nothing to be done" not in again


def test_reproduce_that_fails_names_nothing_to_read(folder: Path) -> None:
    make(folder, "env")
    done = make(folder, "reproduce", "RUN=FAILS=1 PATH=$(abspath $(BIN)):$$PATH")
    assert done.returncode != 0 and "(snakemake" in done.stdout and "Read:" not in done.stdout


def test_what_make_test_starts_is_every_test_once(folder: Path) -> None:
    """The parts that run side by side leave out no folder of tests, and share none."""
    text = (ROOT / "Makefile").read_text()
    parts = re.search(r"^test: env.*\n.*\\\n\t+(.*)$", text, flags=re.MULTILINE)
    assert parts and parts[1].split()[-1] == "lint"
    make(folder, "env")
    # With the variables of the Makefile in place.
    recipes = {part: make(folder, "--dry-run", part).stdout for part in parts[1].split()[:-1]}
    named, ignored = {}, {}
    for part, recipe in recipes.items():
        assert recipe.count(" pytest -q ") == 1, (part, recipe)
        words = recipe.split()
        ignored[part] = {word for word, before in zip(words[1:], words, strict=False) if before == "--ignore"}
        named[part] = {word for word in words if word.startswith("tests")} - ignored[part] or {"tests"}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        places = {place.relative_to(ROOT).as_posix() for place in (path, *path.parents) if place.is_relative_to(ROOT)}
        runs = [part for part in recipes if places & named[part] and not places & ignored[part]]
        assert len(runs) == (0 if "tests/slurm" in places else 1), (path, runs)
