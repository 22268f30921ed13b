"""The same table in four formats."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pandas as pd
import pytest

from csvr.reporting import formats
from csvr.reporting.formats import Cell, table

NASTY = "50 % of a_b & {c} #1 $x$ ~ ^ \\ | <b>"
SHOWN = table(
    "Top-1 of A & B",
    ["variant", "a_1 ±", "Δ"],
    [
        [NASTY, Cell("40.5 ± 2.1 (5)", {"": 40.5, "std": 2.1, "n": 5}), "–"],
        ["other", "missing", Cell("−1.0 [−2.0, −0.5]", {"": -1.0, "low": -2.0, "p": 0.01}, marked=True)],
        [Cell("mask", code=True), Cell("1.0 (1)", {"": 1.0, "std": None, "n": 1}), Cell("+0.1")],
    ],
)


def test_markdown() -> None:
    lines = formats.markdown(SHOWN).splitlines()
    assert lines[:2] == ["| variant | a_1 ± | Δ |", "|:--|--:|--:|"]
    assert lines[2].startswith("| 50 % of a_b & {c} #1 $x$ ~ ^ \\ \\| &lt;b> | 40.5 ± 2.1 (5) |")
    assert lines[3] == "| other | missing | **−1.0 [−2.0, −0.5]\\*** |"
    assert lines[4] == "| `mask` | 1.0 (1) | +0.1 |"


def test_csv_has_the_numbers_behind_the_texts() -> None:
    found = pd.read_csv(io.StringIO(formats.csv([SHOWN])))
    assert list(found) == ["variant", "a_1 ±", "a_1 ± std", "a_1 ± n", "Δ", "Δ low", "Δ p"]
    assert found["a_1 ±"].tolist() == ["40.5", "missing", "1.0"] and found["a_1 ± n"].tolist()[0] == 5
    assert found["Δ p"].dropna().tolist() == [0.01] and found.variant[0] == NASTY
    several = pd.read_csv(io.StringIO(formats.csv([SHOWN, table("Two", ["variant"], [["x"]])], "protocol")))
    assert several.protocol.tolist() == ["Top-1 of A & B"] * 3 + ["Two"]


def without_commands(text: str) -> str:
    """What is left of a table when escaped characters and known commands are taken out."""
    text = re.sub(r"\\(begin|end)\{\w+\}(\{[lr]+\})?", "", text)
    text = re.sub(
        r"\\(centering|toprule|midrule|bottomrule|caption|label|textbf|texttt|ensuremath|Delta|pm)\b", "", text
    )
    text = re.sub(r"\\text(backslash|asciitilde|asciicircum)( |\b)", "", text)
    return re.sub(r"\\space\b|\\[%&_#$\{\}~^ ]|\\\\", "", text)


def test_latex_is_balanced_and_escaped() -> None:
    text = formats.latex(SHOWN, "tab:x")
    assert all(f"\\{rule}" in text for rule in ("toprule", "midrule", "bottomrule"))
    assert text.count("\\begin{table}") == text.count("\\end{table}") == text.count("\\end{tabular}") == 1
    assert "\\begin{tabular}{lrr}" in text and "\\caption{Top-1 of A \\& B}" in text and "\\label{tab:x}" in text
    assert "\\textbf{\\ensuremath{-}1.0 [\\ensuremath{-}2.0, \\ensuremath{-}0.5]*}" in text and "\\texttt{mask}" in text
    assert text.isascii()
    plain = re.sub(r"\\[{}]", "", text)
    assert plain.count("{") == plain.count("}")
    # Every row has as many cells as there are columns.
    rows = [line for line in text.splitlines() if line.endswith("\\\\")]
    assert len(rows) == 4 and all(len(re.findall(r"(?<!\\)&", row)) == 2 for row in rows)
    rest = without_commands(text)
    assert not set("%#$_^~\\") & set(rest), rest


def test_html_shows_markup_as_text() -> None:
    page = formats.html(f"# T & <i>x</i>\n\n**Missing: a.**\n\n{formats.markdown(SHOWN)}\n", "T & <i>")
    assert "<b>" not in page and "&lt;b&gt;" in page and "<i>" not in page
    assert "<title>T &amp; &lt;i&gt;</title>" in page and '<p class="missing">' in page
    assert "<strong>−1.0 [−2.0, −0.5]*</strong>" in page and "<code>mask</code>" in page
    assert page.count("<table>") == page.count("</table>") == 1 and page.count("<tr>") == 4


def test_all_files_are_written(tmp_path: Path) -> None:
    output = tmp_path / "reports" / "table_x.md"
    formats.write(output, f"# Title\n\n{formats.markdown(SHOWN)}\n", [SHOWN, SHOWN], "protocol")
    assert {path.suffix for path in output.parent.iterdir()} == set(formats.SUFFIXES)
    tex = output.with_suffix(".tex").read_text()
    assert "\\label{tab:table_x:1}" in tex and "\\label{tab:table_x:2}" in tex and "booktabs" in tex
    assert output.with_suffix(".csv").read_text().startswith("protocol,variant,")
    formats.write(output, "# Title\n", [SHOWN], long="a,b\n1,2\n")
    assert output.with_suffix(".csv").read_text() == "a,b\n1,2\n"


@pytest.mark.parametrize("text", ["±−×→≤–", "σ_p", "R@1 ↑", "“quoted”", "ρ = 4 · 2 …", "f†"])
def test_characters_that_fonts_may_lack_become_commands(text: str) -> None:
    assert formats.latex(table(text, [text], [[text]])).isascii()
