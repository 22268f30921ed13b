"""The training of the pose network, killed at random moments until it is done: the same network as without a kill."""

from __future__ import annotations

import json
import os
import random
import subprocess
import time
from pathlib import Path

import pytest
import torch

from tests.faults.runs import long
from tests.faults.test_kills import SIGNALS
from tests.pose.test_estimator import PARAMS, weights
from tests.workflow.experiments import Repository
from tests.workflow.repository import ROOT

pytest.importorskip("openpifpaf")
KILLS = 8


@long
def test_pose_training_killed_at_any_moment(tmp_path: Path) -> None:
    rng = random.Random(17)
    params = json.dumps(PARAMS | {"steps": 60, "save_every": 3})

    def start(name: str) -> subprocess.Popen[str]:
        flags = ("--params", params, "--output", f"{tmp_path}/{name}.pt", "--runs", f"{tmp_path}/runs")
        return Repository(ROOT).start("python", "-m", "csvr.pose_estimator", *flags)

    def wait(process: subprocess.Popen[str], seconds: float | None) -> bool:
        """Whether it is done by then; if not, it is killed."""
        try:
            said, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, rng.choice(SIGNALS))
            process.communicate(timeout=60)
            assert process.returncode
            return False
        assert process.returncode == 0, said
        return True

    began, kills, resumed = time.monotonic(), 0, 0
    assert wait(start("whole"), None)
    seconds = time.monotonic() - began
    while not wait(start("killed"), rng.uniform(0.3, 0.8) * seconds if kills < KILLS else None):
        kills += 1
        resumed += any(tmp_path.glob("killed.pt.checkpoints/*/step*"))
    whole, killed = weights(tmp_path / "whole.pt"), weights(tmp_path / "killed.pt")
    assert whole.keys() == killed.keys() and all(torch.equal(whole[name], killed[name]) for name in whole)
    assert kills and resumed and not list(tmp_path.glob("*.checkpoints"))
    print(f"{kills} kills in a training of {seconds:.0f} s, {resumed} of them between checkpoints")
