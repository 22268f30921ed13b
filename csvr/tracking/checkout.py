"""The state of the checkout that something is made in."""

from __future__ import annotations

from typing import Any

import git

from csvr.tracking.sources import ROOT


def git_state() -> dict[str, Any]:
    """Commit of the checkout and whether tracked files differ from it; nothing outside a repository.

    But for dvc.lock, which `dvc repro` writes before and after what it runs: it is made, and nothing is made of it.
    """
    try:
        repository = git.Repo(ROOT)
        changed = repository.git.diff("HEAD", "--name-only", "--", ".", ":(exclude)dvc.lock")
        return {"commit": repository.head.commit.hexsha, "dirty": bool(changed)}
    except (git.InvalidGitRepositoryError, git.GitCommandError, ValueError):
        return {"commit": None, "dirty": None}
