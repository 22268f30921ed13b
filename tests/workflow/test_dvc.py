"""Snakemake, DVC and experiments together never show a stale number: contract tests on the whole, very small DAG.

First the two traps that the wiring is made for: an experiment in a folder of its own, which has the old results but
did not make them; and a way back by checkout, after which the records of Snakemake would tell of other files.
"""

from __future__ import annotations

import io
import json
import re
import shutil
import sqlite3

import pandas as pd
import pytest
import yaml

from tests.workflow.experiments import TABLE, Repository, computed, find, folder, header, here, read, run_queue, there
from tests.workflow.repository import ENV


def test_temp_experiment_has_its_own_numbers(baseline: Repository) -> None:
    baseline.dvc("exp", "run", "--temp", "-n", "nine", "-S", "sigma_p=0.9")
    there(baseline, "nine", 0.9)
    # Its runs are kept, though the folder in which they were made is gone.
    cell = json.loads(read(baseline, "nine", f"{folder(0.9)}/metrics.json"))
    for key, step in (("pretrain_run_id", "pretrain"), ("run_id", "evaluate")):
        run = baseline.path / "runs" / cell[key]
        found = json.loads((run / "run.json").read_text())
        assert (found["experiment"]["name"], found["status"]) == (step, "COMPLETED")
        assert json.loads((run / "config.json").read_text())["sigma_p"] == 0.9
    # And the workspace did not change.
    assert baseline.git("status", "--short") == ""
    here(baseline, 1.0)


def test_checkout_and_run_again(baseline: Repository) -> None:
    """And in between: what does not depend on σ_p is not made again."""
    kept = header(baseline, 0, "no_pose")["run_id"]
    before = computed(baseline)
    baseline.dvc("exp", "run", "-n", "half", "-S", "sigma_p=0.5")
    here(baseline, 0.5)
    assert header(baseline, 0, "no_pose")["run_id"] == kept
    assert computed(baseline) == before | {step: before[step] + 1 for step in ("pretrain", "evaluate")}
    # `dvc repro` has nothing to do after `dvc exp run`, nor has Snakemake (`here`).
    assert "up to date" in baseline.dvc("repro")
    baseline.git("checkout", "-q", "HEAD", ".")
    baseline.dvc("checkout")
    here(baseline, 1.0)
    baseline.dvc("exp", "run", "-S", "sigma_p=0.5", "-n", "again")
    here(baseline, 0.5)
    there(baseline, "again", 0.5)


def test_parameters_without_their_results(baseline: Repository) -> None:
    """`git checkout` alone leaves results of other parameters; the next run makes them anew."""
    baseline.dvc("exp", "run", "-S", "sigma_p=0.5")
    baseline.git("checkout", "-q", "HEAD", ".")
    baseline.snakemake()
    here(baseline, 1.0)
    # And results without their parameters.
    baseline.dvc("repro")
    baseline.git("checkout", "-q", "HEAD", "dvc.lock")
    baseline.dvc("checkout")
    here(baseline, 1.0)


def test_queue_apply_and_branch(baseline: Repository) -> None:
    baseline.dvc("exp", "run", "--queue", "-S", "sigma_p=0.25,0.5")
    run_queue(baseline, 2)
    names = {0.25: "", 0.5: ""}
    for name in baseline.dvc("exp", "list", "--name-only").split():
        for value in names:
            if f"sigma_p: {value}\n" in baseline.git("show", f"{find(baseline, name)}:params.yaml"):
                names[value] = name
    for value, name in names.items():
        there(baseline, name, value)
    here(baseline, 1.0)
    baseline.dvc("exp", "apply", names[0.25])
    here(baseline, 0.25)
    baseline.git("checkout", "-q", "HEAD", ".")
    baseline.dvc("checkout")
    baseline.dvc("exp", "branch", names[0.5], "half")
    for branch, value in (("half", 0.5), ("main", 1.0), ("half", 0.5)):
        baseline.git("checkout", "-q", branch)
        baseline.dvc("checkout")
        here(baseline, value)


