"""The workflow plans what it should, and runs from videos to reports on the tiny profile."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load

from tests.workflow.repository import ROOT, Run, command, copy_repository

EXTRACTION = {"generate_mannequin", "index_videos", "extract_iframes", "extract_clips", "extract_poses"}


def planned(output: str) -> dict[str, int]:
    """Rule names and numbers of jobs in the statistics of a dry-run."""
    jobs = dict(re.findall(r"^(\w+)\s+(\d+)$", output, re.MULTILINE))
    return {name: int(count) for name, count in jobs.items() if name not in ("total", "all")}


def test_lint_is_content() -> None:
    done = command("snakemake", "--lint", cwd=ROOT)
    assert done.returncode == 0, done.stdout


def test_format() -> None:
    done = command("snakefmt", "--check", "Snakefile", "workflow", cwd=ROOT)
    assert done.returncode == 0, done.stdout


def test_dry_run_plans_everything(tiny: Path, snakemake: Run) -> None:
    done = snakemake(tiny, "-n")
    assert done.returncode == 0, done.stdout
    jobs = planned(done.stdout)
    assert jobs["extract_poses"] == jobs["extract_clips"] == jobs["extract_iframes"] == 2
    assert jobs["pretrain"] == jobs["evaluate"] == 6
    assert "train_pose_estimator" not in jobs
    assert {"table_ablation", "figure_per_class", "table_pose_quality", "figure_dataset"} <= set(jobs)


def test_table_alone_is_the_documented_target(tiny: Path, snakemake: Run) -> None:
    done = snakemake(tiny, "reports/table_ablation.md", "-n", cores=8)
    assert done.returncode == 0, done.stdout
    jobs = planned(done.stdout)
    assert jobs["table_ablation"] == 1
    assert "score_poses" not in jobs


def test_published_weights_are_no_input_file(tiny: Path, snakemake: Run, tmp_path: Path) -> None:
    other = tmp_path / "weights.yaml"
    other.write_text("pose_extraction: {checkpoint: shufflenetv2k16, sha256: null}\n")
    done = snakemake(tiny, "-n", "--quiet", also=(other,))
    assert done.returncode == 0, done.stdout


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, tiny: Path, snakemake: Run) -> Path:
    """A repository in which everything was made, from videos to reports."""
    folder = copy_repository(tmp_path_factory.mktemp("finished"))
    shutil.copy2(tiny / "tiny.yaml", folder)
    done = snakemake(folder, cores=8)
    assert done.returncode == 0, done.stdout
    return folder


def test_everything_is_made(finished: Path) -> None:
    for name in ("table_ablation.md", "table_ablation.csv", "table_ablation.html", "table_pose_quality.md"):
        assert (finished / "reports" / name).stat().st_size > 0
    for name in ("table_ablation", "per_class", "dataset_mannequin", "training_curves"):
        assert (finished / "reports" / "figures" / f"{name}.png").stat().st_size > 1000
    cell = finished / "results/mannequin/full/seed0"
    ids = {json.loads((cell / "metrics.json").read_text())["run_id"]}
    for name in ("results/mannequin/full/seed0/history.csv", "features/mannequin/index.csv"):
        ids |= set(pd.read_csv(finished / name, dtype=str)["run"])
    assert len(ids) == 3
    assert all((finished / "runs" / run / "run.json").exists() for run in ids)


def test_jobs_at_once_are_no_more_than_cores(finished: Path) -> None:
    """`--cores 8` was asked for; each job leaves a run with its times."""
    changes = []
    for path in (finished / "runs").glob("*/run.json"):
        run = json.loads(path.read_text())
        assert run["status"] == "COMPLETED"
        # At equal times a stop counts first.
        changes += [(run["start_time"], 1), (run["stop_time"], -1)]
    at_once = list(itertools.accumulate(change for _, change in sorted(changes)))
    assert 1 <= max(at_once) <= min(8, len(os.sched_getaffinity(0)))


def test_second_run_has_nothing_to_do(finished: Path, snakemake: Run) -> None:
    done = snakemake(finished, cores=8)
    assert done.returncode == 0, done.stdout
    assert "Nothing to be done" in done.stdout


def test_sigma_p_reruns_pretraining_but_no_extraction(finished: Path, snakemake: Run) -> None:
    done = snakemake(finished, "-n", "--config", "sigma_p=0.5")
    jobs = planned(done.stdout)
    assert not EXTRACTION & set(jobs)
    # The seeds of full and random_init; no_pose sets a sigma_p of its own.
    assert jobs["pretrain"] == jobs["evaluate"] == 4
    assert jobs["table_ablation"] == 1


@pytest.mark.parametrize(
    ("source", "expected", "kept"),
    [
        ("csvr/evaluation/probe.py", {"evaluate", "table_ablation"}, EXTRACTION | {"pretrain"}),
        ("csvr/generation/losses.py", {"pretrain", "evaluate"}, EXTRACTION),
        ("csvr/pose/extract.py", {"extract_poses", "pretrain"}, {"generate_mannequin", "extract_clips"}),
    ],
)
def test_changed_code_reruns_its_step(
    finished: Path, snakemake: Run, source: str, expected: set[str], kept: set[str]
) -> None:
    path = finished / source
    text = path.read_text()
    path.write_text(text + "\n# changed\n")
    try:
        jobs = set(planned(snakemake(finished, "-n").stdout))
    finally:
        path.write_text(text)
    assert expected <= jobs
    assert not kept & jobs


def test_unchanged_code_reruns_nothing(finished: Path, snakemake: Run) -> None:
    """A checkout gives files a new time and nothing else."""
    for path in (finished / "csvr").rglob("*.py"):
        path.touch()
    assert "Nothing to be done" in snakemake(finished, "-n").stdout


def test_lost_keypoints_matter_to_nothing_but_their_score(finished: Path, snakemake: Run) -> None:
    truth = finished / "data/mannequin/keypoints.safetensors"
    aside = truth.rename(truth.with_suffix(".aside"))
    try:
        done = snakemake(finished, "reports/table_ablation.md", "-n")
    finally:
        aside.rename(truth)
    assert "Nothing to be done" in done.stdout


def test_same_seed_same_bits(finished: Path, snakemake: Run) -> None:
    """Pretraining and evaluation of one cell, made again: the same weights and scores, not nearly the same."""
    folder = finished / "results/mannequin/full/seed0"
    before = [(folder / name).read_bytes() for name in ("encoders.safetensors", "metrics.json")]
    done = snakemake(finished, "results/mannequin/full/seed0/metrics.json", "--forcerun", "pretrain", "evaluate")
    assert done.returncode == 0, done.stdout
    after = [(folder / name).read_bytes() for name in ("encoders.safetensors", "metrics.json")]
    weights = [load(content) for content in (before[0], after[0])]
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    metrics = [json.loads(content) for content in (before[1], after[1])]
    assert metrics[0]["run_id"] != metrics[1]["run_id"]
    assert metrics[0]["scores"] == metrics[1]["scores"]


def test_html_report(finished: Path, snakemake: Run) -> None:
    done = snakemake(finished, "--report", "report.html")
    assert done.returncode == 0, done.stdout
    assert "table_ablation" in (finished / "report.html").read_text()
