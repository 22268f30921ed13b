"""What each feature of variant full is worth: f_s, f_d, f_i, their concatenation, and the control for f_i."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from csvr.reporting import page
from csvr.reporting.cells import ABSENT, accuracy_cells
from csvr.reporting.claims import FULL
from csvr.reporting.formats import Cell, Table, table
from csvr.reporting.protocols import protocol_names, readout_name
from csvr.reporting.results import OVERALL, Results

ORDER: Final = ("f_s", "f_d", "f_i", "f_i_untrained", "all")
PROTOCOLS: Final = ("linear_few", "linear_all", "retrieval")


def write(results: Results, output: Path) -> None:
    """Write the table in all formats: a section for all test videos and one for each group of classes."""
    masks = results.masks()
    variant = results.expected.variants[FULL]
    about = [
        f"Top-1 accuracy and R@1 in % of variant {FULL} on {results.tested()}, by the feature that is "
        "read: f_s of the clip, f_d of the poses, f_i of both. Mean ± standard deviation over pretraining seeds (n "
        f"seeds). Chance is {100 / len(results.classes):.1f}.",
        "The control has a fresh integration layer on the same trained encoders: what f_i has beyond it is owed to the "
        "training of that layer, and not to what goes into it.",
    ]
    shown: list[Table | tuple[Table, str]] = [
        feature_table(results, f"{name} ({int(mask.sum())} videos)", place, "")
        for place, (name, mask) in enumerate(masks.items())
        if mask.any()
    ]
    if any(name.endswith("_no_pose") for name in variant.every_protocol()):
        note = (
            "The same classifiers and the same gallery, but in no test video anybody was found: all keypoints are "
            "missing, so that f_d is the same for all of them. Trained on videos with poses, the classifiers take "
            "that for a pose; f_s alone, which needs none, is what can be read there."
        )
        shown.append((feature_table(results, f"Without poses at test time, {OVERALL}", 0, "_no_pose"), note))
    page.write(results, output, "Features", about, shown)


def feature_table(results: Results, title: str, place: int, ending: str) -> Table:
    """A row a feature.

    Args:
        results: All cells.
        title: Of the table.
        place: Which of the columns "overall" and the groups, from 0.
        ending: Of the protocols' names.
    """
    names = {key: name for key, name in protocol_names(results).items() if key in PROTOCOLS}
    known = results.expected.variants[FULL].every_protocol()
    rows = []
    for readout in ORDER:
        # What poses have no part in is as before.
        ends = dict.fromkeys(names, "" if readout == "f_s" else ending)
        cells = [
            accuracy_cells(results, FULL, f"{name}{ends[name]}", readout)[place]
            if f"{name}{ends[name]}" in known
            else Cell(ABSENT)
            for name in names
        ]
        if readout == "all" or any(results.scores(FULL, f"{name}{ends[name]}", readout) for name in names):
            rows.append([readout_name(readout), *cells])
    return table(title, ["feature", *names.values()], rows)
