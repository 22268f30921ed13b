"""Action recognition after fine-tuning, with published numbers beside."""

from __future__ import annotations

from pathlib import Path

from csvr.reporting import page, published
from csvr.reporting.beside import NONE, SETTING, our_table, published_tables, sources_text
from csvr.reporting.protocols import labels_text, percents
from csvr.reporting.results import Results


def write(results: Results, output: Path, published_rows: Path) -> None:
    """Write the table in all formats.

    Args:
        results: All cells.
        output: The Markdown file.
        published_rows: params/published/finetune.csv, or ssv2.csv.

    Raises:
        UserError: As `published.read`.
    """
    rows = published.read(published_rows)
    per_class, clips = results.expected.evaluation("finetune", "per_class"), _clips(results)
    heads = {"finetune": f"top-1, {labels_text(per_class)}"}
    labelled = next(iter(results.cells.values()))["labelled"]
    for share in percents(results.expected, "finetune"):
        heads[f"finetune_{share}"] = f"top-1, {share.removesuffix('pct')} % ({labelled[share]} videos)"
    ours = our_table(results, heads)
    beside = published_tables(results, rows, {"top1": "top-1"})
    about = [
        f"Encoders and a linear classifier, trained end to end with {labels_text(per_class)}; soft-max averaged over "
        f"{clips} uniform clip{'s' * (clips != 1)} of each of {results.tested()}; last epoch, nothing "
        "chosen on test videos. Mean ± standard deviation over pretraining seeds (n seeds), which draw the labelled "
        f"videos too. Chance is {100 / len(results.classes):.1f}.",
        f"{SETTING} Sources: {sources_text(rows)}." if beside else NONE,
    ]
    if beside and per_class is not None:
        about.append(
            "**Ours are not comparable with the published rows**: they are fine-tuned with "
            f"{labels_text(per_class)}, those with all labels (`evaluate.finetune.per_class: null`)."
        )
    page.write(results, output, "Action recognition", about, [ours, *beside])


def _clips(results: Results) -> int:
    return int(next(iter(results.expected.variants.values())).params["evaluate"]["clips"])
