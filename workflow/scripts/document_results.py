"""Write the results table of the README: python workflow/scripts/document_results.py [--check]

It is made from docs/results/table_ablation.md, the table of a fresh clone: what that says of one protocol, each mean
over seeds as it is there, with the commit that it was made at.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from compose_params import ROOT

SOURCE = "docs/results/table_ablation.md"
README = ROOT / "README.md"
BEGIN, END = "<!-- Written by `make docs` -->\n", "<!-- end -->\n"
PROBE, TUNED = "Linear probe, 8 labels a class", "Fine-tuned, 8 labels a class"
GROUPS = ("overall", "motion", "context", "both")


def tables(report: str) -> dict[str, dict[str, dict[str, str]]]:
    """The tables below the headings of a report: heading → first cell of a row → heading of a column → cell."""
    found: dict[str, dict[str, dict[str, str]]] = {}
    for heading, body in re.findall(r"^## (.*)\n\n(\|(?:.*\n)+?)(?:\n|\Z)", report, flags=re.MULTILINE):
        names, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in body.splitlines()]
        found[heading] = {row[0]: dict(zip(names, row, strict=True)) for row in rows}
    return found


def summary(report: str) -> str:
    """The table of the README.

    Args:
        report: Content of an ablation table.
    """
    found = tables(report)
    (videos,) = re.findall(r"^Top-1 accuracy in % on (\d+) test videos", report, flags=re.MULTILINE)
    (chance,) = re.findall(r"^Chance is ([\d.]+)", report, flags=re.MULTILINE)
    ((commit, state),) = re.findall(r"^- git commit: (\w+)(.*)", report, flags=re.MULTILINE)
    lines = [
        f"Top-1 accuracy in % on {videos} test videos: of a linear probe with 8 labels a class, and fine-tuned with as",
        "many. Mean ± standard deviation over pretraining seeds (n). An asterisk: differs from full, significant at 5",
        f"% after correction for all comparisons. Chance is {chance}. From commit {commit[:7]}{state};",
        f"[where the numbers come from]({SOURCE}#where-the-numbers-come-from) has the run behind each.",
        "",
        f"| variant | {' | '.join(GROUPS)} | fine-tuned |",
        f"|:--|{'--:|' * (len(GROUPS) + 1)}",
    ]
    for variant, row in found[PROBE].items():
        cells = [_cell(row, group) for group in GROUPS] + [_cell(found[TUNED][variant], "overall")]
        lines.append(f"| {variant} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(row: dict[str, str], group: str) -> str:
    return row[group] + r"\*" * row[f"Δ {group}"].startswith("**")


def filled(readme: str, report: str) -> str:
    """The README with the table in its place."""
    before, rest = readme.split(BEGIN)
    return before + BEGIN + summary(report) + END + rest.split(END)[1]


def main() -> None:
    """Parse flags; write or compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the README says something else")
    args = parser.parse_args()
    text = README.read_text()
    wanted = filled(text, Path(ROOT, SOURCE).read_text())
    if args.check:
        if text != wanted:
            sys.exit(f"{README}: its table is not what {SOURCE} says; run `make docs`")
        return
    README.write_text(wanted)


if __name__ == "__main__":
    main()
