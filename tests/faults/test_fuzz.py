"""The readers on a few mutated inputs; `make fuzz` reads many."""

import random

import pytest

from tests.faults import fuzz


@pytest.mark.parametrize(("kind", "count"), [("lists", 1500), ("videos", 150)])
def test_readers_read_or_refuse(kind: str, count: int) -> None:
    found = fuzz.fuzz(kind, count, first=10_000_000)
    assert found["bad"] == {}
    assert found["outcomes"].keys() == {"read", "refused"}  # else the mutations are too weak or too strong


def test_inputs_can_be_made_again() -> None:
    one, two = (fuzz.mutated(b"1 Run\n2 Sit\n", random.Random("5")) for _ in range(2))
    assert one == two
    assert len({fuzz.mutated(b"1 Run\n2 Sit\n", random.Random(str(k))) for k in range(50)}) > 40


def test_crashes_and_other_errors_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(number: int, folder: object) -> None:
        if number == 3:
            raise KeyError("x")
        if number == 5:
            import os

            os.abort()

    monkeypatch.setattr(fuzz, "read_list", broken)
    found = fuzz.fuzz("lists", 8)
    assert found["bad"] == {3: "KeyError: 'x'", 5: "crash, exit code -6"} and found["outcomes"] == {
        "read": 6,
        "wrong": 1,
    }
