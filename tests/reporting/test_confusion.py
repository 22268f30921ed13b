"""The confusion matrix against counts by hand, and what it is drawn of."""

from __future__ import annotations

import json
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest

from csvr.errors import UserError
from csvr.reporting.confusion import draw, matrices, order, panel, ticks
from csvr.reporting.results import Expectation, load
from tests.reporting.conftest import CLASSES, EACH


def predictions(variant, seed, cell):
    """Seed 0 is right throughout, seed 1 takes class 0 for 3, seed 2 half of class 0 for 1; others predict class 5."""
    classes = np.repeat(np.arange(6), EACH)
    if seed == 1:
        classes[:EACH] = 3
    if seed == 2:
        classes[: EACH // 2] = 1
    wrong = np.full_like(classes, 5)
    cell["predictions"] = {
        "linear_all": {"all": (classes if variant == "full" else wrong).tolist(), "f_s": wrong.tolist()}
    }


def test_seeds_are_counted_together_and_rows_are_shares(make, expect) -> None:
    results = load(make(predictions), Expectation.of(expect))
    found = matrices(results)
    assert list(found) == ["linear_all"]
    shares, seeds = found["linear_all"]
    assert seeds == 3
    np.testing.assert_allclose(shares[0], [0.5, 1 / 6, 0, 1 / 3, 0, 0])
    np.testing.assert_allclose(shares[1:], np.eye(6)[1:])


def test_classes_stand_by_group(make, expect) -> None:
    groups = {"context": [CLASSES[3]], "motion": [CLASSES[1]]}
    assert order(load(make(), Expectation.of(expect | {"groups": groups}))) == [3, 1, 0, 2, 4, 5]


def test_figure_in_both_formats(make, expect, call, tmp_path) -> None:
    png, svg = tmp_path / "f" / "confusion.png", tmp_path / "f" / "confusion.svg"
    call("confusion", "--metrics", *make(predictions), "--expect", json.dumps(expect), "--output", png, svg)
    assert png.read_bytes()[:4] == b"\x89PNG" and "<svg" in svg.read_text()


def test_many_classes_have_names_in_the_figure_and_no_numbers() -> None:
    figure, axis = plt.subplots()
    panel(axis, np.full((101, 101), 50.0))
    assert not axis.texts
    classes = [f"class {k}" for k in range(101)]
    expected = SimpleNamespace(groups={"motion": classes[:40], "context": classes[40:]})
    ticks(axis, SimpleNamespace(classes=classes, expected=expected), list(range(101)))
    assert [label.get_text() for label in axis.get_yticklabels()] == classes
    assert {label.get_rotation() for label in axis.get_xticklabels()} == {90.0}
    # A line between the groups, and none elsewhere.
    assert [line.get_ydata()[0] for line in axis.lines if line.get_xdata() == [0, 1]] == [39.5]
    plt.close(figure)


def test_without_predictions_there_is_no_figure(make, expect, tmp_path) -> None:
    results = load(make(lambda _v, _s, cell: cell.update(predictions={})), Expectation.of(expect))
    with pytest.raises(UserError, match="'full' have predictions of linear_all or finetune"):
        draw(results, tmp_path / "confusion.png")
