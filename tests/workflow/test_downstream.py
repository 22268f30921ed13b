"""Pretraining on one real data set, evaluation on another: miniature Kinetics-400 and HMDB51 through the whole DAG."""

import json
import re
import sys
from pathlib import Path

import pytest
import yaml

from csvr.data import shards
from tests.data.installations import install
from tests.workflow.repository import command, copy_repository
from workflow.scripts.check_params import problems
from workflow.scripts.compose_params import composed

LAYOUTS = {"kinetics400": "kinetics", "hmdb51": "hmdb51"}
PROFILES = ("ucf101_ucf101", "ucf101_hmdb51", "k400_ucf101", "k400_hmdb51", "k400_ssv2")
KINDS = ("clips", "poses", "iframes")
TARGET = "reports/table_action_recognition.md"


def compose(folder: Path, *overrides: str) -> None:
    made = command(sys.executable, "workflow/scripts/compose_params.py", *overrides, "--output", "p.yaml", cwd=folder)
    assert made.returncode == 0, made.stdout


def test_paper_profiles_compose(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    texts = {profile: composed([f"+profile={profile}"]) for profile in PROFILES}
    assert yaml.safe_load(texts["ucf101_hmdb51"])["downstream_raw"] == "data/hmdb51"
    monkeypatch.chdir(tmp_path)
    for text in texts.values():
        params = yaml.safe_load(text)
        found = list(filter(None, (params["dataset"], params["downstream"])))
        for dataset in found:
            Path(dataset["splits"]).mkdir(parents=True, exist_ok=True)
        assert not problems(params, lists_only=True)
        assert [line.split(" = ")[1].split(":")[0] for line in problems(params)] == [d["videos"] for d in found]
        # That others are refused is for test_params.py.
        assert 3 * sum(dataset["shards"] for dataset in found) < 3000


def test_a_paper_profile_is_planned_from_lists_alone(tmp_path: Path) -> None:
    folder = copy_repository(tmp_path / "r")
    compose(folder, "+profile=k400_hmdb51")
    params = yaml.safe_load((folder / "p.yaml").read_text())
    for dataset in (params["dataset"], params["downstream"]):
        (folder / dataset["splits"]).mkdir(parents=True)
    plan = command("snakemake", "-n", TARGET, "--configfile", "p.yaml", cwd=folder)
    assert plan.returncode == 0, plan.stdout
    jobs = dict(re.findall(r"^(\w+) +(\d+)$", plan.stdout, re.MULTILINE))
    assert jobs["pretrain"] == jobs["evaluate"] == jobs["table_action_recognition"] == "1"
    assert jobs["reencode"] == jobs["extract_poses"] == "652" and int(jobs["total"]) < 3000


def test_pretrained_on_one_data_set_and_evaluated_on_another(tmp_path: Path) -> None:
    folder = copy_repository(tmp_path / "r")
    for first, (name, layout) in enumerate(LAYOUTS.items()):
        install(layout, folder / "data" / name, 6 * first)
    common = (
        "dataset=kinetics400", "+profile=micro", "~dataset.generate", "features.storage=jpeg", "features.aspect=1.25",
        "variants=[full]", "tables=[action_recognition]",
    )  # fmt: skip
    # The miniature has two classes, of which groups may not name others.
    groups = "~downstream.groups", "+downstream.groups={context: [brush_hair], motion: [sit]}"
    target = "+dataset@downstream=hmdb51", "downstream_raw=data/hmdb51", "downstream.shards=2", *groups
    compose(folder, *common, *target, "downstream.split=[1,2]")
    made = command("snakemake", "--cores", "8", TARGET, "--configfile", "p.yaml", cwd=folder)
    assert made.returncode == 0, made.stdout
    # 54.0: CMD, R(2+1)D-26, Kinetics-400; 48.6: the same pretrained on UCF101, which is apart.
    ours, apart = (folder / TARGET).read_text().split("pretrained on other data")
    assert "CSVR (full) (this run) | K400" in ours and "54.0" in ours and "48.6" in apart
    results = "results/kinetics400/full/sigma_v=1__sigma_p=1__sigma_c=3/seed0"
    metrics = json.loads((folder / results / "metrics_hmdb51.json").read_text())
    assert metrics["classes"] == ["brush_hair", "sit"] and metrics["splits"] == 2
    # Split 2 tests others.
    assert len(set(metrics["videos"])) == len(metrics["videos"]) == 4 and "4 test videos of 2 splits" in ours
    networks = shards.header(folder / results / "networks.safetensors")
    assert metrics["data"] == networks["data"] != metrics["target"]
    features = [f"features/kinetics400/{kind}/0.safetensors" for kind in KINDS]
    features += [f"features/hmdb51/{kind}/{k}.safetensors" for kind in KINDS[:2] for k in (0, 1)]
    (folder / "made.json").write_text(json.dumps({TARGET: [f"{results}/metrics_hmdb51.json"]}))
    traced = command(
        sys.executable, "-m", "csvr.provenance", "--made", "made.json",
        "--features", *features, "--index", *(f"features/{name}/index.csv" for name in LAYOUTS), "--output", "t.json",
        cwd=folder,
    )  # fmt: skip
    assert traced.returncode == 0, traced.stdout
    nodes = json.loads((folder / "t.json").read_text())
    assert nodes["features/hmdb51/clips/1.safetensors"]["from"] == ["features/hmdb51/reencoded/1.safetensors"]
    assert nodes["features/hmdb51/reencoded/1.safetensors"]["from"] == ["features/hmdb51/index.csv"]
    # Another target takes the networks as they are.
    compose(folder, *common)
    plan = command("snakemake", "-n", TARGET, "--configfile", "p.yaml", cwd=folder)
    jobs = dict(re.findall(r"^(\w+) +(\d+)$", plan.stdout, re.MULTILINE))
    assert plan.returncode == 0 and jobs["evaluate"] == "1" and "pretrain" not in jobs and "reencode" not in jobs
