"""Whatever a parameter is set to, the check says what is wrong with it or that nothing is; it never fails itself."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import yaml
from check_params import problems
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.workflow.repository import ROOT

PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())
value = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 200) | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


def places(params: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Paths of all values, those inside lists too."""
    if path:
        yield path
    inner = params.items() if isinstance(params, dict) else enumerate(params) if isinstance(params, list) else ()
    for key, found in inner:
        yield from places(found, (*path, key))


PLACES = list(places(PARAMS))


def changed(path: tuple[str | int, ...], new: Any) -> dict[str, Any]:
    params = copy.deepcopy(PARAMS)
    found = params
    for key in path[:-1]:
        found = found[key]
    found[path[-1]] = new
    return params


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(PLACES), value)
@example(("dataset",), {"\n": None})
@example(("ablations", "no_pose", "set", "sigma_p"), None)
def test_any_value_is_right_or_named(path: tuple[str | int, ...], new: Any) -> None:
    for line in problems(changed(path, new)):
        assert line.strip() and "\n" not in line


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([path for path in PLACES if path[0] not in ("dataset", "published")]), st.text(max_size=5))
def test_a_value_of_another_type_is_named_with_its_key(path: tuple[str | int, ...], new: str) -> None:
    """A text where a number, a list or a group is to be."""
    old = PARAMS
    for key in path:
        old = old[key]
    if isinstance(old, str) or old is None:
        return
    lines = problems(changed(path, [new, {}]))
    assert lines and any(line.startswith(str(path[0])) for line in lines), lines


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([path for path in PLACES if isinstance(path[-1], str)]))
def test_a_lost_key_is_right_or_named(path: tuple[str | int, ...]) -> None:
    params = copy.deepcopy(PARAMS)
    found = params
    for key in path[:-1]:
        found = found[key]
    del found[path[-1]]
    assert all(isinstance(line, str) for line in problems(params))
