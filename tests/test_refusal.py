"""What is refused, and how the message says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from csvr.errors import UserError
from csvr.refusal import differences, require


def test_differences_are_deep_and_dotted() -> None:
    assert differences({"a": {"b": 1, "c": [1, 2]}}, {"a": {"b": 1.0, "c": [1, 3]}, "d": None}) == [
        ("a.c", [1, 2], [1, 3]),
        ("d", "(absent)", None),
    ]


def test_the_message_names_three_keys_with_both_values_and_the_command() -> None:
    require(Path("x.json"), {"a": 1}, {"a": 1}, "make x")
    with pytest.raises(UserError) as error:
        require(Path("x.json"), {"a": 1, "b": 2, "c": 3, "d": 4}, {"a": 0, "b": 0, "c": 0, "d": 0}, "make x")
    assert str(error.value) == (
        "x.json: made with a = 1, expected 0; b = 2, expected 0; c = 3, expected 0 (and 1 more); run make x"
    )
