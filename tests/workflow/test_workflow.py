"""The workflow runs from videos to reports on the tiny profile, and makes again what has to be."""

from __future__ import annotations

import html
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
import yaml
from safetensors.torch import load

from csvr.data.shards import Shards, write
from csvr.errors import UserError
from csvr.files import sha256
from csvr.tracking.provenance import collect
from tests.workflow.experiments import folder
from tests.workflow.repository import ROOT, Run, command, copy_repository, planned

EVALUATED = ("features", "linear_probe", "retrieval", "action_recognition", "cost")
EXTRACTION = {"generate_mannequin", "index_videos", "extract_iframes", "extract_clips", "extract_poses"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, tiny: Path, snakemake: Run) -> Path:
    """A repository in which everything was made, from videos to reports."""
    folder = copy_repository(tmp_path_factory.mktemp("finished"))
    shutil.copy2(tiny / "tiny.yaml", folder)
    done = snakemake(folder, cores=8)
    assert done.returncode == 0, done.stdout
    return folder


def test_everything_is_made(finished: Path) -> None:
    for name in ("checks.md", "metrics.json", "plots/training_curves.csv", "plots/per_class.csv"):
        assert (finished / "reports" / name).stat().st_size > 0
    for table in ("ablation", "pose_quality", "sigma", "models", "integration", "generation_quality", *EVALUATED):
        for suffix in (".md", ".html", ".tex", ".csv"):
            assert (finished / "reports" / f"table_{table}{suffix}").stat().st_size > 0
    assert "Published numbers: none for this data set." in (finished / "reports/table_retrieval.md").read_text()
    drawn = "table_ablation", "per_class", "dataset_mannequin", "training_curves", "sigma_sweep"
    for name in (*drawn, "confusion", "retrieval", "features", "mask", "predictions"):
        for suffix, head in ((".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")):
            assert (finished / "reports" / "figures" / f"{name}{suffix}").read_bytes()[:10].startswith(head)
    cell = finished / folder()
    ids = {json.loads((cell / "metrics.json").read_text())["run_id"]}
    for name in (f"{folder()}/history.csv", "features/mannequin/index.csv"):
        ids |= set(pd.read_csv(finished / name, dtype=str)["run"])
    assert len(ids) == 3
    assert all((finished / "runs" / run / "run.json").exists() for run in ids)
    # What differs in its evaluation alone has the same networks.
    same = [
        json.loads((finished / folder(1, name) / "metrics.json").read_text())
        for name in ("random_init", "supervised_scratch")
    ]
    assert same[0]["pretrain_run_id"] == same[1]["pretrain_run_id"] and same[0]["run_id"] != same[1]["run_id"]
    assert not (finished / folder(1, "supervised_scratch") / "networks.safetensors").exists()


def test_reports_that_the_docs_list_are_made(finished: Path) -> None:
    text = (ROOT / "docs/reports.md").read_text() + (ROOT / "README.md").read_text()
    # Of another data set; made by a command of its own.
    others = {"reports/table_ssv2.md", "reports/report.zip"}
    named = set(re.findall(r"\breports/[\w/]+\.\w+", re.sub(r"docs/results/", "", text))) - others
    assert len(named) > 20
    assert [name for name in sorted(named) if not (finished / name).exists()] == []


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


def test_provenance_leads_from_every_report_to_the_videos(finished: Path) -> None:
    nodes = json.loads((finished / "reports/provenance.json").read_text())
    reports = {path.relative_to(finished).as_posix() for path in (finished / "reports").rglob("*.*")}
    assert {name for name in nodes if name.startswith("reports/")} == reports - {
        "reports/provenance.json", "reports/plots/training_curves.csv", "reports/plots/per_class.csv",
        "reports/index.html",  # made of the provenance too
    }  # fmt: skip
    for name, node in nodes.items():
        assert node["sha256"] == sha256(finished / name)
        if "run" in node:
            run = json.loads((finished / "runs" / node["run"] / "run.json").read_text())
            assert run["experiment"]["name"] == node["step"]

    def reached(name: str) -> set[str]:
        return {name}.union(*(reached(source) for source in nodes[name]["from"]))

    index = "features/mannequin/index.csv"
    # The table of networks is made from parameters alone.
    models = {name for name in nodes if name.startswith("reports/table_models.")}
    assert len(models) == 4 and all(nodes[name]["from"] == [] for name in models)
    for report in {name for name in nodes if name.startswith("reports/")} - models:
        assert index in reached(report)
    assert "params/published/linear.csv" in nodes["reports/table_linear_probe.tex"]["from"]
    variants = ((1, "full"), (0, "no_pose"), (1, "random_init"), (1, "supervised_scratch"))
    cells = {f"{folder(*variant, seed)}/metrics.json" for variant in variants for seed in (0, 1)}
    assert set(nodes["reports/table_ablation.md"]["from"]) == cells
    assert len(nodes[index]["videos"]) == 48
    for video, found in nodes[index]["videos"].items():
        assert found == sha256(finished / video)


