"""Damage and change between and during runs of the whole workflow: it is named, and the next run ends as ever."""

from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path

from tests.faults.runs import Undisturbed, content, long, repository
from tests.workflow.experiments import Repository, folder

CELL = folder()
"""Where results of full are."""


def flip(path: Path) -> None:
    """Another bit in the middle, and nothing else about the file: a disk does not set its time."""
    about, data = path.stat(), bytearray(path.read_bytes())
    data[len(data) * 2 // 3] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))


def wait_for(path: Path, pattern: str, process: subprocess.Popen[str]) -> None:
    """Until something like this is there; the process goes on."""
    while not list(path.glob(pattern)):
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.05)


@long
def test_a_damaged_shard_is_made_again_as_the_message_says(finished: Repository, undisturbed: Undisturbed) -> None:
    shard = "features/mannequin/poses/0.safetensors"
    flip(finished.path / shard)
    assert "Nothing to be done" in finished.snakemake()
    said = finished.snakemake("--forcerun", "evaluate", fails=True)
    named = re.search(
        rf"csvr: {shard}: '.*' is damaged .*: (rm -f {shard} && snakemake --cores 8 {shard})$", said, re.M
    )
    assert named, said
    finished.run("bash", "-c", named[1])
    finished.snakemake("--forcerun", "evaluate")
    assert content(finished.path) == undisturbed.content
    assert "Nothing to be done" in finished.snakemake()


@long
def test_a_damaged_shard_under_dvc(finished: Repository, undisturbed: Undisturbed) -> None:
    """The message is right there too; and a shard that was deleted is missed, before DVC forgets that it was there."""
    finished.dvc("repro")
    finished.commit("results")
    shard, lock = finished.path / "features/mannequin/poses/0.safetensors", finished.path / "dvc.lock"
    flip(shard)
    said = finished.dvc("exp", "run", "-S", "sigma_p=0.5", fails=True)
    named = re.search(rf": (rm -f {shard.relative_to(finished.path)} && snakemake --cores 8 .*)$", said, re.M)
    assert named, said
    finished.run("bash", "-c", named[1])
    finished.dvc("exp", "run", "-S", "sigma_p=0.5")
    finished.git("checkout", "-q", "HEAD", ".")
    finished.dvc("checkout")
    assert "Nothing to be done" in finished.snakemake() and content(finished.path) == undisturbed.content
    shard.unlink()
    before = lock.read_text()
    said = finished.dvc("repro", fails=True)
    named = re.search(r"then run the same again: (snakemake .*)$", said, re.M)
    assert named and lock.read_text() == before, said
    finished.run("bash", "-c", named[1])
    # Made by another run, it is another file, and what is made of it is made again: to the same result.
    finished.dvc("repro")
    assert content(finished.path) == undisturbed.content and "Nothing to be done" in finished.snakemake()


@long
def test_parameters_that_change_during_a_run(undisturbed: Undisturbed, tmp_path: Path) -> None:
    """Jobs work with those that the run began with; the next run makes again what depends on the change, only."""
    there = repository(tmp_path / "r")
    params = there.path / "params.yaml"
    before = params.read_text()
    process = there.start("snakemake", "--cores", "8")
    wait_for(there.path, f"{CELL}/networks.checkpoints/*/step*", process)
    params.write_text(before.replace("sigma_p: 1.0", "sigma_p: 0.5"))
    said, _ = process.communicate()
    assert process.returncode == 0, said
    params.write_text(before)
    assert "Nothing to be done" in there.snakemake() and content(there.path) == undisturbed.content
    params.write_text(before.replace("sigma_p: 1.0", "sigma_p: 0.5"))
    said = there.snakemake()
    assert "Pretraining full" in said and "Extracting" not in said and "Drawing the embedded" not in said
    assert (there.path / folder(0.5) / "metrics.json").exists()
    params.write_text(before)
    there.snakemake()
    found = content(there.path)
    assert {name: found[name] for name in undisturbed.content} == undisturbed.content


@long
def test_a_video_that_is_replaced_during_extraction(undisturbed: Undisturbed, tmp_path: Path) -> None:
    there = repository(tmp_path / "r")
    there.snakemake("features/mannequin/index.csv")
    path = sorted((there.path / "data/mannequin/videos").rglob("*.avi"))[5]
    original = path.read_bytes()
    path.write_bytes(original[:-1] + b"x")
    said = there.snakemake(fails=True)
    assert f"{path.name}: has changed since the index was made; make the index again: snakemake" in said
    path.write_bytes(original)
    there.snakemake()
    assert content(there.path) == undisturbed.content
