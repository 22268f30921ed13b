"""The state of the checkout that something is made in."""

from __future__ import annotations

from typing import Any

import git

from csvr.tracking.sources import ROOT


def git_state() -> dict[str, Any]:
    """Commit of the checkout and whether tracked files differ from it; nothing outside a repository."""
    try:
        repository = git.Repo(ROOT)
        return {"commit": repository.head.commit.hexsha, "dirty": repository.is_dirty()}
    except (git.InvalidGitRepositoryError, ValueError):
        return {"commit": None, "dirty": None}
