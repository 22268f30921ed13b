"""Modules of csvr: none imports itself in a circle, commands are at the top of it all, and none is too long to read."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from csvr.tracking.sources import ROOT
from tests.test_commands import COMMANDS

LONGEST = 400
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in (ROOT / "csvr").rglob("*.py")
}


def imported(path: Path, known: set[str]) -> set[str]:
    """Modules among `known` that a file imports, wherever the import stands; not for types alone."""
    tree = ast.parse(path.read_text())
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            # `from csvr.data import shards` imports a module, `from csvr.data.shards import Shards` another.
            found |= inside & known if inside & known else {node.module}
    return found & known


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Modules that import each other in a circle; empty if none do."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


@pytest.fixture(scope="module")
def modules() -> dict[str, set[str]]:
    """What each module of csvr imports of csvr."""
    return {name: imported(path, set(MODULES)) for name, path in MODULES.items()}


def test_no_circle_of_imports(modules: dict[str, set[str]]) -> None:
    assert "csvr.pretrain.loop" in modules["csvr.pretrain.__main__"]
    assert circle(modules) == []


def test_a_circle_is_seen(tmp_path: Path) -> None:
    texts = {"a": "def f():\n    from b import g\n", "b": "import c\n", "c": "from a import f\n"}
    for name, text in texts.items():
        (tmp_path / f"{name}.py").write_text(text)
    graph = {name: imported(tmp_path / f"{name}.py", set(texts)) for name in texts}
    assert set(circle(graph)) == {"a", "b", "c"}
    (tmp_path / "c.py").write_text("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from a import f\n")
    graph["c"] = imported(tmp_path / "c.py", set(texts))
    assert circle(graph) == []


def test_nothing_imports_a_command(modules: dict[str, set[str]]) -> None:
    """What two of them need is a module of its own."""
    commands = {f"csvr.{name}{end}" for name in COMMANDS for end in ("", ".__main__")} & MODULES.keys()
    # Packages: importing them runs no command.
    commands -= {name for name, path in MODULES.items() if path.name == "__init__.py"}
    assert {"csvr.evaluate", "csvr.pretrain.__main__"} <= commands
    assert {(name, other) for name, found in modules.items() for other in found & commands} == set()


@pytest.mark.parametrize("folder", ["csvr", "workflow", "tests"])
def test_no_module_is_too_long(folder: str) -> None:
    files = [path for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".smk")]
    lengths = {path.relative_to(ROOT).as_posix(): len(path.read_text().splitlines()) for path in files}
    assert len(lengths) > 10
    assert {name: count for name, count in lengths.items() if count > LONGEST} == {}