def test_changed_code_in_a_temp_experiment(baseline: Repository) -> None:
    """DVC brings the old results back after the new sources, so that they are the newer files."""
    source = baseline.path / "csvr/pretrain/views.py"
    source.write_text(source.read_text() + "\n# changed\n")
    baseline.dvc("exp", "run", "--temp", "-n", "other")
    there(baseline, "other", 1.0)
    baseline.git("stash", "-q")
    old = header(baseline)
    baseline.dvc("exp", "apply", "other")
    new = header(baseline)
    assert new["code"] != old["code"] and new["run_id"] != old["run_id"]
    here(baseline, 1.0)


def test_ablation_is_the_main_variant(baseline: Repository) -> None:
    """One of the table costs nothing; a new one is a file."""
    run = header(baseline)["run_id"]
    baseline.dvc("exp", "run", "-S", "ablation=no_pose")
    metrics = baseline.json("reports/metrics.json")
    assert metrics["main"] == metrics["variants"]["no_pose"] != metrics["variants"]["full"]
    assert header(baseline)["run_id"] == run
    (baseline.path / "params/ablation/weak_pose.yaml").write_text(
        "name: weak_pose\ntitle: weak pose\ndescription: A tenth of the weight.\nset:\n  sigma_p: 0.1\n"
    )
    baseline.git("add", "params")
    baseline.dvc("exp", "run", "-S", "ablation=weak_pose")
    metrics = baseline.json("reports/metrics.json")
    assert metrics["main"] == metrics["variants"]["weak_pose"]
    assert header(baseline, 0.1)["params"]["sigma_p"] == 0.1
    assert "weak pose" in (baseline.path / "reports/table_ablation.md").read_text()


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("sigma_p=-1", "sigma_p: -1 is less than the minimum of 0"),
        ("dataset=ucf101", "dataset.videos = data/ucf101/UCF-101: there is no such folder"),
    ],
)
def test_impossible_parameters_run_nothing(baseline: Repository, override: str, named: str) -> None:
    if override.startswith("dataset"):
        # The profile's `dataset.generate` would make a generated data set of it.
        profile = baseline.path / "params/profile/micro.yaml"
        profile.write_text(re.sub("  generate: .*\n", "", profile.read_text()))
        baseline.commit("profile without data")
    said = baseline.dvc("exp", "run", "-S", override, fails=True)
    assert named in said and "git checkout HEAD params.yaml" in said and "snakemake" not in said
    baseline.git("checkout", "-q", "HEAD", "params.yaml")
    assert baseline.git("status", "--short") == ""
    here(baseline, 1.0)


def test_data_set_that_dvc_added(baseline: Repository) -> None:
    """Another one by `-S dataset=…`, with its own numbers, here and in a folder of its own; and back."""
    path, profile = baseline.path / "params/dataset/mannequin.yaml", baseline.path / "params/profile/micro.yaml"
    values = yaml.safe_load(path.read_text())
    values["generate"] |= yaml.safe_load(profile.read_text())["dataset"]["generate"]
    path.write_text(yaml.safe_dump(values, sort_keys=False))
    # The profile's `dataset.generate` would make a generated data set of it.
    profile.write_text(re.sub("  generate: .*\n", "", profile.read_text()))
    shutil.copytree(baseline.path / "data/mannequin", baseline.path / "data/other")
    del values["generate"]
    other = {key: str(value).replace("mannequin", "other") for key, value in values.items() if isinstance(value, str)}
    # One video is another one, of the same split: what is trained on must not be tested on.
    videos = sorted((baseline.path / other["videos"]).rglob("*.avi"))
    shutil.copy(videos[0], videos[2])
    baseline.dvc("add", "data/other")
    (baseline.path / "params/dataset/other.yaml").write_text(yaml.safe_dump(values | other | {"raw": "data/other"}))
    baseline.commit("another data set")
    before = computed(baseline)
    for words in (("--temp", "-n", "temp"), ()):
        baseline.dvc("exp", "run", *words, "-S", "dataset=other")
        revision = "temp" if words else None
        content = {
            name: read(baseline, revision, name) if revision else (baseline.path / name).read_text()
            for name in ("results/other/expected.json", folder().replace("mannequin", "other") + "/metrics.json", TABLE)
        }
        expected, cell, table = content.values()
        assert json.loads(expected)["dataset"] == "other"
        index = json.loads(cell)["data"]["index_sha256"]
        assert index in table and json.loads(cell)["run_id"] in table
        assert index != baseline.json(f"{folder()}/metrics.json")["data"]["index_sha256"]
    once = {"index": 1, "clips": 1, "iframes": 1, "poses": 1, "pretrain": 2, "evaluate": 2}
    assert computed(baseline) == before | {step: before[step] + 2 * count for step, count in once.items()}
    baseline.dvc("exp", "run", "-S", "dataset=mannequin")
    here(baseline, 1.0)


