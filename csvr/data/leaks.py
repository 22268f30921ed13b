"""No video is tested on that something was trained on."""

from __future__ import annotations

import pandas as pd

from csvr.errors import UserError

SHOWN = 10


def require_apart(trained: pd.DataFrame, tested: pd.DataFrame, names: bool = True) -> None:
    """Refuse lists with a video in both, by name or by content: accuracy would be that of what is known by heart.

    Args:
        trained, tested: Rows of one or of two indexes (`csvr.data.index.read`), with columns video, path, sha256.
        names: Whether equal names mean one video, as in one data set.

    Raises:
        UserError: Names the files of every such pair (the first ten), and what to do.
    """
    lines: list[str] = []
    for key, said in (("video", "the same name"), ("sha256", "the same content"))[0 if names else 1 :]:
        known = trained[trained[key] != ""].drop_duplicates(key).set_index(key)["path"]
        for value, path in zip(tested[key], tested["path"], strict=True):
            if value in known.index and not any(line.startswith(f"{path} ") for line in lines):
                lines.append(f"{path} (test) is {known[value]} (training): {said}")
    if lines:
        more = f"\n  … and {len(lines) - SHOWN} more" if len(lines) > SHOWN else ""
        raise UserError(
            f"{len(lines)} test videos are training videos too; take them out of one of the lists:\n  "
            + "\n  ".join(lines[:SHOWN])
            + more
        )


def require_split(table: pd.DataFrame) -> None:
    """`require_apart` for the two splits of one index."""
    require_apart(table[table.split == "train"], table[table.split == "test"])
