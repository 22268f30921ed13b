"""GPUs of one's own, on any machine: their names are made up."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from csvr import launch
from csvr.errors import UserError
from csvr.tracking.sources import ROOT

HOLD = """
import sys, time
from pathlib import Path
from csvr.launch import take
print(",".join(take(int(sys.argv[2]), ["0", "1", "2"], Path(sys.argv[1]), 0.05)), flush=True)
time.sleep(60)
"""


def holder(folder: Path, count: int) -> subprocess.Popen[str]:
    """A process that takes GPUs, says which, and keeps them."""
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder), str(count)], cwd=ROOT, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip


def said(process: subprocess.Popen[str]) -> set[str]:
    assert process.stdout is not None
    return set(process.stdout.readline().strip().split(","))


def test_no_two_processes_have_the_same_gpu(tmp_path: Path) -> None:
    first = holder(tmp_path, 2)
    assert len(said(first)) == 2
    second = holder(tmp_path, 1)
    third = holder(tmp_path, 2)
    try:
        assert said(second) == {"2"}
        # There is nothing left for the third, until the first one is killed.
        assert third.stderr is not None and "waiting for 2 of 3 GPUs" in third.stderr.readline()
        first.kill()
        assert said(third) == {"0", "1"}
    finally:
        for process in (first, second, third):
            process.kill()
            process.wait()


def test_more_gpus_than_there_are(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--gpus 4: there are 3 here"):
        launch.take(4, ["0", "1", "2"], tmp_path)
    assert launch.take(0, [], tmp_path) == []


def test_gpus_that_the_user_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3, GPU-7f")
    assert launch.gpus() == ["3", "GPU-7f"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert launch.gpus() == []


def line(*words: str, **variables: str) -> str:
    """What the command would start."""
    done = subprocess.run(
        [sys.executable, "-m", "csvr.launch", "--dry-run", *words], cwd=ROOT, text=True, capture_output=True,
        env=os.environ | variables, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


def test_command_lines(tmp_path: Path) -> None:
    assert line("poses", "extract", "--threads", "1").endswith("-m csvr.poses extract --threads 1\n")
    several = line("--gpus", "4", "pretrain", "--seed", "0")
    assert "-m torch.distributed.run --standalone --nproc-per-node=4 -m csvr.pretrain --seed 0" in several
    assert "evaluate: one process computes it" in line("--gpus", "2", "evaluate")
    assert "--nodes 2: not inside a Slurm job" in line("--nodes", "2", "pretrain")
    # Slurm's commands, as they answer.
    for name, answer in (("squeue", "n[3-4]"), ("scontrol", "n3\nn4")):
        (tmp_path / name).write_text(f"#!/bin/sh\nprintf '{answer}\\n'\n")
        (tmp_path / name).chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    nodes = line("--gpus", "8", "--nodes", "2", "pretrain", SLURM_JOB_ID="17", PATH=path)
    assert nodes.startswith("srun --nodes=2 --ntasks=2 --ntasks-per-node=1 --kill-on-bad-exit=1 ")
    assert "--nnodes=2 --nproc-per-node=8 --rdzv-id=17 --rdzv-backend=c10d --rdzv-endpoint=n3:29500" in nodes


def test_what_is_started_sees_its_gpus_alone(tmp_path: Path) -> None:
    """`csvr.runs` stands for any command: it fails with the exit code of its own."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "csvr.launch", "--gpus", "1", "--locks", str(tmp_path), "runs", "--no-such-flag"],
        cwd=ROOT, text=True, capture_output=True, env=os.environ | {"CUDA_VISIBLE_DEVICES": "5,6"}, check=False,
    )  # fmt: skip
    assert done.returncode == 2 and "--no-such-flag" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["5.lock"] and time.monotonic() - began < 60


def test_shards_are_read_from_scratch(tmp_path: Path) -> None:
    """Several jobs of a machine at once: one copy, of the file as it is now."""
    shard, scratch = tmp_path / "clips 0", tmp_path / "scratch"
    shard.write_bytes(os.urandom(5_000_000))
    flags = ["--index", str(shard), "--clips", str(shard), "--params", str(shard)]
    code = "import sys, pathlib, csvr.launch as m; print(*m.staged(sys.argv[2:], pathlib.Path(sys.argv[1])), sep='|')"
    jobs = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(scratch), *flags], cwd=ROOT, text=True, stdout=subprocess.PIPE
        )
        for _ in range(4)
    ]
    found = {job.communicate()[0].strip() for job in jobs}
    assert len(found) == 1
    words = found.pop().split("|")
    assert words[1] == words[5] == str(shard) and words[3] != str(shard)
    assert Path(words[3]).read_bytes() == shard.read_bytes()
    shard.write_bytes(b"another one")
    assert Path(launch.staged(flags, scratch)[3]).read_bytes() == b"another one"
    with pytest.raises(UserError, match="can't be copied there"):
        launch.staged(flags, shard / "no folder")
