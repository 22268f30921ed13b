"""What reads files runs nothing of what is in them, and no name of a file is taken for anything else."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from csvr.data import index, layouts, shards, video
from csvr.errors import UserError
from tests.workflow.repository import ENV, ROOT

SOURCES = [*(ROOT / "csvr").rglob("*.py"), *(ROOT / "workflow").rglob("*.py"), *(ROOT / "tests/bench").rglob("*.py")]
RULES = [ROOT / "Snakefile", *(ROOT / "workflow/rules").glob("*.smk")]
PINNED = "csvr/pose/detector.py"
"""Loads OpenPifPaf's own format, a pickle, from a file whose SHA-256 the parameters state."""
FORBIDDEN = {
    "eval", "exec", "os.system", "os.popen", "pickle.load", "pickle.loads", "pickle.Unpickler", "marshal.loads",
    "shelve.open", "joblib.load", "pd.read_pickle", "yaml.load", "yaml.load_all", "yaml.full_load", "yaml.unsafe_load",
    "jsonpickle.decode", "torch.hub.load",
}  # fmt: skip
NAMES = ["plain", "two words", "it's", 'a "quoted" one', "$(touch pwned)", "`touch pwned`", "a;touch pwned", "a&b|c>d"]
NAMES += ["*?[a]", "-rf", "~", "{input}", "%s", "tab\there", "new\nline", "back\\slash", "ünï", "<script>alert(1)<!--"]


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def wrong_calls(source: str) -> list[str]:
    """Calls that may run what is in a file, or what is in a text."""
    found = []
    for name, call in calls(ast.parse(source)):
        words = {word.arg: ast.unparse(word.value) for word in call.keywords}
        if name == "yaml.load" and words.get("Loader") in ("yaml.SafeLoader", "yaml.CSafeLoader"):
            continue
        if (
            name in FORBIDDEN
            or (name == "torch.load" and words.get("weights_only") != "True")
            or (name == "np.load" and words.get("allow_pickle", "False") != "False")
            or words.get("shell") == "True"
        ):
            found.append(ast.unparse(call))
    return found


@pytest.mark.parametrize(
    "line",
    [
        "pickle.load(f)", "yaml.load(t, Loader=yaml.Loader)", "torch.load(p)", "torch.load(p, weights_only=False)",
        "np.load(p, allow_pickle=True)", "subprocess.run('ls', shell=True)", "eval(text)",
    ],
)  # fmt: skip
def test_such_calls_are_found(line: str) -> None:
    assert wrong_calls(f"def f():\n    return [{line}]") == [ast.unparse(ast.parse(line))]


def test_nothing_that_is_read_is_run() -> None:
    wrong = {str(path.relative_to(ROOT)): wrong_calls(path.read_text()) for path in SOURCES}
    (load,) = wrong.pop(PINNED)
    assert load.startswith("torch.load(file") and "sha256" in (ROOT / PINNED).read_text()
    assert {path: found for path, found in wrong.items() if found} == {}
    for path in RULES:
        assert not re.search(r"pickle|yaml\.(load|full|unsafe)|\beval\(|os\.system|shell=True", path.read_text()), path


def test_every_path_in_a_shell_command_is_quoted() -> None:
    """What rules put into commands: files with :q; else numbers, words of schema or rules, texts quoted before."""
    numbers = {"threads", "resources.gpu", "resources.nodes", "resources.workers", "wildcards.shard", "wildcards.seed"}
    numbers |= {"params.shards", "params.split", "params.min_frames", "params.outlier", "params.nobody"}
    listed = {"params.layout", "params.broken", "params.short", "params.command"}
    quoted = {"params.reencoded", "params.quality", "params.beside", "params.frozen"}
    assert "shlex.quote(path)" in (ROOT / "workflow/rules/features.smk").read_text()
    for path in RULES:
        for block in re.findall(r'shell:\s*"""(.*?)"""', path.read_text(), re.DOTALL):
            bare = set(re.findall(r"(?<!\{)\{([\w.]+)\}", block)) - numbers - listed - quoted
            assert not bare, f"{path.name}: {bare}"


