"""Names that a shell, a template, a page or a figure could take for something else, through the whole workflow."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pandas as pd
import yaml

from csvr.data import index, shards
from tests.faults.runs import Undisturbed, long, repository
from tests.workflow.experiments import COMPOSE, TABLE, Repository, folder

NAMES = [
    "it's two words", 'a "quoted" one', "$(touch pwned)", "`touch pwned`; touch pwned &", "new\nline | > pwned", "-rf",
    "*?[a]", "{input} %s ~", "<script>alert(1)<!--", "$\\b$ $_$", "back\\slash\t_", "ünï#&^é",
]  # fmt: skip
ROOT = 'data/it\'s "mine"; $(touch pwned) `touch pwned` & *'


def install(there: Repository, videos: Path) -> None:
    """A data set of kind "folder", with the drawn videos under other names, which is what all is made of."""
    for place, name in zip(sorted(path for path in videos.iterdir() if path.is_dir()), NAMES, strict=True):
        for part, path in zip(("train", "test"), sorted(place.glob("*.avi")), strict=True):
            target = there.path / ROOT / part / name / f"{part} {name}.avi"
            target.parent.mkdir(parents=True)
            shutil.copy(path, target)
    settings = yaml.safe_load((there.path / "params/dataset/mannequin.yaml").read_text())
    del settings["generate"]
    settings |= {"name": "odd", "layout": "folder", "groups": {"motion": NAMES[:4], "context": NAMES[4:]}}
    settings |= dict.fromkeys(("raw", "root", "videos", "splits"), ROOT)
    (there.path / "params/dataset/odd.yaml").write_text(yaml.safe_dump(settings))
    profile, config = there.path / "params/profile/micro.yaml", there.path / "params/config.yaml"
    # The profile's `dataset.generate` would make a generated data set of it.
    text = re.sub("  generate: .*\n", "", profile.read_text())
    text = text.replace("tables: []", "tables: [features, linear_probe, retrieval, cost]").replace("figures: []\n", "")
    profile.write_text(text)
    config.write_text(config.read_text().replace("- dataset: mannequin", "- dataset: odd"))
    there.run(sys.executable, COMPOSE)


@long
def test_odd_names_through_the_whole_workflow(undisturbed: Undisturbed, tmp_path: Path) -> None:
    there = repository(tmp_path / "r")
    install(there, undisturbed.path / "data/mannequin/videos")
    there.snakemake()
    listed = index.read(there.path / "features/odd/index.csv")
    assert sorted(set(listed["class"])) == sorted(NAMES)
    cell = there.json(folder().replace("mannequin", "odd") + "/metrics.json")
    assert sorted(cell["classes"]) == sorted(NAMES) and set(cell["videos"]) <= set(listed.video)
    assert set(shards.Shards([there.path / "features/odd/poses/0.safetensors"])) >= set(listed.video)
    assert cell["run_id"] in (there.path / TABLE).read_text()
    assert set(pd.read_csv(there.path / "reports/plots/per_class.csv")["class"]) == set(NAMES)
    page, other = ((found / "reports/index.html").read_text() for found in (there.path, undisturbed.path))
    assert page.count("<script") == other.count("<script") and "<script>alert" not in page
    assert not [path for path in there.path.rglob("*") if path.name == "pwned"]
    assert "Nothing to be done" in there.dvc("repro") and "Nothing to be done" in there.snakemake()
    # What is wrong with a file is said of it by its name, in one line.
    victim = there.path / ROOT / "train" / NAMES[4] / f"train {NAMES[4]}.avi"
    video = victim.read_bytes()
    victim.write_bytes(b"none")
    said = there.snakemake(fails=True)
    assert f"  {ROOT}/train/" + r"new\nline | > pwned/train new\nline | > pwned.avi: unreadable" in said
    assert "Traceback" not in said and not (there.path / "pwned").exists()
    victim.write_bytes(video)
    there.snakemake()
    assert "Nothing to be done" in there.snakemake()
