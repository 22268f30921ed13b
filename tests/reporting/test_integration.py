"""The table of integration layers, on synthetic metrics."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from csvr.errors import UserError
from csvr.integration.layer import IntegrationLayer
from csvr.reporting.integration import DEFAULT_MODE

MODES = {"full": "adain_mask", "no_context": "concat", "no_generation": "add"}
"""Variants of the synthetic table that stand for forms of the layer."""
Table = Callable[..., str]


@pytest.fixture
def table(make: Callable[..., list[Path]], call: Callable[..., None], expect: dict[str, Any], tmp_path: Path) -> Table:
    """The text of the table; `change(variant, seed, cell)` may edit a cell, or return False to leave it out."""

    def run(change: Callable[[str, int, dict[str, Any]], Any] = lambda *_: None) -> str:
        about = {name: expect["variants"][name] for name in MODES}
        for name, found in MODES.items():
            about[name]["params"]["model"]["integration"] = {"mode": found}

        def edit(variant: str, seed: int, cell: dict[str, Any]) -> Any:
            if variant not in MODES:
                return False
            cell["params"]["model"]["integration"] = {"mode": MODES[variant]}
            return change(variant, seed, cell)

        wanted = json.dumps(expect | {"variants": about, "order": list(MODES)})
        output = tmp_path / "table_integration.md"
        call("integration", "--metrics", *make(edit), "--expect", wanted, "--output", output)
        return output.read_text()

    return run


def lines(text: str, heading: str) -> list[list[str]]:
    """Cells of the rows below a heading, without the two of the head."""
    part = text.split(f"## {heading}")[1].split("\n##")[0]
    return [[cell.strip() for cell in line.split(" | ")] for line in part.splitlines() if line.startswith("| ")][1:]


def test_a_row_for_every_layer_and_readout(table: Table, tmp_path: Path) -> None:
    text = table()
    found = lines(text, "Linear probe, 8 labels a class")
    assert [row[:3] for row in found] == [
        [f"| title of {name}", f"`{mode}`", readout]
        for readout in ("f_i", "all (concatenation)")
        for name, mode in MODES.items()
    ]
    scores = {
        name: [json.loads(path.read_text())["scores"]["linear_few"]["f_i"] for path in sorted(tmp_path.rglob(pattern))]
        for name, pattern in (("full", "full/*/*/metrics.json"), ("other", "no_context/*/*/metrics.json"))
    }
    means = [100 * np.mean(values) for values in scores["other"]]
    assert found[1][3] == f"{np.mean(means):.1f} ± {np.std(means, ddof=1):.1f} (3)"
    difference = 100 * (np.mean(scores["other"]) - np.mean(scores["full"]))
    assert found[1][7].strip("*").startswith(f"{difference:+.1f} [".replace("-", "−"))
    assert found[0][7] == "–"
    # Fine-tuning has no read-outs.
    assert [row[2] for row in lines(text, "Fine-tuned, 8 labels a class")] == ["all (concatenation)"] * 3
    assert "0 → 100" in text and "abc123" in text and "missing" not in text.lower()


def test_differences_are_of_the_same_readout(table: Table) -> None:
    """f_i of the alternative is perfect and nothing else of it: only rows of f_i show it."""

    def edit(variant: str, seed: int, cell: dict[str, Any]) -> None:
        for protocol in cell["scores"].values():
            for readout, values in protocol.items():
                right = readout == "f_i" and variant == "no_generation"
                protocol[readout] = [float(right)] * len(values)

    found = lines(table(edit), "Linear probe, all labels")
    shown = {(row[1], row[2]): row[7] for row in found}
    assert shown["`add`", "f_i"] == "**+100.0 [+100.0, +100.0]\\***"
    assert shown["`add`", "all (concatenation)"] == shown["`concat`", "f_i"] == "+0.0 [+0.0, +0.0]"


def test_missing_cells_are_shown(table: Table) -> None:
    text = table(lambda variant, seed, _: variant != "no_context" and (variant, seed) != ("no_generation", 1))
    assert "**Missing: no_context seed 0, no_context seed 1, no_context seed 2, no_generation seed 1.**" in text
    found = {(row[1], row[2]): row[3] for row in lines(text, "Linear probe, 8 labels a class")}
    assert found["`concat`", "f_i"] == "missing"
    assert found["`add`", "f_i"].endswith("(2, 1 missing)")


def test_another_mode_is_refused(table: Table) -> None:
    def edit(variant: str, seed: int, cell: dict[str, Any]) -> None:
        if variant == "no_generation":
            cell["params"]["model"]["integration"]["mode"] = "mask"

    with pytest.raises(UserError, match="mode = 'mask', expected 'add'; run .* --forcerun pretrain"):
        table(edit)


def test_default_mode_is_that_of_the_layer() -> None:
    assert inspect.signature(IntegrationLayer).parameters["mode"].default == DEFAULT_MODE
