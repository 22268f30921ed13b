"""Published numbers beside which ours may be read: files of params/published/, every number with its source."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

import pandas as pd

from csvr.errors import UserError

COLUMNS: Final = (
    "method", "year", "pretraining", "backbone", "input", "modality", "dataset", "metric", "value",
    "source", "where", "note",
)  # fmt: skip
SOURCES: Final = {
    "M": "MVCGC paper", "V": "VideoMAE paper", "C": "CMD's model card", "R": "README of the method's own repository",
    "L": "XinyuSun's list", "I": "IIC's README", "W": "wizwand.com", "A": "the method's abstract", "-": "none",
}  # fmt: skip
"""Short names in the column `source`; several are separated by commas."""
WITHOUT_NUMBER: Final = ("not available", "left out")
"""What `value` may be instead of a number; the note then says why."""
METRICS: Final = ("top1", "R@1", "R@5", "R@10", "R@20", "R@50")
DATASETS: Final = {"ucf101": "UCF101", "hmdb51": "HMDB51", "ssv2": "SSv2"}
"""How the files call the data sets of params/dataset/."""
PRETRAINING: Final = DATASETS | {"kinetics400": "K400"}


def read(path: Path) -> pd.DataFrame:
    """The rows of one file, all of which are as they must be.

    Returns:
        Columns `COLUMNS`, all texts, and `number`: the value in %, NaN where there is none.

    Raises:
        UserError: Unreadable, with other columns, or with wrong rows, all of which are named with their lines. A number
            without a source is refused.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: no readable table ({error})") from error
    if list(table.columns) != list(COLUMNS):
        raise UserError(f"{path}: has columns {list(table.columns)}, expected {list(COLUMNS)}")
    # The first line is the head.
    wrong = [f"line {line}: {said}" for line, row in enumerate(table.to_dict("records"), 2) for said in problems(row)]
    twice = table[table.duplicated(list(COLUMNS[:9]))].index
    wrong += [f"line {line + 2}: the same row as one before" for line in twice]
    if wrong:
        raise UserError(f"{path}: " + "; ".join(wrong))
    return table.assign(number=pd.to_numeric(table["value"], errors="coerce"))


def problems(row: dict[str, str]) -> list[str]:
    """What is wrong with one row."""
    found = [f"{key} is empty" for key in COLUMNS[:-1] if key != "year" and not row[key].strip()]
    if row["year"] and not (row["year"].isdigit() and 1990 <= int(row["year"]) <= 2100):
        found.append(f"year {row['year']!r} is no year")
    unknown = [name for name in row["source"].split(",") if row["source"] and name.strip() not in SOURCES]
    if unknown:
        found.append(f"source {unknown[0].strip()!r} is none of {', '.join(SOURCES)}")
    if row["metric"] not in METRICS:
        found.append(f"metric {row['metric']!r} is none of {', '.join(METRICS)}")
    if row["dataset"] not in DATASETS.values():
        found.append(f"dataset {row['dataset']!r} is none of {', '.join(DATASETS.values())}")
    if row["value"] in WITHOUT_NUMBER:
        if not (row["note"] or row["source"] == "-"):
            found.append(f"value {row['value']!r} needs a note")
    elif not _is_percentage(row["value"]):
        found.append(f"value {row['value']!r} is neither a number from 0 to 100 nor {' nor '.join(WITHOUT_NUMBER)}")
    elif row["source"].strip() == "-":
        found.append("a number without a source")
    return found


def _is_percentage(text: str) -> bool:
    try:
        return math.isfinite(float(text)) and 0 <= float(text) <= 100
    except ValueError:
        return False


def apart(table: pd.DataFrame, dataset: str, pretraining: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows on one data set: those of methods pretrained on the same data, and all others.

    Args:
        table: Of `read`.
        dataset: What is tested on, as params/dataset/ names it.
        pretraining: What ours were pretrained on, likewise.
    """
    rows = table[table.dataset == DATASETS.get(dataset, "")]
    same = rows.pretraining == PRETRAINING.get(pretraining, "")
    return rows[same], rows[~same]
