"""Nearest-neighbour retrieval at several depths, with published numbers beside."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from csvr.reporting import page, published
from csvr.reporting.beside import NONE, SETTING, published_tables, sources_text
from csvr.reporting.cells import ABSENT, spread_cell
from csvr.reporting.claims import FULL
from csvr.reporting.formats import Cell, Table, table
from csvr.reporting.protocols import readout_name
from csvr.reporting.results import READOUTS, Results

DEPTHS: Final = (1, 5, 10, 20, 50)


def recall_cells(results: Results, variant: str, protocol: str = "retrieval", readout: str = "all") -> list[Cell]:
    """R@k in % for each of `DEPTHS`; dashes if the variant is not evaluated so."""
    if protocol not in results.expected.variants[variant].every_protocol():
        return [Cell(ABSENT)] * len(DEPTHS)
    wanted = len(results.expected.seeds)
    return [spread_cell(list(results.recall(variant, protocol, k, readout).values()), wanted) for k in DEPTHS]


def write(results: Results, output: Path, published_rows: Path) -> None:
    """Write the table in all formats; arguments and errors as for `csvr.reporting.linear_probe.write`."""
    rows, heads = published.read(published_rows), [f"R@{k}" for k in DEPTHS]
    variants = results.expected.variants
    shown: list[Table | tuple[Table, str]] = [
        table("All features", ["variant", *heads], [[v.title, *recall_cells(results, n)] for n, v in variants.items()]),
        table(
            "f_s alone",
            ["variant", *heads],
            [[v.title, *recall_cells(results, name, readout="f_s")] for name, v in variants.items()],
        ),
        table(
            f"By feature, variant {FULL}",
            ["feature", *heads],
            [
                [readout_name(readout), *recall_cells(results, FULL, readout=readout)]
                for readout in READOUTS
                if readout == "all" or results.recall(FULL, "retrieval", 1, readout)
            ],
        ),
    ]
    beside = published_tables(results, rows, {head: head for head in heads})
    about = [
        f"Each of {results.tested()} asks the training videos; R@k is the share of them of which one "
        "of the k nearest has the right class, in %. Features are means over a video's clips, centred by the mean of "
        "the training videos, and compared by their cosine. Mean ± standard deviation over pretraining seeds (n "
        f"seeds). Chance of R@1 is about {100 / len(results.classes):.1f}.",
        f"{SETTING} Published methods read features of RGB alone, as “f_s alone” does. Sources: {sources_text(rows)}."
        if beside
        else NONE,
    ]
    page.write(results, output, "Nearest-neighbour retrieval", about, [*shown, *beside])
