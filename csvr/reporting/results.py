"""Metrics of all variants and seeds, read and checked: a table must never mix runs that don't belong together."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csvr.data.index import digest, left_out
from csvr.errors import UserError
from csvr.files import params_sha256
from csvr.refusal import differences, require
from csvr.reporting.groups import spelled

Floats = NDArray[np.float64]
PROTOCOLS = ("linear_few", "linear_all", "finetune", "retrieval")
READOUTS = ("all", "f_s", "f_d", "f_i", "f_i_untrained")
OVERALL = "overall"


@dataclass(frozen=True)
class Variant:
    """One row of the table: how it is called and the effective parameters its runs must have.

    Attributes:
        cell: Where its evaluation is, "<variant>/<loss weights>". Rows that differ in name only share it.
        networks: Where its networks are, and what is measured of these alone, likewise.
    """

    title: str
    description: str
    params: dict[str, Any]
    cell: str
    networks: str

    def protocols(self) -> list[str]:
        """The protocols that the variant's parameters ask for."""
        evaluate = self.params.get("evaluate") or {}
        # Retrieval, too, asks frozen features.
        wanted = {"linear_few": "probe", "linear_all": "probe", "finetune": "finetune", "retrieval": "probe"}
        return [name for name, key in wanted.items() if evaluate.get(key)]

    def percents(self, part: str) -> list[str]:
        """Shares of the labels that `part` ("probe" or "finetune") is measured with, as protocols' names have them."""
        evaluate = self.params.get("evaluate") or {}
        semi = evaluate.get("semi") or {}
        wanted = semi.get("fractions", []) if evaluate.get(part) and semi.get(part) else []
        return [f"{100 * share:g}pct" for share in wanted]

    def every_protocol(self) -> list[str]:
        """Those of `protocols`; with shares of the labels; and as if nobody had been found in the test videos."""
        evaluate, found = self.params.get("evaluate") or {}, self.protocols()
        found += [f"linear_{share}" for share in self.percents("probe")]
        found += [f"finetune_{share}" for share in self.percents("finetune")]
        if evaluate.get("probe") and evaluate.get("no_pose_test") and self.params.get("pose_input", True):
            found += [f"{name}_no_pose" for name in ("linear_few", "linear_all", "retrieval")]
        return found


@dataclass(frozen=True)
class Expectation:
    """What a report is to show: variants (in the order of rows), seeds and groups of classes.

    Attributes:
        main: The variant that the experiment is about.
        code: Hash of the sources of each step that results come from (`csvr.tracking.sources`).
        features: For each kind of feature the parameters and the hash of the sources, as shards' headers have them.
        pretrained_on: The data set of pretraining; `dataset` is the one that is evaluated on.
        target: `features` of the latter if they differ, else None.
        digest: SHA-256 of the parameters.
    """

    variants: dict[str, Variant]
    seeds: list[int]
    groups: dict[str, list[str]]
    dataset: str
    command: str
    main: str
    code: dict[str, str]
    features: dict[str, dict[str, Any]]
    digest: str
    pretrained_on: str = ""
    target: dict[str, dict[str, Any]] | None = None

    @classmethod
    def of(cls, params: dict[str, Any]) -> Expectation:
        """From the value of the `--expect` flag.

        Raises:
            UserError: A key is missing.
        """
        try:
            variants = {name: Variant(**params["variants"][name]) for name in params.get("order", params["variants"])}
            return cls(
                variants, list(params["seeds"]), dict(params["groups"] or {}), params["dataset"], params["command"],
                params["main"], dict(params["code"]), dict(params["features"]),
                # Of the parameters alone: the same ones have the same digest whatever the code.
                params_sha256(_without_code(params)),
                params.get("pretrained_on", params["dataset"]), params.get("target"),
            )  # fmt: skip
        except (KeyError, TypeError) as error:
            raise UserError(f"--expect: missing or unknown key: {error}") from error

    def rows(self, path: Path) -> tuple[list[str], int]:
        """The variants that a file of results belongs to, and its seed, by its path "…/<cell>/seed<k>/<file>".

        Raises:
            UserError: No variant or no seed that the report expects.
        """
        cell, seed = "/".join(path.parts[-4:-2]), path.parent.name
        evaluated = path.name.startswith("metrics")
        found = [name for name, v in self.variants.items() if (v.cell if evaluated else v.networks) == cell]
        if not found or seed not in {f"seed{known}" for known in self.seeds}:
            raise UserError(f"{path}: {cell!r}, {seed!r} is not one that the report expects")
        return found, int(seed.removeprefix("seed"))

    def evaluation(self, part: str, key: str) -> Any:
        """`params.evaluate.<part>.<key>` of the first variant that has it, else None."""
        for variant in self.variants.values():
            found = ((variant.params.get("evaluate") or {}).get(part) or {}).get(key)
            if found is not None:
                return found
        return None


