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


@pytest.fixture(params=["coordinates", "heatmaps"])
def inputs(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    folder = tmp_path / "inputs"
    folder.mkdir()
    write_features(folder)
    p = with_pose(request.param, {"gan": "wgan_gp" if request.param == "heatmaps" else "nonsaturating"})
    p["pretrain"] |= {"batch": 8, "steps": 3}
    p["model"]["generation"]["clips"] = 4
    p["model"]["generation"]["generator"]["noise_channels"] = 2
    (folder / "params.json").write_text(json.dumps(p))
    (folder / "videos.json").write_text(json.dumps(VIDEOS))
    return folder


def start(inputs: Path, output: Path, processes: int, dies: str = "") -> subprocess.CompletedProcess[str]:
    """Train; `dies` is the rank of a process that is to fail."""
    output.mkdir()
    command = [sys.executable, *(["-m", "torch.distributed.run", "--nproc-per-node", str(processes)] * (processes > 1))]
    command += [str(Path(__file__).with_name("share_batch.py")), str(inputs), str(output), dies]
    return subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, timeout=300)


def train(inputs: Path, output: Path, processes: int) -> tuple[dict[str, torch.Tensor], Any, dict[str, torch.Tensor]]:
    """Gradients of the first step, history and trained networks."""
    done = start(inputs, output, processes)
    assert done.returncode == 0, done.stderr[-3000:]
    history = json.loads((output / "history.json").read_text())
    return load_file(output / "gradients.safetensors"), history, load_file(output / "networks.safetensors")


def test_four_processes_compute_what_one_does(inputs: Path, tmp_path: Path) -> None:
    gradients, history, networks = train(inputs, tmp_path / "one", 1)
    shared_gradients, shared_history, shared_networks = train(inputs, tmp_path / "four", 4)
    assert gradients.keys() == shared_gradients.keys()
    for name, value in gradients.items():
        # Relative to the network's gradient: some biases before a batch norm have none but for rounding.
        difference = (shared_gradients[name] - value).abs().max()
        assert difference < 1e-4 * max(value.abs().max(), 0.1), (name, difference, value.abs().max())
    for row, shared in zip(history, shared_history, strict=True):
        for name in row.keys() - {"clips_per_second"}:
            assert shared[name] == pytest.approx(row[name], rel=2e-3, abs=2e-3), (row["step"], name)
    assert networks.keys() == shared_networks.keys()
    for name in networks:
        if "running" in name:
            torch.testing.assert_close(shared_networks[name], networks[name], atol=2e-3, rtol=2e-2)


@pytest.mark.parametrize("inputs", ["coordinates"], indirect=True)
def test_a_process_that_dies_ends_the_job_with_its_error(inputs: Path, tmp_path: Path) -> None:
    done = start(inputs, tmp_path / "two", 2, dies="1")
    assert done.returncode != 0 and "RuntimeError: planted error" in done.stderr
    assert not (tmp_path / "two/networks.safetensors").exists()
