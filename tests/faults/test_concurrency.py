"""Several commands at once in one folder: what they leave fits together, or one of them is refused and says so."""

from __future__ import annotations

import time

from tests.faults.runs import Undisturbed, content, long
from tests.workflow.experiments import Repository

LOCKED = ("Directory cannot be locked", "--unlock")


@long
def test_a_second_snakemake_is_refused(finished: Repository, undisturbed: Undisturbed) -> None:
    first = finished.start("snakemake", "--cores", "8", "--forcerun", "evaluate")
    locks = finished.path / ".snakemake/locks"
    while not (locks.is_dir() and any(locks.iterdir())):
        assert first.poll() is None
        time.sleep(0.02)
    said = finished.snakemake("--forcerun", "evaluate", fails=True)
    assert all(text in said for text in LOCKED)
    said, _ = first.communicate()
    assert first.returncode == 0, said
    assert content(finished.path) == undisturbed.content
    assert "Nothing to be done" in finished.snakemake()
