"""Tables in four formats from one data frame: Markdown, CSV, LaTeX (booktabs) and HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup

from csvr.files import write_text

SUFFIXES: Final = (".md", ".csv", ".tex", ".html")
LATEX: Final = str.maketrans(
    {
        character: rf"\ensuremath{{{command}}}"
        for character, command in {
            "±": r"\pm", "−": "-", "×": r"\times", "→": r"\to", "↑": r"\uparrow", "↓": r"\downarrow", "Δ": r"\Delta",
            "σ": r"\sigma", "≥": r"\geq", "≤": r"\leq", "ρ": r"\rho", "·": r"\cdot", "†": r"\dagger",
            "<": "<", ">": ">", "|": "|",
        }.items()
    }
    | {"–": "--", "…": r"\ldots{}", "“": "``", "”": "''"}
)  # fmt: skip
"""Characters that not every LaTeX engine has in its fonts."""


@dataclass(frozen=True)
class Cell:
    """A cell that is more than its text.

    Attributes:
        text: As people read it.
        fields: As programs read it: values by ending of the column's name ("" for the column itself).
        marked: Set in bold, with an asterisk: only for what the table's text says.
        code: Set in a typewriter's letters.
    """

    text: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    marked: bool = False
    code: bool = False

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Table:
    """One table.

    Attributes:
        title: What it is of, one line; empty where a report has one table.
        frame: A row a row, a column a column; cells are `Cell`, or anything with a text.
        align: "l" for each column of words, "r" for each of numbers.
    """

    title: str
    frame: pd.DataFrame
    align: str


def table(
    title: str, heads: Sequence[str], rows: Sequence[Sequence[Any]], left: int = 1, align: str | None = None
) -> Table:
    """A `Table` of rows of cells, of which the first `left` columns hold words, or as `align` says."""
    # As objects, so that numbers are shown as they are given.
    frame = pd.DataFrame([list(row) for row in rows], columns=list(heads), dtype=object)
    return Table(title, frame, align or "l" * left + "r" * (len(heads) - left))


def markdown(shown: Table) -> str:
    """Lines of a Markdown table, without its title; pipes, angle brackets and asterisks in texts are escaped."""
    heads = [_escaped(str(head)) for head in shown.frame.columns]
    places = [":--" if place == "l" else "--:" for place in shown.align]
    lines = [f"| {' | '.join(heads)} |", f"|{'|'.join(places)}|"]
    lines += [f"| {' | '.join(map(_markdown_cell, row))} |" for row in shown.frame.itertuples(index=False)]
    return "\n".join(lines)


def _markdown_cell(cell: Any) -> str:
    text = str(cell)
    if isinstance(cell, Cell) and cell.code:
        return f"`{text}`"
    if isinstance(cell, Cell) and cell.marked:
        return f"**{_escaped(text)}\\***"
    return _escaped(text)


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def latex(shown: Table, label: str = "") -> str:
    r"""A `table` environment with booktabs' rules; all that TeX would read as commands is escaped."""
    frame = shown.frame
    marks = frame.map(lambda cell: "textbf:--rwrap" if isinstance(cell, Cell) and cell.marked else "")
    code = frame.map(lambda cell: "texttt:--rwrap" if isinstance(cell, Cell) and cell.code else "")
    plain = frame.map(lambda cell: f"{cell}*" if isinstance(cell, Cell) and cell.marked else str(cell))
    style = plain.style.hide(axis="index").format(escape="latex").format_index(escape="latex", axis=1)
    for css in (marks, code):
        style = style.apply(lambda _, css=css: css.where(css != "", None), axis=None)
    text = style.to_latex(
        hrules=True,
        column_format=shown.align,
        caption=_latex_text(shown.title) or None,
        label=label or None,
        position_float="centering",
    )
    return str(text).translate(LATEX)


def _latex_text(text: str) -> str:
    """Escaped as pandas escapes cells."""
    shown = pd.DataFrame([[text]]).style.hide(axis="index").hide(axis="columns").format(escape="latex").to_latex()
    return str(shown).split("\n")[1].removesuffix(r" \\")


def csv(tables: Sequence[Table], section: str = "table") -> str:
    """One flat table of all, with a first column that names each if there are several.

    A column of cells with `fields` becomes a column for each of these, in the order in which they occur.
    """
    return str(frame(tables, section).to_csv(index=False, lineterminator="\n"))


def frame(tables: Sequence[Table], section: str = "table") -> pd.DataFrame:
    """What `csv` writes."""
    parts = []
    for shown in tables:
        columns: dict[str, list[Any]] = {section: [shown.title] * len(shown.frame)} if len(tables) > 1 else {}
        for head in shown.frame.columns:
            cells = shown.frame[head].tolist()
            endings = dict.fromkeys(ending for cell in cells if isinstance(cell, Cell) for ending in cell.fields)
            for ending in endings or [None]:
                name = f"{head} {ending}" if ending else str(head)
                columns[name] = [_value(cell, ending) for cell in cells]
        parts.append(pd.DataFrame(columns, dtype=object))
    return pd.concat(parts, ignore_index=True)


def _value(cell: Any, ending: str | None) -> Any:
    if isinstance(cell, Cell) and cell.fields:
        return cell.fields.get(ending or "")
    # A text among numbers ("missing") stands in the column itself.
    return str(cell) if not ending else None


def html(text: str, title: str) -> str:
    """A page of its own, from the Markdown text of a report; HTML in that is shown as text."""
    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
    body = body.replace("<table>", '<div class="scroll"><table>').replace("</table>", "</table></div>")
    body = body.replace("<p><strong>Missing:", '<p class="missing"><strong>Missing:')
    return environment().get_template("page.html.j2").render(title=title, body=Markup(body))


def environment() -> Environment:
    """Templates of this package; HTML is escaped, Markdown cells have their pipes and angle brackets escaped."""
    result = Environment(
        loader=PackageLoader("csvr.reporting"), autoescape=lambda name: bool(name and name.endswith(".html.j2")),
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, undefined=StrictUndefined,
    )  # fmt: skip
    result.filters["cell"] = lambda text: _escaped(str(text))
    result.filters["markdown"] = markdown
    return result


def write(output: Path, text: str, tables: Sequence[Table], section: str = "table", long: str | None = None) -> None:
    """Write a report: `output` (.md), and beside it the same as .html, its tables as .tex and as .csv.

    Args:
        output: The Markdown file.
        text: Its whole text.
        tables: The tables in it.
        section: What titles of tables are, for the head of the CSV's first column.
        long: The CSV's text, where it is to say more than the tables.
    """
    title = text.splitlines()[0].lstrip("# ")
    write_text(output, text)
    write_text(output.with_suffix(".html"), html(text, title))
    labels = (
        [f"tab:{output.stem}"] if len(tables) == 1 else [f"tab:{output.stem}:{k}" for k in range(1, len(tables) + 1)]
    )
    parts = [latex(shown, label) for shown, label in zip(tables, labels, strict=True)]
    write_text(output.with_suffix(".tex"), f"% {title}: needs \\usepackage{{booktabs}}\n" + "\n".join(parts))
    write_text(output.with_suffix(".csv"), csv(tables, section) if long is None else long)
