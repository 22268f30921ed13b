"""Which sources a command runs, and one hash of them: results carry it, so that other code is known from them.

Light on purpose (standard library only): the workflow asks for the hashes of all commands whenever it starts.
"""

from __future__ import annotations

import ast
import functools
import hashlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@functools.cache
def sources(name: str) -> tuple[str, ...]:
    """Files, from the repository's root on, that `python -m csvr.<name>` runs.

    All that its module imports, directly or not, wherever the import stands; and the templates beside them.

    Raises:
        FileNotFoundError: There is no such command.
    """
    todo = _module_files(f"csvr.{name}") | _module_files(f"csvr.{name}.__main__")
    if todo <= {"csvr/__init__.py"}:
        raise FileNotFoundError(f"csvr has no command {name!r}")
    done: set[str] = set()
    while todo:
        path = todo.pop()
        done.add(path)
        todo |= _imported(path) - done
    folders = {Path(path).parent for path in done}
    done |= {
        file.relative_to(ROOT).as_posix() for folder in folders for file in (ROOT / folder / "templates").glob("*.j2")
    }
    return tuple(sorted(done))


@functools.cache
def code_hash(name: str) -> str:
    """SHA-256 over names and contents of the sources of `python -m csvr.<name>`.

    Raises:
        FileNotFoundError: There is no such command.
    """
    digest = hashlib.sha256()
    for path in sources(name):
        digest.update(f"{path} {hashlib.sha256((ROOT / path).read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


@functools.cache
def _imported(path: str) -> frozenset[str]:
    """Files of csvr that one file imports, packages' `__init__` included."""
    found: set[str] = set()
    if not path.endswith(".py"):
        return frozenset()
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            # `from csvr.data import shards` may name a module or something inside one.
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            found |= _module_files(name)
    return frozenset(found)


def _module_files(name: str) -> set[str]:
    """The files that importing module `name` runs; none if it is not of csvr."""
    parts = name.split(".")
    if parts[0] != "csvr":
        return set()
    stems = ["/".join(parts[:depth]) for depth in range(1, len(parts) + 1)]
    return {path for stem in stems for path in (f"{stem}/__init__.py", f"{stem}.py") if (ROOT / path).exists()}
