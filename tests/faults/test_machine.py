"""A machine that fails: full and read-only disks, no memory. One line says so; the second try ends as ever."""

from __future__ import annotations

import errno
import json
import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from csvr import cli
from csvr.checkpoints import NETWORKS, Checkpoints
from csvr.data import index, shards, video
from csvr.errors import UserError
from csvr.files import write_text
from tests.faults.conftest import Resize
from tests.faults.runs import Undisturbed, content, long, repository
from tests.workflow.experiments import Repository
from tests.workflow.repository import ENV, ROOT, copy_repository

PARAMS = {"short_side": 256, "aspect": None, "storage": "raw", "quality": 90}
AGAIN = "run the same again: what is done is kept"
NO_ROOM = re.compile(f"No space left on device|MB are left on this disk; make room and {AGAIN}")
READ_ONLY = f"Read-only file system; let it be read and written, and {AGAIN}"


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an index of four videos, whose clips take 3 MB."""
    folder = tmp_path_factory.mktemp("videos")
    rng = np.random.default_rng(0)
    for k, part in enumerate(("train", "train", "test", "test")):
        small = rng.integers(0, 256, (4, 4, 4, 3), dtype=np.uint8)
        images = np.kron(small, np.ones((1, 64, 64, 1), np.uint8))
        video.encode(folder / part / "run" / f"{part}{k}.avi", images, 10, 12)
    table = index.build("folder", folder, folder, [1], index.Policy())
    table.assign(run="1").to_csv(folder / "index.csv", index=False)
    return folder


def clips(videos: Path, output: Path, runs: Path, memory_mb: int | None = None) -> tuple[int, list[str]]:
    """Exit code of `python -m csvr.clips`, and the lines that are no progress."""

    def limit() -> None:
        if memory_mb:
            resource.setrlimit(resource.RLIMIT_AS, (memory_mb << 20,) * 2)

    flags = ("--index", videos / "index.csv", "--params", json.dumps(PARAMS), "--output", output, "--runs", runs)
    done = subprocess.run(
        [sys.executable, "-m", "csvr.clips", *map(str, flags)], cwd=ROOT, env=ENV, text=True, preexec_fn=limit,
        capture_output=True,
    )  # fmt: skip
    return done.returncode, [line for line in done.stderr.splitlines() if line.startswith(("csvr:", "Trace"))]


@pytest.fixture(scope="module")
def expected(videos: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    folder = tmp_path_factory.mktemp("expected")
    assert clips(videos, folder / "clips", folder / "runs") == (0, [])
    return dict(shards.Shards([folder / "clips"]))


def same(path: Path, expected: dict[str, np.ndarray]) -> bool:
    found = dict(shards.Shards([path]))
    return found.keys() == expected.keys() and all((found[name] == expected[name]).all() for name in found)


def test_a_full_disk_is_named_and_what_was_done_is_kept(
    videos: Path, expected: dict[str, np.ndarray], disk: tuple[Path, Resize], tmp_path: Path
) -> None:
    folder, resize = disk
    output, runs = folder / "clips.safetensors", tmp_path / "runs"
    code, lines = clips(videos, output, runs)
    assert (code, lines) == (2, [f"csvr: {output}.part: No space left on device; make room and {AGAIN}"])
    resize("size=5m")  # all clips, but not twice: the shard is what can't be written
    code, lines = clips(videos, output, runs)
    assert (code, lines) == (2, [f"csvr: {output}: No space left on device; make room and {AGAIN}"])
    assert sorted(os.listdir(folder)) == ["clips.safetensors.journal", "clips.safetensors.part"]
    resize("size=20m")
    assert clips(videos, output, runs) == (0, []) and os.listdir(folder) == [output.name]
    assert same(output, expected)


def test_no_half_record_is_left_on_a_full_disk(
    videos: Path, expected: dict[str, np.ndarray], disk: tuple[Path, Resize], tmp_path: Path
) -> None:
    """Sacred keeps each source once: a copy that was broken off would be the source of all later runs."""
    (folder, resize), output = disk, tmp_path / "clips.safetensors"
    (folder / "fill").write_bytes(b"x" * 1_600_000)
    code, (line,) = clips(videos, output, folder / "runs")
    assert code == 2 and line.startswith(f"csvr: {folder}/runs/") and line.endswith(f"make room and {AGAIN}")
    assert not output.exists()
    resize("size=20m")
    assert clips(videos, output, folder / "runs") == (0, []) and same(output, expected)
    run = json.loads((folder / "runs/2/run.json").read_text())
    assert run["status"] == "COMPLETED" and len(run["experiment"]["sources"]) > 100
    for name, stored in run["experiment"]["sources"]:
        assert (folder / "runs" / stored).read_bytes() == (ROOT / name).read_bytes()
    assert not list(folder.rglob("*.part"))


def test_a_disk_that_can_not_be_written(
    videos: Path, expected: dict[str, np.ndarray], disk: tuple[Path, Resize], tmp_path: Path
) -> None:
    folder, resize = disk
    output = folder / "clips.safetensors"
    resize("ro")
    code, lines = clips(videos, output, tmp_path / "runs")
    assert (code, lines) == (
        2,
        [f"csvr: {output}.part: {READ_ONLY}"],
    )
    code, lines = clips(videos, tmp_path / "clips", folder / "runs")
    assert (code, lines) == (
        2,
        [f"csvr: {folder}/runs: {READ_ONLY}"],
    )
    resize("rw,size=20m")
    assert clips(videos, output, folder / "runs") == (0, []) and same(output, expected)


def test_too_little_memory_is_said_and_no_video_is_blamed(
    videos: Path, expected: dict[str, np.ndarray], tmp_path: Path
) -> None:
    """Less and less of it, so that it lacks in many places: of the interpreter, of libraries, of FFmpeg."""
    said, output = [], tmp_path / "clips.safetensors"
    for megabytes in (400, 340, 310, 290, 270, 250):
        code, lines = clips(videos, output, tmp_path / "runs", megabytes)
        if code == 0:
            assert same(output, expected)
            output.unlink()
            continue
        assert not output.exists()
        said += [line for line in lines if line.startswith("csvr:")]
    assert said and all(line.startswith("csvr: no memory left (") and line.endswith(AGAIN) for line in said), said
    assert clips(videos, output, tmp_path / "runs") == (0, []) and same(output, expected)


def test_a_checkpoint_that_does_not_fit_leaves_the_one_before(disk: tuple[Path, Resize]) -> None:
    folder, resize = disk
    checkpoints = Checkpoints(folder / "networks.checkpoints", "made")
    small, large = ({NETWORKS: {"w": torch.zeros(size)}} for size in (1000, 1_000_000))
    state = {"optimisers": torch.zeros(1_000_000)}
    checkpoints.save(10, 1.0, small, {})
    for tensors, about in ((large, {}), (small, state)):  # safetensors and torch each say it in their own way
        with pytest.raises(OSError, match="step000020") as error:
            checkpoints.save(20, 1.0, tensors, about)
        assert error.value.errno == errno.ENOSPC
        assert checkpoints.steps() == [10] and checkpoints.newest() == 10
        assert [path.name for path in (folder / "networks.checkpoints").glob("*/.*")] == []
    resize("size=20m")
    checkpoints.save(20, 1.0, large, state)
    assert checkpoints.newest() == 20


def test_other_files_that_do_not_fit(disk: tuple[Path, Resize]) -> None:
    folder, _ = disk
    for write in (
        lambda path: write_text(path, "x" * 3_000_000),
        lambda path: shards.write(path, {"v": np.zeros(3_000_000, np.uint8)}, {}),
    ):
        with pytest.raises(OSError, match="No space left") as error:
            write(folder / "a")
        assert error.value.errno == errno.ENOSPC and error.value.filename == str(folder / "a")
        assert not list(folder.iterdir())


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "full", "a", None, "b"), "b: full; make room and"),
        (PermissionError(errno.EACCES, "denied", "a"), "a: denied; let it be read and written"),
        (OSError(errno.EIO, "I/O error", "a"), "a: I/O error; the disk has a fault"),
        (MemoryError(), "no memory left (MemoryError);"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), "no memory left ("),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB."), "no memory left (CUDA out of memory."),
        (RuntimeError("can't start new thread"), "no memory left ("),
        (RuntimeError("shapes differ"), None),
        (FileNotFoundError(errno.ENOENT, "missing", "a"), None),
        (ImportError("No module named x"), None),
    ],
)  # fmt: skip
def test_what_is_said_of_the_machine(error: BaseException, said: str | None) -> None:
    found = cli.fault(error)
    assert found is None if said is None else str(found).startswith(said)


def test_a_lack_of_memory_is_no_fault_of_a_video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.avi"
    video.encode(path, np.zeros((3, 64, 64, 3), np.uint8), 10, 12)

    def full(*_: object, **__: object) -> None:
        raise video.av.error.MemoryError(errno.ENOMEM, "Cannot allocate memory", str(path))

    monkeypatch.setattr(video.av, "open", full)
    assert "more memory than a video can need" in index.inspect(path)["problem"]
    monkeypatch.setattr(video, "ENOUGH", 2**60)
    with pytest.raises(MemoryError):
        index.inspect(path)
    with pytest.raises(UserError, match="missing"):
        index.facts(tmp_path / "b.avi")


def room(folder: Path, resize: Resize, size: int) -> None:
    """Let a disk have so many bytes left."""
    disk = os.statvfs(folder)
    resize(f"size={(disk.f_blocks - disk.f_bfree) * disk.f_frsize + size}")


def test_a_run_does_not_begin_on_a_full_disk(disk: tuple[Path, Resize]) -> None:
    folder, resize = disk
    resize("size=40m")
    there = Repository(copy_repository(folder / "r"))
    room(folder, resize, 0)
    said = there.snakemake(fails=True)
    assert f"{there.path}: 0 MB are left on this disk; make room and {AGAIN}" in said.splitlines()[-4:]


@long
@pytest.mark.parametrize("words", [("snakemake", "--cores", "8"), ("dvc", "repro")])
def test_a_full_disk_under_the_whole_repository(
    words: tuple[str, ...], disk: tuple[Path, Resize], undisturbed: Undisturbed
) -> None:
    """A little more room each time, so that it lacks at many places: for data, features, logs, records, reports."""
    folder, resize = disk
    resize("size=200m")
    there, failed = repository(folder / "r"), 0
    while True:
        room(folder, resize, round(1_100_000 * 1.5**failed))
        process = there.start(*words)
        said, _ = process.communicate()
        if not process.returncode:
            break
        failed += 1
        lines = [line for line in said.splitlines() if NO_ROOM.search(line)]
        assert lines, said
        print(f"{failed}: {lines[-1]}", flush=True)
    resize("size=200m")
    assert failed > 2 and content(there.path) == undisturbed.content
    assert "Nothing to be done" in there.snakemake()
    assert "Nothing to be done" in (said := there.dvc("repro")) or "up to date" in said