def test_page_shows_every_table_and_figure(finished: Path) -> None:
    text = (finished / "reports/index.html").read_text()
    shown = set(re.findall(r'<article id="[^"]*" data-report="([^"]*)"', text))
    made = {path.relative_to(finished).as_posix() for path in (finished / "reports").rglob("*.*")}
    assert shown == {
        path for path in made if path.endswith((".png", ".mp4")) or ("/table_" in path and path.endswith(".html"))
    }
    assert "<strong>Missing" not in text and "0 errors" in text


def test_trace_prints_the_chain_and_refuses_what_changed(finished: Path) -> None:
    words = sys.executable, "-W", "ignore", "-m", "csvr.trace", "reports/table_ablation.md"
    done = command(*words, cwd=finished)
    assert done.returncode == 0, done.stdout
    cell = json.loads((finished / folder(0, "no_pose", 1) / "metrics.json").read_text())
    place = [done.stdout.index(text) for text in (
        "reports/table_ablation.md", f"evaluate in run {cell['run_id']};", f"pretrain in run {cell['pretrain_run_id']};"
    )]  # fmt: skip
    assert place == sorted(place)
    assert "← 48 videos" in done.stdout and "variant no_pose; seed 1" in done.stdout
    report = finished / "reports/table_ablation.md"
    text = report.read_text()
    report.write_text(text.replace("full", "fool", 1))
    try:
        done = command(*words, cwd=finished)
    finally:
        report.write_text(text)
    assert done.returncode == 2
    assert "reports/table_ablation.md: sha256 is" in done.stdout and "Traceback" not in done.stdout


