"""What a second clone gets: by `dvc pull` all of it, of a part nothing stale, and without a remote by itself."""

from __future__ import annotations

from pathlib import Path

from tests.workflow.experiments import Repository, header, here, there


def clone_with_remote(repository: Repository, folder: Path) -> Repository:
    """Everything pushed to a remote, and a clone that can pull from it."""
    repository.dvc("remote", "add", "-d", "store", str(folder / "store"))
    repository.commit("remote")
    repository.dvc("push")
    repository.run("git", "clone", "-q", repository.path, folder / "clone")
    return Repository(folder / "clone")


def test_second_clone_prints_all_reports(baseline: Repository, tmp_path: Path) -> None:
    clone = clone_with_remote(baseline, tmp_path)
    clone.dvc("pull")
    here(clone, 1.0)
    assert header(clone)["run_id"] == header(baseline)["run_id"]
    assert "up to date" in clone.dvc("status")
    assert "up to date" in clone.dvc("repro")
    assert clone.git("status", "--short") == ""
    for path in sorted((baseline.path / "reports").rglob("*.*")):
        assert (clone.path / path.relative_to(baseline.path)).read_bytes() == path.read_bytes()


def test_part_of_a_pull_is_no_start(baseline: Repository, tmp_path: Path) -> None:
    """Reports without Snakemake's records would stay whatever the parameters say."""
    clone = clone_with_remote(baseline, tmp_path)
    clone.dvc("pull", "reports")
    said = clone.snakemake("--config", "sigma_p=0.5", fails=True)
    assert "no record in .snakemake/metadata" in said and "dvc pull" in said and "Traceback" not in said
    clone.dvc("pull")
    here(clone, 1.0)


def test_fresh_clone_does_the_main_job(baseline: Repository, tmp_path: Path) -> None:
    """Without a remote to pull from, and into a first experiment."""
    baseline.run("git", "clone", "-q", baseline.path, tmp_path / "clone")
    clone = Repository(tmp_path / "clone")
    clone.dvc("repro")
    here(clone, 1.0)
    clone.commit("made here")
    clone.dvc("exp", "run", "--temp", "-n", "half", "-S", "sigma_p=0.5")
    there(clone, "half", 0.5)
