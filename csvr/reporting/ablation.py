"""The ablation table: Markdown, HTML and long-form CSV from the same rows."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from csvr.files import write_text
from csvr.reporting.claims import FULL, Claim, claims, interval_text
from csvr.reporting.results import OVERALL, PROTOCOLS, READOUTS, Expectation, Results
from csvr.reporting.statistics import DRAWS, Spread, accuracy, mean_weights, paired, paired_intervals, spread

CSV_COLUMNS = (
    "protocol", "readout", "variant", "seed", "group", "top1", "n_videos", "run_id", "pretrain_run_id"
)  # fmt: skip
READOUT_NAMES = {"f_i_untrained": "f_i, untrained integration (control)", "all": "all (concatenation)"}
MISSING, ABSENT = "missing", "–"
WORK = {"pretrain": "pretraining", "evaluate": "evaluation", "generation_quality": "measurement"}


def write(results: Results, output: Path) -> None:
    """Write `output` (.md) and, beside it, the same as .html and .csv."""
    values = context(results)
    for suffix in (".md", ".html"):
        write_text(output.with_suffix(suffix), environment().get_template(f"ablation{suffix}.j2").render(values))
    text = io.StringIO()
    writer = csv.DictWriter(text, CSV_COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(long_form(results))
    write_text(output.with_suffix(".csv"), text.getvalue())


def environment() -> Environment:
    """Templates of this package; HTML is escaped, Markdown cells have their pipes and angle brackets escaped."""
    result = Environment(
        loader=PackageLoader("csvr.reporting"), autoescape=lambda name: bool(name and name.endswith(".html.j2")),
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, undefined=StrictUndefined,
    )  # fmt: skip
    result.filters["cell"] = lambda text: str(text).replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
    return result


def protocol_names(results: Results) -> dict[str, str]:
    """Titles of the protocols that some variant is evaluated with."""
    few, per_class = results.expected.evaluation("probe", "few"), results.expected.evaluation("finetune", "per_class")
    labels = "all labels" if per_class is None else f"{per_class} label{'s' * (per_class != 1)} a class"
    names = {
        "linear_few": f"Linear probe, {few} label{'s' * (few != 1)} a class",
        "linear_all": "Linear probe, all labels",
        "finetune": f"Fine-tuned, {labels}",
        "retrieval": "Nearest-neighbour retrieval, R@1",
    }
    used = {protocol for variant in results.expected.variants.values() for protocol in variant.protocols()}
    return {protocol: names[protocol] for protocol in PROTOCOLS if protocol in used}


def spread_text(value: Spread, wanted: int, factor: float = 100, digits: int = 1) -> str:
    """Mean ± standard deviation times `factor` (in %), with n (and how many seeds are missing)."""
    if not value.n:
        return MISSING
    lost = f", {wanted - value.n} missing" if value.n < wanted else ""
    std = f" ± {factor * value.std:.{digits}f}" if math.isfinite(value.std) else ""
    return f"{factor * value.mean:.{digits}f}{std} ({value.n}{lost})"


def accuracy_cells(results: Results, variant: str, protocol: str, readout: str = "all") -> list[str]:
    """One text a column (overall and each group)."""
    scores = results.scores(variant, protocol, readout)
    return [
        spread_text(
            spread(np.array([accuracy(x, mask) for x in scores.values()]) if mask.any() else np.empty(0)),
            len(results.expected.seeds),
        )
        for mask in results.masks().values()
    ]


def difference_cells(results: Results, variant: str, protocol: str, readout: str = "all") -> list[dict[str, Any]]:
    """Variant − full a column, of the same read-out: its text, and whether its interval excludes 0."""
    masks = results.masks()
    difference = paired(results.scores(variant, protocol, readout), results.scores(FULL, protocol, readout))
    if variant == FULL or difference is None or not all(mask.any() for mask in masks.values()):
        return [{"text": ABSENT if variant == FULL else MISSING, "marked": False} for _ in masks]
    weights = np.stack([mean_weights(mask) for mask in masks.values()], axis=1)
    found = paired_intervals(difference, results.labels, weights)
    return [{"text": interval_text(x), "marked": x.excludes_zero} for x in found]


def table(results: Results, protocol: str) -> list[dict[str, Any]]:
    """One row a variant; a variant that is not evaluated in this way has dashes."""
    rows = []
    for name, variant in results.expected.variants.items():
        if protocol in variant.protocols():
            cells = accuracy_cells(results, name, protocol), difference_cells(results, name, protocol)
        else:
            cells = [ABSENT for _ in results.masks()], [{"text": ABSENT, "marked": False} for _ in results.masks()]
        rows.append({"title": variant.title, "accuracy": cells[0], "difference": cells[1]})
    return rows


def readout_table(results: Results, protocol: str) -> list[dict[str, Any]]:
    """One row for every read-out of every variant that is probed."""
    rows = []
    for name, variant in results.expected.variants.items():
        if protocol not in variant.protocols():
            continue
        present = [readout for readout in READOUTS if results.scores(name, protocol, readout)]
        for readout in present or ["all"]:
            cells = accuracy_cells(results, name, protocol, readout)
            rows.append({"title": variant.title, "readout": READOUT_NAMES.get(readout, readout), "accuracy": cells})
    return rows


def long_form(results: Results) -> Iterator[dict[str, Any]]:
    """Rows of the CSV; a missing cell has rows with an empty top1."""
    masks = results.masks()
    for protocol in PROTOCOLS:
        for readout in READOUTS:
            for name, variant in results.expected.variants.items():
                if protocol not in variant.protocols():
                    continue
                scores = results.scores(name, protocol, readout)
                for seed in results.expected.seeds:
                    if seed not in scores and readout != "all":
                        continue
                    cell = results.cells.get((name, seed), {})
                    for group, mask in masks.items():
                        top1 = round(accuracy(scores[seed], mask), 6) if seed in scores and mask.any() else ""
                        row = (
                            protocol, readout, name, seed, group, top1, int(mask.sum()),
                            cell.get("run_id", ""), cell.get("pretrain_run_id", ""),
                        )  # fmt: skip
                        yield dict(zip(CSV_COLUMNS, row, strict=True))


def context(results: Results) -> dict[str, Any]:
    """Everything that the templates show."""
    expected, names = results.expected, protocol_names(results)
    few = "linear_few" if "linear_few" in names else None
    return {
        "expected": expected,
        "columns": list(results.masks()),
        "counts": {name: int(mask.sum()) for name, mask in results.masks().items()},
        "overall": OVERALL,
        "chance": f"{100 / len(results.classes):.1f}",
        "classes": results.classes,
        "protocols": [{"name": title, "rows": table(results, key)} for key, title in names.items()],
        "readouts": {"name": names[few], "rows": readout_table(results, few)} if few else None,
        "claims": [_claim(claim, names) for claim in claims(results)],
        "missing": [f"{variant} seed {seed}" for variant, seed in results.missing()],
        "draws": DRAWS,
        "footer": footer(results),
        "runs": run_rows(results),
    }


def _claim(claim: Claim, names: dict[str, str]) -> dict[str, Any]:
    """A claim with its protocols' titles."""
    found = [{"protocol": names[f.protocol], "verdict": f.verdict, "numbers": f.numbers} for f in claim.findings]
    return {"text": claim.text, "findings": found}


