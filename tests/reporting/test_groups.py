"""Groups of classes: spelling of the copy, order, and what results do with them."""

from __future__ import annotations

import pytest

from csvr.errors import UserError
from csvr.reporting.groups import group_of, ordered, spelled
from csvr.reporting.results import Expectation, load
from tests.reporting.conftest import CLASSES

GROUPS = {"motion": ["HandstandPushups", "Lunges"], "both": ["Gone"]}


def test_names_are_those_of_the_copy() -> None:
    found = spelled(GROUPS, ["Lunges", "HandStandPushups", "Other"])
    assert found == {"motion": ["HandStandPushups", "Lunges"], "both": ["Gone"]}
    assert group_of(found)["HandStandPushups"] == "motion"


def test_order_is_by_group_and_leaves_out_what_the_data_set_has_not() -> None:
    assert ordered(GROUPS, ["Other", "Lunges", "HandstandPushups"]) == ["HandstandPushups", "Lunges", "Other"]
    assert ordered({}, ["b", "a"]) == ["b", "a"]


def test_results_take_either_spelling_and_refuse_a_class_that_is_not_there(make, expect) -> None:
    paths = make()
    results = load(paths, Expectation.of(expect | {"groups": {"motion": [name.upper() for name in CLASSES[:2]]}}))
    assert results.expected.groups == {"motion": CLASSES[:2]} and results.masks()["motion"].sum() == 40
    with pytest.raises(UserError, match=r"groups\.motion: .* has no class 'Gone'"):
        load(paths, Expectation.of(expect | {"groups": {"motion": ["Gone"]}}))
