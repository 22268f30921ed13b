"""The README's table is what docs/results/table_ablation.md says."""

from __future__ import annotations

import re

import pytest
from document_results import BEGIN, END, README, ROOT, SOURCE, filled, summary, tables

REPORT = (ROOT / SOURCE).read_text()


def test_the_committed_table_is_that_of_the_results() -> None:
    text = README.read_text()
    assert text == filled(text, REPORT), "run `make docs`"
    table = text.split(BEGIN)[1].split(END)[0]
    # Every number stands in the report, in the row of the variant that it is given for.
    rows = dict(re.findall(r"^\| ([a-zC][^|]*) \| (.*) \|$", table, flags=re.MULTILINE))
    assert rows.pop("variant").startswith("overall") and len(rows) == 7
    for variant, cells in rows.items():
        there = "\n".join(re.findall(rf"^\| {re.escape(variant)} \|.*$", REPORT, flags=re.MULTILINE))
        assert all(cell.removesuffix(r"\*") in there for cell in cells.split(" | "))


def test_asterisks_are_those_of_the_differences() -> None:
    (line,) = re.findall(r"^\| without context \|.*$", summary(REPORT), flags=re.MULTILINE)
    marked = [cell.strip().endswith("*") for cell in line.split("|")[2:-1]]
    found = tables(REPORT)
    expected = [
        "**" in found["Linear probe, 8 labels a class"]["without context"][f"Δ {group}"]
        for group in ("overall", "motion", "context", "both")
    ]
    assert marked == [*expected, "**" in found["Fine-tuned, 8 labels a class"]["without context"]["Δ overall"]]
    assert marked == [True, False, True, False, True]


def test_a_number_of_another_run_is_seen() -> None:
    text = README.read_text()
    changed = re.sub(r"^\| CSVR \(full\) \| [\d.]+", "| CSVR (full) | 99.9", REPORT, flags=re.MULTILINE)
    assert filled(text, changed) != text
    with pytest.raises(ValueError):
        filled(text.replace(BEGIN, ""), REPORT)