@pytest.fixture(scope="module")
def nasty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder data set whose classes and videos have such names."""
    folder = tmp_path_factory.mktemp("it's $(touch pwned)")
    rng = np.random.default_rng(0)
    for k, name in enumerate(NAMES):
        for part in ("train", "test"):
            images = rng.integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
            video.encode(folder / part / name / f"{k} {name}{part}.avi", images, 10, 4)
    table = index.build("folder", folder, folder, [1], index.Policy())
    table.assign(run="1").to_csv(folder / "index.csv", index=False)
    return folder


def test_odd_names_go_through_every_command(nasty: Path, tmp_path: Path) -> None:
    """As rules call them: by a shell, with what Snakemake's :q makes of a path."""
    table = index.read(nasty / "index.csv")
    assert sorted(set(table["class"])) == sorted(NAMES) and len(table) == 2 * len(NAMES)
    params = shlex.quote(json.dumps({"short_side": 16, "aspect": None, "storage": "raw", "quality": 90}))
    output = tmp_path / "$(touch pwned) it's.safetensors"
    line = (
        f"{sys.executable} -m csvr.clips --index {shlex.quote(str(nasty / 'index.csv'))} --params {params} "
        f"--output {shlex.quote(str(output))} --runs {shlex.quote(str(tmp_path / 'runs'))}"
    )
    done = subprocess.run(
        ["bash", "-c", line], cwd=tmp_path, env=ENV | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    found = shards.Shards([output])
    assert set(found) == set(table.video) and all(found[name].shape[0] == 4 for name in table.video)
    assert not [path for path in (*nasty.rglob("pwned"), *tmp_path.rglob("pwned"), Path("pwned")) if path.exists()]


@pytest.mark.parametrize(
    ("layout", "files"),
    [
        ("ucf101", {"classInd.txt": "1 A", "trainlist01.txt": "A/../../b/v.avi 1", "testlist01.txt": "A/w.avi"}),
        ("hmdb51", {"A_test_split1.txt": "../../v.avi 1\nw.avi 2"}),
        ("ssv2", {
            "labels.json": '{"A": 0}', "train.json": '[{"id": "../v", "template": "A"}]',
            "validation.json": '[{"id": "2", "template": "A"}]',
        }),
        ("kinetics", {
            "train.csv": "label,youtube_id,time_start,time_end\nA,../../v,0,10", "val.csv":
            "label,youtube_id,time_start,time_end\nA,abcdefghijk,0,10",
        }),
        ("folder", {"split.csv": "path,split\nA/../../v.avi,train\nA/w.avi,test"}),
    ],
)  # fmt: skip
def test_a_list_that_leads_out_of_the_data_set_is_refused(layout: str, files: dict[str, str], tmp_path: Path) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=rf"(line|entry) \d.* is not in {tmp_path}"):
        layouts.read(layout, tmp_path, tmp_path, 1)


def test_a_list_of_absolute_paths_is_refused(tmp_path: Path) -> None:
    (tmp_path / "split.csv").write_text(f"path,split\n/etc/passwd,train\n{tmp_path}/A/w.avi,test\n")
    with pytest.raises(UserError, match="/etc/passwd is not in"):
        layouts.read("folder", tmp_path, tmp_path, 1)


@pytest.mark.parametrize("name", ["..", ".", ".hidden", "a/b", "a b", "a\n", "$(x)", ""])
def test_names_of_data_sets_are_names_of_folders(name: str) -> None:
    from jsonschema import Draft202012Validator
    from yaml import safe_load

    schema = safe_load((ROOT / "workflow/schemas/params.schema.yaml").read_text())
    node = next(
        found["properties"]["name"]
        for found in schema["$defs"].values()
        if {"layout", "name"} <= found.get("properties", {}).keys()
    )
    assert Draft202012Validator(node).is_valid("k400-2.1") and not Draft202012Validator(node).is_valid(name)


def test_no_record_holds_a_password(nasty: Path, tmp_path: Path) -> None:
    """Neither that of the database, nor what else may be in the environment; not even where the database is missing."""
    secrets = {
        "CSVR_OBSERVER": "mongodb://me:hunter2@127.0.0.1:1/runs?serverSelectionTimeoutMS=100",
        "AWS_SECRET_ACCESS_KEY": "hunter3",
    }
    params = json.dumps({"short_side": 16, "aspect": None, "storage": "raw", "quality": 90})
    done = subprocess.run(
        [
            sys.executable, "-m", "csvr.clips", "--index", nasty / "index.csv", "--params", params,
            "--output", tmp_path / "clips.safetensors", "--runs", tmp_path / "runs",
        ],
        cwd=ROOT, env=ENV | secrets, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "CSVR_OBSERVER" in done.stderr and "hunter" not in done.stdout + done.stderr
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.name == "run.json" for path in written)
    assert not [path for path in written if b"hunter" in path.read_bytes()]
    assert not os.path.exists(ROOT / "pwned")