def test_provenance_refuses_features_that_results_were_not_made_of(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Poses of another run, put in the place of those that the encoders were pretrained on."""
    monkeypatch.chdir(finished)
    poses = tmp_path / "poses"
    arrays = Shards([Path("features/mannequin/poses/0.safetensors")])
    write(poses / "0.safetensors", dict(arrays), next(iter(arrays.headers.values())) | {"run_id": "999"})
    features = [Path(f"features/mannequin/{kind}/{k}.safetensors") for kind in ("clips", "iframes") for k in (0, 1)]
    results = f"{folder()}/metrics.json"
    with pytest.raises(UserError, match="full/.*/seed0/networks.*pretrained on poses of run .*--forcerun pretrain"):
        collect(
            {"reports/table_ablation.md": [results]},
            [*features, poses / "0.safetensors"],
            [Path("features/mannequin/index.csv")],
        )


def test_sigma_p_reruns_pretraining_but_no_extraction(finished: Path, snakemake: Run) -> None:
    done = snakemake(finished, "-n", "--config", "sigma_p=0.5")
    jobs = planned(done.stdout)
    assert not EXTRACTION & set(jobs)
    # Of full seed 1: seed 0 was a point of the sweep, as it is at 1.0 now. Of the other integration layer seed 0. Other
    # variants have a sigma_p of their own.
    assert jobs["pretrain"] == jobs["evaluate"] == 1 + 1
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


def test_a_published_number_that_changes_makes_its_table_again(finished: Path, snakemake: Run) -> None:
    """Whatever its time: a checkout gives files any."""
    path = finished / "params/published/linear.csv"
    text, times = path.read_text(), (path.stat().st_atime, path.stat().st_mtime)
    path.write_text(text.replace("70.2", "70.3", 1))
    os.utime(path, times)
    try:
        jobs = planned(snakemake(finished, "-n").stdout)
    finally:
        path.write_text(text)
        os.utime(path, times)
    assert jobs == {"table_linear_probe": 1, "collect_provenance": 1, "report_index": 1}


def test_unchanged_code_reruns_nothing(finished: Path, snakemake: Run) -> None:
    """A checkout gives files a new time and nothing else."""
    for path in (finished / "csvr").rglob("*.py"):
        path.touch()
    assert "Nothing to be done" in snakemake(finished, "-n").stdout


def test_downloaded_videos_that_change_are_listed_again(finished: Path, tmp_path: Path) -> None:
    """Not generated by a rule, so that no rule tells that they changed."""
    folder = copy_repository(tmp_path / "r")
    shutil.copytree(finished / "data", folder / "data")
    params = yaml.safe_load((finished / "tiny.yaml").read_text())
    del params["dataset"]["generate"]
    params["dataset"]["name"] = "downloaded"
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    words = "snakemake", "--cores", "1", "features/downloaded/index.csv"
    done = command(*words, cwd=folder)
    assert done.returncode == 0, done.stdout
    assert "Nothing to be done" in command(*words, "-n", cwd=folder).stdout
    video = next((folder / "data/mannequin/videos").rglob("*.avi"))
    video.write_bytes(video.read_bytes() + b"more")
    assert planned(command(*words, "-n", cwd=folder).stdout) == {"index_videos": 1}


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
    cell = finished / folder()
    before = [(cell / name).read_bytes() for name in ("networks.safetensors", "metrics.json")]
    done = snakemake(finished, f"{folder()}/metrics.json", "--forcerun", "pretrain", "evaluate")
    assert done.returncode == 0, done.stdout
    after = [(cell / name).read_bytes() for name in ("networks.safetensors", "metrics.json")]
    weights = [load(content) for content in (before[0], after[0])]
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    metrics = [json.loads(content) for content in (before[1], after[1])]
    assert metrics[0]["run_id"] != metrics[1]["run_id"]
    assert metrics[0]["scores"] == metrics[1]["scores"]


def embedded(page: str, name: str) -> Any:
    """A value that Snakemake's report holds as JSON, in the script of that name."""
    return json.loads(re.search(rf'<script id="{name}">\s*var \w+ = (.*?);?\s*</script>', page, re.DOTALL)[1])


def test_snakemakes_report(finished: Path, snakemake: Run, tmp_path: Path) -> None:
    """Every table, figure and video is in it, whole, with a category, labels and a caption with nothing left open."""
    packed = finished / "reports/report.zip"
    try:
        done = snakemake(finished, "--report", "reports/report.zip")
        assert done.returncode == 0, done.stdout
        with zipfile.ZipFile(packed) as archive:
            archive.extractall(tmp_path)
    finally:
        # What lies in reports/ is compared with what rules make.
        packed.unlink(missing_ok=True)
    page = (tmp_path / "report/report.html").read_text()
    shown, categories = embedded(page, "results"), embedded(page, "categories")
    made = {path.relative_to(finished).as_posix() for path in (finished / "reports").rglob("*.*")}
    tables = {path for path in made if path.endswith(".html")} - {"reports/index.html"}
    drawn = {path for path in made if path.endswith((".png", ".mp4"))}
    assert set(shown) == tables | drawn and len(tables) == 12 and len(drawn) == 12
    kinds = {".html": "table", ".png": "figure", ".mp4": "video"}
    for path, about in shown.items():
        assert list(about["labels"]) == ["what"]
        assert re.fullmatch(rf"{kinds[Path(path).suffix]}: \w.+", about["labels"]["what"])
        caption = re.sub(r"<[^>]*>", "", about["caption"])
        assert len(caption.split()) > 5 and not re.search(r"[{}]|``|problematic|system-message", about["caption"])
        assert (tmp_path / "report" / about["data_uri"]).read_bytes() == (finished / path).read_bytes()
    # One each, but for the two tables that have a figure, and for the two videos.
    assert len({about["caption"] for about in shown.values()}) == len(shown) - 3
    names = {category: {path for paths in found.values() for path in paths} for category, found in categories.items()}
    assert set.union(*names.values()) == set(shown) and sum(map(len, names.values())) == len(shown)
    assert names["Ablation"] == {
        "reports/table_ablation.html", "reports/figures/table_ablation.png", "reports/figures/per_class.png"
    }  # fmt: skip
    assert names["Poses"] == {"reports/table_pose_quality.html"} and len(names) == 13
    assert "variants:\nfull, no_pose, random_init, supervised_scratch; seeds: 0, 1." in embedded(page, "workflow-desc")
    if shutil.which("chromium"):
        assert opened(tmp_path / "report/report.html") == {name: len(paths) for name, paths in names.items()}


def opened(page: Path) -> dict[str, int]:
    """How many reports each category shows when it is opened in a browser."""
    script = """
const found = {}, every = Object.keys(categories);
const open = k => {
  if (k === every.length) { document.title = JSON.stringify(found); return; }
  app.setView({navbarMode: "menu"});
  setTimeout(() => app.showCategory(every[k]), 50);
  setTimeout(() => {
    found[every[k]] = document.querySelectorAll("#app table tbody tr").length;
    open(k + 1);
  }, 100);
};
setTimeout(open, 500, 0);"""
    page.write_text(f"{page.read_text()}<script>{script}</script>")
    words = "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=9000", "--dump-dom"
    done = subprocess.run([*words, page.as_uri()], capture_output=True, text=True, timeout=120, check=True)
    return json.loads(html.unescape(re.search("<title>(.*?)</title>", done.stdout, re.DOTALL)[1]))
