"""Plans: counts against the workflow's own, sums by hand."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import yaml

from csvr.errors import UserError
from csvr.plan import ROOT, Step, cells, composed, read, steps
from csvr.variants import PRETRAIN, VARIED

CLUSTER = {
    "cores": 4, "gpus": 0, "index_frames": 1000, "reencode_frames": 100, "clips_frames": 200, "iframes_frames": 400,
    "poses_frames": 10, "core_tflops": 0.1, "gpu_poses_frames": 50, "gpu_tflops": 10,
}  # fmt: skip


def params() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "params.yaml").read_text()))


def test_as_many_jobs_as_the_workflow_has() -> None:
    plan = subprocess.run(
        ["snakemake", "-n", "--quiet", "rules", "--forceall"], cwd=ROOT, text=True, capture_output=True, check=False
    ).stdout
    counted = dict(line.split() for line in plan.splitlines() if line.startswith(("pretrain ", "evaluate ")))
    # Evaluations of one network under two names are two jobs.
    assert len(cells(params(), PRETRAIN)) == int(counted["pretrain"]) < int(counted["evaluate"])
    assert len(cells(params(), VARIED)) == int(counted["evaluate"])


def test_sums_by_hand() -> None:
    p = params() | {"variants": ["full"], "seeds": [0, 1], "integration": {"variants": [], "seeds": [0]}}
    p["sweep"] = {"sigma_p": [], "sigma_c": [], "seeds": [0]}
    found = {step.name.split(",")[0]: step for step in steps(p, CLUSTER, {})}
    drawn = p["dataset"]["generate"]
    videos = 12 * (drawn["train_groups"] * drawn["clips_per_train_group"] + drawn["test_groups"])
    assert found["clips"].core_hours == pytest.approx(videos * drawn["frames"] / 200 / 3600)
    assert found["poses"].gpu_hours == 0 and found["pretraining"].jobs == 2
    fast = {step.name.split(",")[0]: step for step in steps(p, CLUSTER | {"gpus": 2}, {})}
    assert fast["pretraining"].gpu_hours == pytest.approx(found["pretraining"].core_hours / 100)
    assert fast["pretraining"].hours(4, 2) == pytest.approx(fast["pretraining"].gpu_hours / 2)
    assert fast["poses"].gpu_hours > 0 == fast["poses"].core_hours


def test_more_workers_than_jobs_are_of_no_use() -> None:
    assert Step("", 3, core_hours=6.0).hours(cores=2, gpus=0) == 4.0
    assert Step("", 3, core_hours=6.0).hours(cores=100, gpus=0) == 2.0
    # Two jobs of four GPUs each side by side, then the third one.
    assert Step("", 3, gpu_hours=12.0, processes=4).hours(cores=1, gpus=8) == 2.0
    assert Step("", 1, gpu_hours=12.0, processes=16).hours(cores=1, gpus=8) == 1.5


def test_unknown_names_are_said() -> None:
    with pytest.raises(UserError, match="--profile papr: can't be composed; there is k400_hmdb51"):
        composed("papr")
    for flag in ("--params", "--cluster"):
        with pytest.raises(UserError, match=f"{flag}: 'nowhere.yaml' is neither a readable YAML file"):
            read(flag, "nowhere.yaml")
    other = params()
    other["dataset"] = {"name": "mine", "shards": 1, "iframes": "native"}
    with pytest.raises(UserError, match="nothing is known about mine; add a line to params/cluster/videos.csv"):
        steps(other, CLUSTER, {})


def test_a_profile_can_be_planned_and_the_docs_have_it() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "csvr.plan", "--profile", "k400_hmdb51", "--cluster", "gpus8", "--gpus", "8"],
        cwd=ROOT, text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.partition("\n\n")[2] in (ROOT / "docs/scale.md").read_text()
    rows = [line.split("|") for line in done.stdout.splitlines() if line.startswith("| ")]
    assert [row[1].strip() for row in rows[1:]][-3:] == ["pretraining, 240,000 videos", "evaluation, hmdb51", "all"]
