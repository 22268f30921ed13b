"""What the README says under "Add something", done word by word in a copy of the repository.

Each thing is at most ten lines of a file, whose other lines are those of the file that it is copied from.
"""

from __future__ import annotations

import difflib
import re
import sys
from pathlib import Path

import pytest
import yaml

from tests.workflow.experiments import folder as results
from tests.workflow.repository import ROOT, command, copy_repository

COMPOSE = "workflow/scripts/compose_params.py"
README = (ROOT / "README.md").read_text()
MOST_LINES = 10


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


def write(path: Path, text: str, template: str = "") -> None:
    """A file whose lines are those of `template`, but for a few."""
    new = [line for line in difflib.ndiff(template.splitlines(), text.splitlines()) if line.startswith("+ ")]
    assert 0 < len(new) <= MOST_LINES, new
    path.write_text(text)


def insert(config: Path, line: str) -> None:
    """`line` before `_self_` in the defaults list."""
    text = config.read_text()
    write(config, text.replace("  - _self_\n", f"  {line}\n  - _self_\n", 1), text)


def append(file: Path, name: str) -> None:
    """`name` behind its `variants`."""
    text = file.read_text()
    write(file, re.sub(r"^(variants: \[.*)\]$", rf"\1, {name}]", text, flags=re.MULTILINE), text)


def replace(text: str, key: str, value: str) -> str:
    """With another value of a key, whatever lines it had."""
    found = re.subn(rf"^{key}:.*\n(?: .*\n)*", f"{key}: {value}\n", text, flags=re.MULTILINE)
    assert found[1] == 1, key
    return found[0]


def test_an_ablation_and_a_form_of_the_integration_layer(folder: Path) -> None:
    file, *keys = said("An ablation", "slow")[:5]
    assert keys == ["name", "title", "description", "set"]
    values = ["slow", "half the rate", "A smaller learning rate.", {"pretrain.lr": 0.0015}]
    write(folder / file, yaml.safe_dump(dict(zip(keys, values, strict=True))))
    known, experiment, line, config, place, name, variants, make, *form = said("An ablation", "slow")[5:]
    # What tests/workflow/test_dvc.py does.
    assert (known, experiment) == ("git add params", "dvc exp run -S ablation=slow")
    assert (line, place, name) == ("- ablation@ablations.slow: slow", "_self_", "slow")
    assert (variants, make) == ("variants", "make params")
    insert(folder / config, line)
    append(folder / config, name)
    assert form == ["model.integration.*", "variants", "params/integration/embedded.yaml"]
    values = ["still", "one time step", "f_i with the time steps of f_s.", {"model.integration.time": "static"}]
    write(folder / file.replace("slow", "still"), yaml.safe_dump(dict(zip(keys, values, strict=True))))
    insert(folder / config, line.replace("slow", "still"))
    append(folder / form[2], "still")
    _, before = plan(folder, "reports/table_ablation.md")
    # Those that the README lists, in its block of that command.
    block = README.split("$ snakemake --cores 8 reports/table_ablation.md\n")[1].split("…")[0]
    assert before == {name: int(n) for name, n in re.findall(r"^(\w+) +(\d+)$", block, re.MULTILINE)}
    assert f"{before['total']} of {before['total']} steps (100%) done" in README
    make_params(folder)
    shown, jobs = plan(folder, "reports/table_ablation.md", "reports/table_integration.md")
    params = yaml.safe_load((folder / "params.yaml").read_text())
    assert params["integration"]["variants"][-1] == "still"
    more = len(params["seeds"]) + len(params["integration"]["variants"]) * len(params["integration"]["seeds"])
    assert jobs["pretrain"] == before["pretrain"] + more and jobs["evaluate"] == before["evaluate"] + more
    assert f"{results(variant='slow')}/networks.safetensors" in shown
    assert f"{results(variant='still', seed=1)}/networks.safetensors" in shown


def test_the_ablation_of_the_tutorial(folder: Path) -> None:
    tutorial = (ROOT / "docs/tutorial.md").read_text()
    (file,) = re.findall(r"Write `(params/ablation/(\w+)\.yaml)`", tutorial)
    (content,) = re.findall(r"```yaml\n(.*?)```", tutorial, flags=re.DOTALL)
    (line,) = re.findall(r"add `(- ablation@[^`]*)`", tutorial)
    path, name = file
    write(folder / path, content)
    insert(folder / "params/config.yaml", line)
    append(folder / "params/config.yaml", name)
    make_params(folder)
    shown, _ = plan(folder, "reports/table_ablation.md")
    assert f"{results(variant=name, seed=4)}/metrics.json" in shown


def test_a_data_set(folder: Path) -> None:
    spans = said("A data set", "mine")
    template, file, name, layout, *folders = spans[:8]
    assert (name, layout, folders) == ("name: mine", "layout: folder", ["raw", "root", "videos", "splits"])
    assert spans[8:10] == ["splits", "groups: {}"]
    text = before = (folder / template).read_text()
    for key, value in (each.split(": ") for each in (name, layout, spans[9])):
        text = replace(text, key, value)
    for key in folders:
        text = replace(text, key, "data/mine")
    write(folder / file, text, before)
    settings = yaml.safe_load(text)
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
    _, file, compose, flag, _, models, line, config, make = said("A backbone", "wide")[:9]
    assert (flag, line, make) == ("--configfile wide.yaml", "backbone: wide", "make params")
    text = (folder / "params/backbone/embedded.yaml").read_text()
    assert "width: 16" in text
    write(folder / file, text.replace("width: 16", "width: 24"), text)
    done = command(sys.executable, *compose.split()[1:], cwd=folder)
    assert done.returncode == 0, done.stdout
    done = command(sys.executable, *models.split()[1:], cwd=folder)
    assert "kind r3d, width 24" in done.stdout, done.stdout
    shown, jobs = plan(folder, "reports/table_models.md", "-p", *flag.split())
    assert jobs["table_models"] == 1 and '"width": 24' in shown
    listed = (folder / config).read_text()
    write(folder / config, listed.replace("- backbone: embedded", f"- {line}"), listed)
    make_params(folder)
    assert yaml.safe_load((folder / "params.yaml").read_text())["model"]["backbone"]["width"] == 24
    shown, jobs = plan(folder, "reports/table_models.md", "-p")
    assert jobs["table_models"] == 1 and '"width": 24' in shown