def run_rows(results: Results) -> list[dict[str, Any]]:
    """Sacred run ids, pretraining → evaluation, one text a seed."""
    rows = []
    for name in results.expected.variants:
        cells = [results.cells.get((name, seed)) for seed in results.expected.seeds]
        texts = [f"{c['pretrain_run_id']} → {c['run_id']}" if c else MISSING for c in cells]
        rows.append({"name": name, "runs": texts})
    return rows


def footer(results: Results) -> dict[str, str]:
    """Where the numbers come from, by name."""
    return footer_of(list(results.cells.values()), results.expected, results.left_out)


def footer_of(cells: list[dict[str, Any]], expected: Expectation, left_out: int | None) -> dict[str, str]:
    """Likewise, of cells that hold what a table shows, and the number of listed videos that can't be used."""
    steps = " and ".join(WORK.get(step, step) for step in cells[0]["seconds"])
    seconds = sum(sum(cell["seconds"].values()) for cell in cells)
    return {
        "git commit": _counted(_commit(cell["git"]) for cell in cells),
        "data (sha256 of the index)": str(cells[0]["data"]["index_sha256"]),
        "listed videos left out as unusable": "?" if left_out is None else str(left_out),
        "parameters (sha256 of their canonical JSON)": expected.digest,
        "code (sha256 of the sources)": "; ".join(f"{step} {cells[0]['code'][step]}" for step in cells[0]["code"]),
        f"time of {steps}, all cells added up": f"{seconds / 60:.1f} min",
        "hardware": _counted(
            f"{c['host']['cpu']}, {c['host']['cores']} cores, host {c['host']['hostname']}, {c.get('threads', '?')} "
            "thread(s) a job"
            for c in cells
        ),
        "command": expected.command,
    }


def _commit(git: dict[str, Any]) -> str:
    """A commit and whether files differed from it."""
    if not git.get("commit"):
        return "no git repository"
    return f"{git['commit']} ({'dirty: files differed from it' if git.get('dirty') else 'clean'})"


def _counted(texts: Iterator[str]) -> str:
    """One text if all are the same, else each with how many cells have it."""
    counts = Counter(texts)
    return next(iter(counts)) if len(counts) == 1 else "; ".join(f"{t} [{n} cells]" for t, n in counts.items())
