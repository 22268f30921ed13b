"""Where each report comes from: a graph of files with hashes and runs, down to the videos, and its printed form.

A node is {"sha256", "from": [files]} and, where a step of csvr wrote the file, "step", "run", "code", "params" (SHA-256
of their canonical JSON), and "variant", "seed", "commit" if it has them. The index's node has the videos:
{"videos": {path: sha256}}; an index tells its run, and not its parameters and sources.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from csvr.data import index as listing
from csvr.data import shards
from csvr.errors import UserError
from csvr.files import params_sha256, sha256

Node = dict[str, Any]
SHOWN = 12  # digits of a hash in print


def collect(made: dict[str, list[str]], features: list[Path], indexes: list[Path]) -> dict[str, Node]:
    """The graph of all reports.

    Args:
        made: For each report the files of results that it was made of; their own sources are found from what they say.
        features: All shards of the data sets.
        indexes: The index of each data set.

    Returns:
        Nodes by path.

    Raises:
        UserError: A file is missing or unreadable, or says that it was made of something else than what is there.
    """
    nodes: dict[str, Node] = {}
    stores: dict[str, dict[str, str]] = {}
    digests = {listing.digest(index): index for index in indexes}
    for index in indexes:
        table = listing.read(index)
        nodes[str(index)] = {
            "sha256": sha256(index), "step": "index", "run": str(table["run"].iloc[0]), "from": [],
            "videos": dict(zip(table["path"].astype(str), table["sha256"].astype(str), strict=True)),
        }  # fmt: skip
    for path in features:
        header = shards.header(path)
        if header.get("index_sha256") not in digests:
            step = f"extract_{path.parent.name}"
            _same(path, "index_sha256", header.get("index_sha256"), " or ".join(digests), step)
        sources = [str(digests[header["index_sha256"]])]
        if "reencode" in header["params"]:
            copies = path.parents[1] / "reencoded" / path.name
            nodes[str(copies)] = _node(copies, "reencode", shards.header(copies), sources)
            sources = [str(copies)]
        nodes[str(path)] = _node(path, path.parent.name, header, sources)
        stores.setdefault(path.parent.name, {})[str(header["run_id"])] = str(path)
    for report, sources in made.items():
        nodes[report] = {"sha256": _sha256(Path(report)), "from": list(sources)}
        for source in map(Path, sources):
            if str(source) not in nodes:
                nodes |= _result(source, stores)
    return nodes


def _result(path: Path, stores: dict[str, dict[str, str]]) -> dict[str, Node]:
    """The node of one file of results, and that of the networks that it was made with; or of published numbers."""
    if path.name == "pose_quality.json":
        found = _json(path)
        return {
            str(path): _node(path, "pose_quality", found | {"params": found["made"]["params"]}, list(found["runs"]))
        }
    if path.parent.name == "published":
        return {str(path): {"sha256": _sha256(path), "from": []}}
    frozen = path.name.startswith("features")
    found = _json(path) if path.suffix == ".json" else shards.header(path) if frozen else {}
    networks = Path(found["networks"]["path"]) if "networks" in found else path.with_name("networks.safetensors")
    header = shards.header(networks)

    def used(*kinds: str) -> list[str]:
        return _shards(networks, header, kinds, stores, "pretrain")

    nodes = {str(networks): _node(networks, "pretrain", header, used("clips", "poses", "iframes"))}
    if path.name == "history.csv":
        _same(path, "sha256", _sha256(path), header["history_sha256"], "pretrain")
        nodes[str(path)] = {"sha256": header["history_sha256"], "step": "pretrain", "from": [str(networks)]}
    elif frozen or path.name.startswith("metrics"):
        _same(path, "networks.sha256", found["networks"]["sha256"], _sha256(networks), "evaluate")
        about = found if frozen else found | {"code": found["code"]["evaluate"]}
        tested = _shards(path, {"data": found["target"]}, ("clips", "poses"), stores, "evaluate")
        nodes[str(path)] = _node(path, "evaluate", about, [str(networks), *tested])
    elif path.name == "generation.json":
        _same(path, "pretrain_run_id", found["pretrain_run_id"], header["run_id"], "generation_quality")
        judge = Path(found["judge"]["path"])
        _same(path, "judge.sha256", found["judge"]["sha256"], _sha256(judge), "generation_quality")
        about = found | {"code": found["code"]["generation_quality"]}
        nodes[str(path)] = _node(
            path, "generation_quality", about, [str(networks), str(judge), *used("clips", "poses")]
        )
        about = shards.header(judge)
        nodes[str(judge)] = _node(judge, "clip_judge", about, _shards(judge, about, ("clips",), stores, "clip_judge"))
    return nodes


def _shards(
    path: Path, about: dict[str, Any], kinds: tuple[str, ...], stores: dict[str, dict[str, str]], step: str
) -> list[str]:
    """Shards of the runs that a network says it was trained on."""
    files = []
    for kind in kinds:
        for run in map(str, about["data"][kind]):
            if run not in stores.get(kind, {}):
                how = {"pretrain": "pretrained", "evaluate": "tested"}.get(step, "trained")
                raise UserError(
                    f"{path}: {how} on {kind} of run {run}, of which no shard is there; "
                    f"run snakemake --cores 8 {path} --forcerun {step}"
                )
            files.append(stores[kind][run])
    return files


def _node(path: Path, step: str, about: dict[str, Any], sources: list[str]) -> Node:
    node = {
        "sha256": _sha256(path), "step": step, "run": str(about["run_id"]), "code": about["code"],
        "params": params_sha256(about["params"]), "from": sources,
    }  # fmt: skip
    commit = {"commit": about["git"]["commit"]} if "git" in about else {}
    return node | {key: about[key] for key in ("variant", "seed") if key in about} | commit


def _json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: no readable JSON ({error}); run snakemake --cores 8") from error


def _sha256(path: Path) -> str:
    try:
        return sha256(path)
    except OSError as error:
        raise UserError(f"{path}: can't be read ({error}); run snakemake --cores 8") from error


def _same(path: Path, key: str, found: Any, expected: Any, step: str) -> None:
    if found != expected:
        raise UserError(
            f"{path}: {key} = {found}, but {expected} is there; run snakemake --cores 8 {path} --forcerun {step}"
        )


def lines(nodes: dict[str, Node], path: str, depth: int = 0, seen: set[str] | None = None) -> Iterator[str]:
    """The chain of one file for a person: it, then indented what it was made of; each file once.

    Raises:
        UserError: The graph has no such file, or the file is not what it was.
    """
    if path not in nodes:
        known = ", ".join(sorted(name for name in nodes if name.startswith("reports/"))) or "none"
        raise UserError(f"{path}: not in the provenance, which knows the reports: {known}")
    node, seen = nodes[path], set() if seen is None else seen
    now = _sha256(Path(path))
    if now != node["sha256"]:
        raise UserError(
            f"{path}: sha256 is {now}, but was {node['sha256']} when provenance was collected; run snakemake --cores 8"
        )
    words = [f"sha256 {now[:SHOWN]}"]
    words += [f"{key} {node[key]}" for key in ("variant", "seed") if key in node]
    if "run" in node:
        words.append(f"{node['step']} in run {node['run']}")
    words += [f"{key} {node[key][:SHOWN]}" for key in ("code", "params", "commit") if node.get(key)]
    yield f"{'  ' * depth}{'← ' * (depth > 0)}{path}: {'; '.join(words)}"
    seen.add(path)
    again = []
    for source in node["from"]:
        if source in seen:
            again.append(source)
        else:
            yield from lines(nodes, source, depth + 1, seen)
    if again:
        names = ", ".join(again[:4]) + " …" * (len(again) > 4)
        yield f"{'  ' * (depth + 1)}← and {len(again)} file(s) named above: {names}"
    if "videos" in node:
        listed = "".join(f"{name} {found}\n" for name, found in sorted(node["videos"].items()))
        digest = hashlib.sha256(listed.encode()).hexdigest()
        yield f"{'  ' * (depth + 1)}← {len(node['videos'])} videos: sha256 of all names and hashes {digest[:SHOWN]}"
