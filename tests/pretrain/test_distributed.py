"""Processes that share a batch compute what one process does."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from .small import VIDEOS, with_pose, write_features

ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}


KINDS = ("coordinates", "heatmaps")
Trained = tuple[dict[str, torch.Tensor], Any, dict[str, torch.Tensor]]


def inputs(folder: Path, kind: str) -> Path:
    """Features and parameters, with that kind of pose networks."""
    folder.mkdir()
    write_features(folder)
    p = with_pose(kind, {"gan": "wgan_gp" if kind == "heatmaps" else "nonsaturating"})
    p["pretrain"] |= {"batch": 8, "steps": 3}
    p["model"]["generation"]["clips"] = 4
    p["model"]["generation"]["generator"]["noise_channels"] = 2
    (folder / "params.json").write_text(json.dumps(p))
    (folder / "videos.json").write_text(json.dumps(VIDEOS))
    return folder


def start(processes: int, folders: dict[Path, Path], dies: str = "none") -> subprocess.CompletedProcess[str]:
    """Train.

    Args:
        processes: How many share each batch.
        folders: Where to read, and where to write; one after the other.
        dies: The rank of a process that is to fail.
    """
    for output in folders.values():
        output.mkdir()
    command = [sys.executable, *(["-m", "torch.distributed.run", "--nproc-per-node", str(processes)] * (processes > 1))]
    command += [str(Path(__file__).with_name("share_batch.py")), dies]
    command += [str(path) for pair in folders.items() for path in pair]
    return subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, timeout=300)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, int], Trained]:
    """By kind and number of processes: gradients of the first step, history and trained networks."""
    folder, found = tmp_path_factory.mktemp("trained"), {}
    sources = {kind: inputs(folder / kind, kind) for kind in KINDS}
    for processes in (1, 4):
        targets = {kind: folder / f"{kind}-{processes}" for kind in KINDS}
        done = start(processes, {sources[kind]: targets[kind] for kind in KINDS})
        assert done.returncode == 0, done.stderr[-3000:]
        for kind, output in targets.items():
            history = json.loads((output / "history.json").read_text())
            weights = [load_file(output / f"{name}.safetensors") for name in ("gradients", "networks")]
            found[kind, processes] = weights[0], history, weights[1]
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_four_processes_compute_what_one_does(trained: dict[tuple[str, int], Trained], kind: str) -> None:
    gradients, history, networks = trained[kind, 1]
    shared_gradients, shared_history, shared_networks = trained[kind, 4]
    assert gradients.keys() == shared_gradients.keys()
    for name, value in gradients.items():
        torch.testing.assert_close(shared_gradients[name], value, atol=1e-10, rtol=1e-8, msg=name)
    for row, shared in zip(history, shared_history, strict=True):
        for name in row.keys() - {"clips_per_second"}:
            assert shared[name] == pytest.approx(row[name], rel=1e-6, abs=1e-8), (row["step"], name)
    assert networks.keys() == shared_networks.keys()
    for name, value in networks.items():
        torch.testing.assert_close(shared_networks[name], value, atol=1e-8, rtol=1e-6, msg=name)


def test_a_process_that_dies_ends_the_job_with_its_error(tmp_path: Path) -> None:
    done = start(2, {inputs(tmp_path / "inputs", "coordinates"): tmp_path / "two"}, dies="1")
    assert done.returncode != 0 and "RuntimeError: planted error" in done.stderr
    assert not (tmp_path / "two/networks.safetensors").exists()
