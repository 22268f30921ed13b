"""What the README says under "Add something", done word by word in a copy of the repository."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import yaml

from tests.workflow.experiments import folder as results
from tests.workflow.repository import ROOT, command, copy_repository

COMPOSE = "workflow/scripts/compose_params.py"
README = (ROOT / "README.md").read_text()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return copy_repository(tmp_path / "r")


def said(what: str, name: str) -> list[str]:
    """What stands in backticks in the README's paragraph, with `name` in the place of NAME."""
    (paragraph,) = re.findall(rf"^\*\*{what}\*\*: (.*)$", README, flags=re.MULTILINE)
    return [span.replace("NAME", name) for span in re.findall(r"`([^`]+)`", paragraph)]


def make_params(folder: Path) -> None:
    """As the Makefile, whose environment is this one."""
    assert (
        f"params: env  ## compose params.yaml from params/\n\t$(BIN)/python {COMPOSE}\n"
        in (ROOT / "Makefile").read_text()
    )
    done = command(sys.executable, COMPOSE, cwd=folder)
    assert done.returncode == 0, done.stdout


def plan(folder: Path, *words: str) -> tuple[str, dict[str, int]]:
    done = command("snakemake", "-n", "--cores", "8", *words, cwd=folder)
    assert done.returncode == 0, done.stdout
    return done.stdout, {name: int(n) for name, n in re.findall(r"^(\w+) +(\d+)$", done.stdout, re.MULTILINE)}


def insert(config: Path, name: str, line: str) -> None:
    """`line` before `_self_` in the defaults list, `name` behind the variants."""
    text = config.read_text()
    text = text.replace("  - _self_\n", f"  {line}\n  - _self_\n", 1)
    config.write_text(re.sub(r"^(variants: \[.*)\]$", rf"\1, {name}]", text, flags=re.MULTILINE))


def test_an_ablation(folder: Path) -> None:
    file, *keys = said("An ablation", "slow")[:5]
    assert keys == ["name", "title", "description", "set"]
    values = ["slow", "half the rate", "A smaller learning rate.", {"pretrain.lr": 0.0015}]
    (folder / file).write_text(yaml.safe_dump(dict(zip(keys, values, strict=True))))
    line, config, place, _, variants, make = said("An ablation", "slow")[5:11]
    assert (line, place, variants, make) == ("- ablation@ablations.slow: slow", "_self_", "variants", "make params")
    insert(folder / config, "slow", line)
    _, before = plan(folder, "reports/table_ablation.md")
    # Those that the README lists, in its block of that command.
    block = README.split("$ snakemake --cores 8 reports/table_ablation.md\n")[1].split("…")[0]
    assert before == {name: int(n) for name, n in re.findall(r"^(\w+) +(\d+)$", block, re.MULTILINE)}
    assert f"{before['total']} of {before['total']} steps (100%) done" in README
    make_params(folder)
    shown, jobs = plan(folder, "reports/table_ablation.md")
    seeds = len(yaml.safe_load((folder / "params.yaml").read_text())["seeds"])
    assert jobs["pretrain"] == before["pretrain"] + seeds and jobs["evaluate"] == before["evaluate"] + seeds
    assert f"{results(variant='slow')}/networks.safetensors" in shown


def test_the_ablation_of_the_tutorial(folder: Path) -> None:
    tutorial = (ROOT / "docs/tutorial.md").read_text()
    (file,) = re.findall(r"Write `(params/ablation/(\w+)\.yaml)`", tutorial)
    (content,) = re.findall(r"```yaml\n(.*?)```", tutorial, flags=re.DOTALL)
    (line,) = re.findall(r"add `(- ablation@[^`]*)`", tutorial)
    path, name = file
    (folder / path).write_text(content)
    insert(folder / "params/config.yaml", name, line)
    make_params(folder)
    shown, _ = plan(folder, "reports/table_ablation.md")
    assert f"{results(variant=name, seed=4)}/metrics.json" in shown


def test_a_data_set(folder: Path) -> None:
    spans = said("A data set", "mine")
    template, file = spans[:2]
    text = (folder / template).read_text()
    for key in ("name: mine", "layout: folder", "groups: {}"):
        assert key in spans
    settings = yaml.safe_load(text) | {"name": "mine", "layout": "folder", "groups": {}}
    settings |= dict.fromkeys(("raw", "root", "videos", "splits"), "data/mine")
    (folder / file).write_text(yaml.safe_dump(settings))
    for part in ("train", "test"):
        assert f"<videos>/{part}/<class>/" in spans
        for kind in ("jump", "sit"):
            (folder / "data/mine" / part / kind).mkdir(parents=True)
            (folder / "data/mine" / part / kind / "1.avi").touch()
    (compose,) = [span for span in spans if span.startswith("python ")]
    done = command(sys.executable, *compose.split()[1:], cwd=folder)
    assert done.returncode == 0, done.stdout
    assert "--configfile mine.yaml" in spans
    shown, jobs = plan(folder, "reports/table_ablation.md", "--configfile", "mine.yaml")
    assert jobs["index_videos"] == 1 and jobs["extract_poses"] == jobs["reencode"] == settings["shards"]
    assert f"{results().replace('mannequin', 'mine')}/metrics.json" in shown


def test_a_backbone(folder: Path) -> None:
    _, file, line, config, make = said("A backbone", "wide")[:5]
    assert (line, make) == ("backbone: wide", "make params")
    text = (folder / "params/backbone/embedded.yaml").read_text()
    assert "width: 16" in text
    (folder / file).write_text(text.replace("width: 16", "width: 24"))
    path = folder / config
    path.write_text(path.read_text().replace("- backbone: embedded", f"- {line}"))
    make_params(folder)
    assert yaml.safe_load((folder / "params.yaml").read_text())["model"]["backbone"]["width"] == 24
    shown, jobs = plan(folder, "reports/table_models.md", "-p")
    assert jobs["table_models"] == 1 and '"width": 24' in shown
