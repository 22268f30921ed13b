"""What is made ahead in a thread is what would be made without one."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from csvr.data.ahead import ahead
from csvr.errors import UserError


def test_the_next_item_is_made_while_the_caller_works() -> None:
    made = [threading.Event() for _ in range(4)]

    def items() -> Iterator[int]:
        for k, event in enumerate(made):
            event.set()
            yield k

    for expected, item in enumerate(ahead(items())):
        assert item == expected
        # Unless it is made by another thread, this one waits in vain.
        assert made[min(item + 1, 3)].wait(timeout=60)
    assert expected == 3 and list(ahead([])) == [] and list(ahead([None, 0])) == [None, 0]


def test_an_error_comes_after_what_was_made_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise UserError("a.avi: broken")

    seen = []
    with pytest.raises(UserError, match="broken"):
        for item in ahead(items()):
            seen.append(item)
    assert seen == [1]


def test_who_stops_early_leaves_no_thread() -> None:
    before = threading.active_count()
    found = ahead(iter(range(10**6)))
    assert next(found) == 0
    found.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before