@dataclass(frozen=True)
class Results:
    """All cells (variant × seed) that exist, on V test videos; and how many listed videos can't be used, if known."""

    expected: Expectation
    cells: dict[tuple[str, int], dict[str, Any]]
    videos: list[str]
    labels: NDArray[np.int64]
    classes: list[str]
    left_out: int | None = None

    def tested(self) -> str:
        """How many test videos, and of how many official splits if of several."""
        splits: int = next(iter(self.cells.values())).get("splits", 1)
        return f"{len(self.videos)} test videos" + f" of {splits} splits" * (splits > 1)

    def scores(self, variant: str, protocol: str, readout: str = "all") -> dict[int, Floats]:
        """Share of correct predictions of each test video, shape (V,), by seed; seeds without it are left out."""
        found = {}
        for seed in self.expected.seeds:
            values = self.cells.get((variant, seed), {}).get("scores", {}).get(protocol, {}).get(readout)
            if values is not None:
                found[seed] = np.asarray(values, dtype=np.float64)
        return found

    def recall(self, variant: str, protocol: str, k: int, readout: str = "all") -> dict[int, float]:
        """R@k, 0 … 1: the share of test videos of which one of the k nearest training videos has the class; by seed."""
        found = {}
        for seed in self.expected.seeds:
            ranks = self.cells.get((variant, seed), {}).get("ranks", {}).get(protocol, {}).get(readout)
            if ranks is not None:
                found[seed] = float((np.asarray(ranks) <= k).mean())
        return found

    def missing(self) -> list[tuple[str, int]]:
        """Expected cells without a metrics file."""
        return [(v, s) for v in self.expected.variants for s in self.expected.seeds if (v, s) not in self.cells]

    def masks(self) -> dict[str, NDArray[np.bool_]]:
        """Which test videos belong to all classes ("overall") and to each group, each of shape (V,)."""
        names = np.asarray(self.classes)[self.labels]
        return {OVERALL: np.ones(len(self.labels), bool)} | {
            group: np.isin(names, members) for group, members in self.expected.groups.items()
        }


def _without_code(value: Any) -> Any:
    """Nested mappings without their keys "code"."""
    return {k: _without_code(v) for k, v in value.items() if k != "code"} if isinstance(value, dict) else value


def load(paths: list[Path], expected: Expectation, index: Path | None = None) -> Results:
    """Read metrics files and refuse what does not belong in one table.

    Args:
        paths: Files of `python -m csvr.evaluate`. Expected cells without a file stay missing.
        expected: What the table is to show.
        index: The index of the data set as it is now.

    Raises:
        UserError: No file at all, an unreadable one, one that nobody expects, one made with other parameters, by other
            code or on other data, or two of one cell. The message names the file, the key, both values and what to run.
    """
    cells: dict[tuple[str, int], dict[str, Any]] = {}
    origin: dict[tuple[str, int], Path] = {}
    first: tuple[Path, dict[str, Any]] | None = None
    for path in paths:
        cell = _read(path)
        names, seed = expected.rows(path)
        if (names[0], seed) in cells:
            raise UserError(f"{path}: variant {names[0]!r}, seed {seed} is already in {origin[names[0], seed]}")
        _check_made(path, cell, expected)
        first = first or (path, cell)
        _check_data(path, cell, *first)
        for name in names:
            cells[name, seed], origin[name, seed] = cell, path
    if first is None:
        raise UserError("no metrics files; run snakemake --cores 8 first")
    where = _tested_on(expected)
    if index is not None and digest(index) != (tested := first[1][where]["index_sha256"]):
        raise UserError(
            f"{first[0]}: made with {where}.index_sha256 = {tested}, but {digest(index)} is that of {index}; "
            f"run snakemake --cores 8 {first[0]} --forcerun {'evaluate' if where == 'target' else 'pretrain'}"
        )
    classes = first[1]["classes"]
    expected = replace(expected, groups=spelled(expected.groups, classes))
    for group, members in expected.groups.items():
        unknown = [name for name in members if name not in classes]
        if unknown:
            raise UserError(f"groups.{group}: {first[0]} has no class {unknown[0]!r}; correct the data set's groups")
    order = [(variant, seed) for variant in expected.variants for seed in expected.seeds]
    cells = {where: cells[where] for where in order if where in cells}
    labels = np.asarray(first[1]["labels"], dtype=np.int64)
    unused = None if index is None else len(left_out(index))
    return Results(expected, cells, first[1]["videos"], labels, classes, unused)


