"""The readers on a few mutated inputs; `make fuzz` reads many."""

import random
from pathlib import Path

import pytest

from csvr.errors import UserError
from tests.faults import fuzz


@pytest.mark.parametrize(("kind", "count"), [("lists", 1500), ("videos", 150)])
def test_readers_read_or_refuse(kind: str, count: int) -> None:
    found = fuzz.fuzz(kind, count, first=10_000_000)
    assert found["bad"] == {}
    assert found["outcomes"].keys() == {"read", "refused"}  # else the mutations are too weak or too strong


@pytest.mark.parametrize("number", [681, 3096])
def test_what_was_found_once_is_refused(number: int, tmp_path: Path) -> None:
    """A title that is not UTF-8 before damage; colours that nothing converts."""
    (tmp_path / "x").mkdir()
    with pytest.raises(UserError, match="unreadable"):
        fuzz.read_video(number, fuzz.seeds(tmp_path), tmp_path / "x")


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