def test_unknown_parameter_runs_nothing(baseline: Repository) -> None:
    """Hydra refuses it inside DVC, before params.yaml is written; the closest key is named there too."""
    for words in (("-S", "sgma_p=0.5"), ("--queue", "-S", "sgma_p=0.5,0.25"), ("--temp", "-S", "sgma_p=0.5")):
        said = baseline.dvc("exp", "run", *words, fails=True)
        assert re.search(r"sgma_p = 0\.\d+: there is no such parameter; did you mean sigma_p\?", said), said
    said = baseline.dvc("exp", "run", "-S", "model.backbone.widht=8", fails=True)
    assert "model.backbone.widht = 8: there is no such parameter; did you mean model.backbone.width?" in said
    assert "no_pose\n" in baseline.dvc("exp", "run", "-S", "ablation=no_poes", fails=True)
    assert baseline.git("status", "--short") == ""
    here(baseline, 1.0)


def test_what_dvc_shows(baseline: Repository) -> None:
    baseline.dvc("exp", "run", "--temp", "-n", "half", "-S", "sigma_p=0.5")
    shown = pd.read_csv(io.StringIO(baseline.dvc("exp", "show", "--csv"))).set_index("Experiment")
    assert shown.loc["half", "sigma_p"] == 0.5
    for name in ("loss.pose", "top1.linear_few.overall", "top1.linear_few.motion", "top1.finetune.context"):
        assert 0 <= shown.loc["half", f"main.{name}"] < 1000
    metrics = baseline.dvc("metrics", "diff", "HEAD", "half")
    assert "variants.full.loss.loss" in metrics and "variants.no_pose" not in metrics
    baseline.dvc("plots", "diff", "HEAD", "half", "-o", "plots")
    page = (baseline.path / "plots/index.html").read_text()
    assert "Accuracy of the main variant by class" in page and "Loss terms of the main variant" in page
    assert "reproduce" in baseline.dvc("dag")


def test_runs_in_a_database_too(baseline: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a setting in the environment, for jobs of Snakemake and of DVC's workers; and it is no parameter."""
    monkeypatch.setitem(ENV, "CSVR_OBSERVER", "sqlite:///runs/runs.db")
    assert "Nothing to be done" in baseline.snakemake()
    baseline.dvc("exp", "run", "-S", "sigma_p=0.5")
    baseline.dvc("exp", "run", "--queue", "-S", "sigma_p=0.25")
    run_queue(baseline, 1)
    with sqlite3.connect(baseline.path / "runs/runs.db") as connection:
        query = "SELECT name, status, config FROM run JOIN experiment USING (experiment_id)"
        found = sorted(
            (name, status, json.loads(config)["sigma_p"]) for name, status, config in connection.execute(query)
        )
    assert found == [(step, "COMPLETED", value) for step in ("evaluate", "pretrain") for value in (0.25, 0.5)]
    # Where no database is: said once, and the work is done.
    monkeypatch.setitem(ENV, "CSVR_OBSERVER", "postgresql://me:hunter2@127.0.0.1:1/runs")
    said = baseline.dvc("exp", "run", "-S", "sigma_p=0.75")
    assert said.count("CSVR_OBSERVER: postgresql://me@127.0.0.1:1/runs can't be reached") == 1
    assert said.count("CSVR_OBSERVER") == 1
    here(baseline, 0.75)
    before = computed(baseline)
    monkeypatch.setitem(ENV, "CSVR_OBSERVER", "mysql://me:hunter2@host/runs")
    said = baseline.dvc("exp", "run", "-S", "sigma_p=0.8", fails=True)
    assert said.count("CSVR_OBSERVER: unknown scheme 'mysql'; known: sqlite:///FILE") == 1 and "Traceback" not in said
    assert computed(baseline) == before
    baseline.run("grep", "-rq", "hunter2", ".", fails=True)