def _read(path: Path) -> dict[str, Any]:
    """One metrics file with all its keys and scores of the right length."""
    mend = f"run snakemake --cores 8 {path} --forcerun evaluate"
    try:
        cell = json.loads(path.read_text())
        count = len(cell["videos"])
        lengths = {"labels": len(cell["labels"])} | {
            f"scores.{protocol}.{readout}": len(values)
            for protocol, readouts in cell["scores"].items()
            for readout, values in readouts.items()
        }
        lengths |= {
            f"{part}.{protocol}.{readout}": len(values)
            for part in ("ranks", "predictions")
            for protocol, readouts in cell[part].items()
            for readout, values in readouts.items()
        }
        for key in ("run_id", "pretrain_run_id", "variant", "seed", "params", "git", "host", "seconds", "classes"):
            cell[key]
        for key in ("index_sha256", "made"):
            cell["data"][key]
        for key in ("pretrain", "evaluate"):
            cell["code"][key]
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise UserError(f"{path}: no readable JSON ({error}); {mend}") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: not what csvr.evaluate writes (key {error}); {mend}") from error
    for key, length in lengths.items():
        if length != count:
            raise UserError(f"{path}: {key} has {length} entries for {count} test videos; {mend}")
    return dict(cell)


def _check_made(path: Path, cell: dict[str, Any], expected: Expectation) -> None:
    """Refuse a file made with other parameters, from otherwise extracted features or by other code."""
    run = f"snakemake --cores 8 {path} --forcerun"
    names, seed = expected.rows(path)
    place, params = {"variant": path.parts[-4], "seed": seed}, expected.variants[names[0]].params
    require(path, {key: cell[key] for key in place}, place, f"{run} pretrain")
    wrong = differences(cell["params"], params)
    step = "evaluate" if all(key.startswith("evaluate") for key, _, _ in wrong) else "pretrain"
    require(path, cell["params"], params, f"{run} {step}")
    for kind, made in expected.features.items():
        require(path, {kind: cell["data"]["made"].get(kind)}, {kind: made}, f"{run} extract_{kind}")
    for kind, made in (expected.target or {}).items():
        if kind in cell["target"]["made"]:
            require(path, {kind: cell["target"]["made"][kind]}, {kind: made}, f"{run} extract_{kind}")
    for step in ("pretrain", "evaluate"):
        require(path, {f"code.{step}": cell["code"][step]}, {f"code.{step}": expected.code[step]}, f"{run} {step}")


def _tested_on(expected: Expectation) -> str:
    """The key of a metrics file that tells of the data it was tested on."""
    return "data" if expected.target is None else "target"


def _check_data(path: Path, cell: dict[str, Any], other: Path, reference: dict[str, Any]) -> None:
    """Refuse a file evaluated on other data than the first one."""
    mine, theirs = cell["data"]["index_sha256"], reference["data"]["index_sha256"]
    mend = f"run snakemake --cores 8 {path} --forcerun pretrain"
    if mine != theirs:
        raise UserError(f"{path}: data.index_sha256 = {mine}, but {theirs} in {other}; {mend}")
    for key in ("videos", "labels", "classes"):
        if cell[key] != reference[key]:
            pairs = list(zip(cell[key], reference[key], strict=False))
            a, b = next(((x, y) for x, y in pairs if x != y), (len(cell[key]), len(reference[key])))
            raise UserError(f"{path}: {key} has {a!r} where {other} has {b!r}; {mend}")
