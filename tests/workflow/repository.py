"""Helpers: run a command, copy the repository."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENV = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}

Run = Callable[..., subprocess.CompletedProcess[str]]


def command(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command with this environment's programs first in PATH; its two outputs are one text."""
    return subprocess.run(
        [str(word) for word in words], cwd=cwd, env=ENV, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def copy_repository(target: Path) -> Path:
    """Copy what the workflow needs: no results, no environment."""
    for name in ("csvr", "params", "profiles", "workflow"):
        shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in (
        "Snakefile", "params.yaml", "environment.yml", "requirements.txt", "environment.post-deploy.sh", "dvc.yaml",
        ".dvcignore", ".gitignore",
    ):  # fmt: skip
        shutil.copy2(ROOT / name, target / name)
    (target / ".dvc").mkdir()
    for name in ("config", ".gitignore"):
        shutil.copy2(ROOT / ".dvc" / name, target / ".dvc" / name)
    return target


def planned(output: str) -> dict[str, int]:
    """Rule names and numbers of jobs in the statistics of a dry-run."""
    jobs = dict(re.findall(r"^(\w+)\s+(\d+)$", output, re.MULTILINE))
    return {name: int(count) for name, count in jobs.items() if name not in ("total", "all")}
