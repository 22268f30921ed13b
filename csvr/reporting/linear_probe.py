"""Accuracy of linear probes by the amount of labels, with published numbers beside."""

from __future__ import annotations

from pathlib import Path

from csvr.reporting import page, published
from csvr.reporting.beside import NONE, SETTING, our_table, published_tables, sources_text
from csvr.reporting.protocols import labels_text, percents
from csvr.reporting.results import Results


def columns(results: Results) -> dict[str, str]:
    """Heads by protocol: all labels, few, shares of them; and all labels without poses at test time."""
    found = {"linear_all": "all labels"}
    few = results.expected.evaluation("probe", "few")
    found |= {"linear_few": labels_text(few)} if few is not None else {}
    labelled = next(iter(results.cells.values()))["labelled"]
    for share in percents(results.expected, "probe"):
        found[f"linear_{share}"] = f"{share.removesuffix('pct')} % ({labelled[share]} videos)"
    if any("linear_all_no_pose" in v.every_protocol() for v in results.expected.variants.values()):
        found["linear_all_no_pose"] = "all labels, no pose at test time"
    return found


def write(results: Results, output: Path, published_rows: Path) -> None:
    """Write the table in all formats.

    Args:
        results: All cells.
        output: The Markdown file.
        published_rows: params/published/linear.csv.

    Raises:
        UserError: As `published.read`.
    """
    heads, rows = columns(results), published.read(published_rows)
    draws = results.expected.evaluation("probe", "draws")
    ours = our_table(results, heads)
    beside = published_tables(results, rows, {"top1": "top-1"})
    about = [
        f"Top-1 accuracy in % on {results.tested()} of logistic regression on frozen features (all of "
        "a variant, concatenated): mean ± standard deviation over pretraining seeds (n seeds). "
        f"Chance is {100 / len(results.classes):.1f}. "
        f"With less than all labels it is the mean over {draws} draws of labelled videos, the same for all variants. "
        "Shares are of each class's videos, at least one of each class; the head says how many videos that is.",
        "“No pose at test time”: the same classifier, asked of test videos in which nobody was found. "
        "`reports/table_features.md` has that for each feature.",
    ]
    about.append(f"{SETTING} Sources: {sources_text(rows)}." if beside else NONE)
    page.write(results, output, "Linear probe", about, [ours, *beside])
