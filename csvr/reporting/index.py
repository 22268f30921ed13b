"""One page of all reports: self-contained, readable without a network and on a phone.

Tables are those of the reports' own pages; nothing is computed again.
"""

from __future__ import annotations

import base64
import csv
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup

from csvr.errors import UserError
from csvr.files import canonical, write_text
from csvr.reporting.claims import FULL
from csvr.reporting.findings import SEVERITIES, counts
from csvr.reporting.formats import environment
from csvr.reporting.protocols import readout_name
from csvr.reporting.results import READOUTS, Expectation
from csvr.reporting.sigma import WEIGHTS, weights_text

ORIGIN: Final = "<h2>Where the numbers come from</h2>"
"""In pages of tables: what follows is shown on demand."""
MEDIA: Final = {".png": "image/png", ".svg": "image/svg+xml", ".mp4": "video/mp4"}

FORMATS: Final = (".svg", ".pdf", ".md", ".csv", ".tex")
"""In which a report may lie beside the file that is shown."""


@dataclass(frozen=True)
class Item:
    """A report to show.

    Attributes:
        file: A page (.html) of a table, a picture (.png, .svg) or a video (.mp4).
        title: What it is, one line.
        category: Items of one category stand together.
        caption: What it shows: plain text.
    """

    file: str
    title: str
    category: str
    caption: str = ""

    @property
    def name(self) -> str:
        """To refer to it within the page."""
        return re.sub(r"\W+", "-", Path(self.file).stem)


def read_items(params: dict[str, Any]) -> list[Item]:
    """From the value of the `--items` flag.

    Raises:
        UserError: A key is missing or unknown.
    """
    try:
        return [Item(**item) for item in params["items"]]
    except (KeyError, TypeError) as error:
        raise UserError(f"--items: missing or unknown key: {error}") from error


def body(path: Path) -> tuple[str, str]:
    """The inside of a report's page, its own heading left out and others two levels lower; and where its numbers come
    from, empty if it does not say.

    Raises:
        UserError: Unreadable, or no page of csvr.
    """
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: can't be read ({error}); run snakemake --cores 8 {path}") from error
    found = re.search(r"<body>\n?(.*)</body>", text, re.DOTALL)
    if not found:
        raise UserError(f"{path}: not a page of csvr.report (no <body>); run snakemake --cores 8 {path}")
    inside = re.sub(r"<h1>.*?</h1>\n?", "", found[1], flags=re.DOTALL)
    shown, _, origin = inside.partition(ORIGIN)
    return _lowered(shown), _lowered(origin)


def _lowered(text: str) -> str:
    return re.sub(r"<(/?)h([234])>", lambda match: f"<{match[1]}h{int(match[2]) + 2}>", text)


def data_uri(path: Path) -> str:
    """A picture or a video as a URL that holds it.

    Raises:
        UserError: Unreadable, or of another kind.
    """
    if path.suffix not in MEDIA:
        raise UserError(f"{path}: can't be shown; {', '.join(MEDIA)} can")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: can't be read ({error}); run snakemake --cores 8 {path}") from error
    return f"data:{MEDIA[path.suffix]};base64,{base64.b64encode(content).decode()}"


def read_findings(path: Path) -> list[dict[str, str]]:
    """Lines of `csvr.reporting.checks`'s CSV.

    Raises:
        UserError: Unreadable, or another file.
    """
    try:
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: can't be read ({error}); run snakemake --cores 8 {path}") from error
    if any(row.get("severity") not in SEVERITIES for row in rows):
        raise UserError(f"{path}: not the checks of csvr.report check; run snakemake --cores 8 {path}")
    return rows


def nodes(path: Path) -> dict[str, dict[str, Any]]:
    """The graph of `csvr.tracking.provenance`, videos counted.

    Raises:
        UserError: Unreadable.
    """
    try:
        found = json.loads(path.read_text())
        return {
            name: {key: len(value) if key == "videos" else value for key, value in node.items()}
            for name, node in found.items()
        }
    except (OSError, ValueError, AttributeError) as error:
        raise UserError(f"{path}: no readable provenance ({error}); run snakemake --cores 8 {path}") from error


def rows_of(expectations: Iterable[Expectation]) -> dict[str, dict[str, Any]]:
    """By name of a variant: the folder of its results and its effective parameters."""
    found: dict[str, dict[str, Any]] = {}
    for expected in expectations:
        for name, variant in expected.variants.items():
            about = {"cell": variant.cell, "about": variant.description, "params": variant.params}
            found.setdefault(name, about)
    return found


def names_of(expectations: Iterable[Expectation]) -> dict[str, str]:
    """The variant of a row by what tables call it: its title or name, a feature of variant full, or loss weights."""
    found: dict[str, str] = {}
    for expected in expectations:
        rest = {canonical(_without(variant.params, WEIGHTS)) for variant in expected.variants.values()}
        for name, variant in expected.variants.items():
            found.setdefault(variant.title, name)
            found.setdefault(name, name)
            # A sweep: all differ in these weights alone, and its table names them.
            if len(rest) == 1 and len(expected.variants) > 1:
                found.setdefault(weights_text(*(float(variant.params[key]) for key in WEIGHTS)), name)
        if FULL in expected.variants:
            for readout in READOUTS:
                found.setdefault(readout_name(readout), FULL)
    return found


def _without(params: dict[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    return {key: value for key, value in params.items() if key not in keys}


def write(
    items: Sequence[Item],
    provenance: Path,
    checks: Path,
    expectations: Sequence[Expectation],
    output: Path,
) -> None:
    """Write the page.

    Args:
        items: What to show, in order. One whose file does not exist is shown as missing.
        provenance: The collected graph (`csvr.provenance`).
        checks: CSV of `csvr.reporting.checks`.
        expectations: Of all tables, for what their rows are called.
        output: HTML file.

    Raises:
        UserError: Something is unreadable or not what it should be.
    """
    findings = read_findings(checks)
    categories: dict[str, list[dict[str, Any]]] = {}
    for item in items:
        categories.setdefault(item.category, []).append(_shown(item))
    graph = nodes(provenance)
    used = {item.file: graph[item.file]["from"] for item in items if item.file in graph}
    files = {name: node for name, node in graph.items() if name not in used}
    text = environment().get_template("index.html.j2").render(
        dataset=expectations[0].dataset, categories=categories, findings=findings,
        missing=[item for item in items if not Path(item.file).exists()],
        counts=counts(row["severity"] for row in findings), checks=checks.with_suffix(".md"),
        data={"used": used, "files": files, "rows": rows_of(expectations), "names": names_of(expectations)},
    )  # fmt: skip
    write_text(output, text)


def _shown(item: Item) -> dict[str, Any]:
    path = Path(item.file)
    others = [suffix for suffix in FORMATS if suffix != path.suffix and path.with_suffix(suffix).exists()]
    shown: dict[str, Any] = {"item": item, "there": path.exists(), "uri": "", "body": "", "origin": ""}
    shown["others"] = others
    if not path.exists():
        return shown
    if path.suffix == ".html":
        # Written by csvr.reporting.formats, which has escaped what is not its own.
        inside, origin = body(path)
        return shown | {"body": Markup(inside), "origin": Markup(origin)}
    return shown | {"uri": data_uri(path), "video": path.suffix == ".mp4"}
