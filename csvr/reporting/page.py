"""A report that is some text, some tables, and where their numbers come from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from csvr.reporting import formats
from csvr.reporting.formats import Table, environment
from csvr.reporting.origin import footer, run_rows
from csvr.reporting.results import Results


def write(
    results: Results, output: Path, title: str, about: Sequence[str], tables: Sequence[Table | tuple[Table, str]]
) -> None:
    """Write `output` (.md) and the other formats beside it.

    Args:
        results: What the tables were made of.
        output: The Markdown file.
        title: Of the report; the data set's name is put behind it.
        about: Paragraphs, Markdown.
        tables: Each alone or with a note above it, Markdown.
    """
    pairs = [part if isinstance(part, tuple) else (part, "") for part in tables]
    text = environment().get_template("report.md.j2").render(
        title=title, about=about, tables=pairs, expected=results.expected,
        missing=[f"{variant} seed {seed}" for variant, seed in results.missing()],
        footer=footer(results) | {"command": f"snakemake --cores 8 {output}"}, runs=run_rows(results),
    )  # fmt: skip
    formats.write(output, text, [shown for shown, _ in pairs if len(shown.frame)])
