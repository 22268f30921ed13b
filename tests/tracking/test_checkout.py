"""The commit that a run was made at."""

from pathlib import Path

import git
import pytest

from csvr.tracking import checkout


def test_what_counts_as_a_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkout, "ROOT", tmp_path)
    assert checkout.git_state() == {"commit": None, "dirty": None}
    repository = git.Repo.init(tmp_path)
    assert checkout.git_state() == {"commit": None, "dirty": None}
    for name in ("params.yaml", "dvc.lock"):
        (tmp_path / name).write_text("a")
    repository.git.add("-A")
    repository.git.execute(["git", "-c", "user.name=T", "-c", "user.email=t@example.org", "commit", "-qm", "x"])
    clean = {"commit": repository.head.commit.hexsha, "dirty": False}
    assert checkout.git_state() == clean
    # As `dvc repro` leaves them while it runs.
    (tmp_path / "dvc.lock").write_text("b")
    (tmp_path / "untracked").write_text("c")
    assert checkout.git_state() == clean
    (tmp_path / "params.yaml").write_text("b")
    assert checkout.git_state() == clean | {"dirty": True}
