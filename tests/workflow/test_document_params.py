"""docs/parameters.md is what the schema and params.yaml say, and leaves nothing out."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

import pytest
import yaml
from document_params import ABSENT, OUTPUT, PARAMS, SCHEMA, Parameter, allowed, page, parameters

SCHEMA_TEXT, PARAMS_TEXT = SCHEMA.read_text(), PARAMS.read_text()


@pytest.fixture
def schema() -> dict[str, Any]:
    return dict(yaml.safe_load(SCHEMA_TEXT))


@pytest.fixture
def params() -> dict[str, Any]:
    return dict(yaml.safe_load(PARAMS_TEXT))


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted names and values of all that is no mapping; what may have any keys is a value."""
    if isinstance(value, dict) and not name.endswith((".groups", ".set")):
        for key, each in value.items():
            yield from leaves(each, f"{name}.{key}" if name else key)
    else:
        yield name, value


def test_committed_file_is_what_the_script_writes(schema: dict[str, Any], params: dict[str, Any]) -> None:
    assert OUTPUT.read_text() == page(schema, params), "run `make docs`"


def test_every_parameter_is_documented_with_its_value(schema: dict[str, Any], params: dict[str, Any]) -> None:
    found = parameters(schema, params)
    for name, value in leaves(params):
        rows = [row for row in found if fnmatchcase(name, row.name)]
        assert rows, name
        assert any(row.default == value for row in rows if row.default is not ABSENT) or name.startswith("ablations.")
    text = page(schema, params)
    assert all(f"| `{row.name}`" in text for row in found)


def test_every_leaf_of_the_schema_says_what_it_means(schema: dict[str, Any], params: dict[str, Any]) -> None:
    found = parameters(schema, params)
    assert [row.name for row in found if len(row.meaning) < 8] == []
    # A sentence each, in one line of a table.
    assert [row.name for row in found if not row.meaning.endswith(".")] == []
    assert [row.name for row in found if re.search(r"[|\n]", row.meaning + row.allowed)] == []
    names = [(row.name, row.condition) for row in found]
    assert len(names) == len(set(names))
    # No property is overlooked, wherever in the schema it is: each has a row, or leads to one.
    lasts = {row.name.split(".")[-1] for row in found}
    parents = {part for row in found for part in row.name.split(".")[:-1]}
    assert set(properties(schema)) == lasts | parents - {"*"}


def properties(node: Any) -> Iterator[str]:
    """Names of all properties in a schema; of those in a condition only the names."""
    if isinstance(node, dict):
        yield from node.get("properties", {})
        for key, each in node.items():
            if key != "if":
                yield from properties(list(each.values()) if key == "properties" else each)
    elif isinstance(node, list):
        for each in node:
            yield from properties(each)


def test_kinds_have_rows_of_their_own(schema: dict[str, Any], params: dict[str, Any]) -> None:
    def rows(params: Any) -> dict[tuple[str, str], Parameter]:
        return {(row.name, row.condition): row for row in parameters(schema, params)}

    name, kinds = "model.pose.encoder.width", ("kind `coordinates`", "kind `heatmaps`")
    assert [rows(params)[name, kind].default for kind in kinds] == [32, ABSENT]
    other = copy.deepcopy(params)
    other["model"]["pose"] = {"kind": "heatmaps", "encoder": {"width": 48}}
    assert [rows(other)[name, kind].default for kind in kinds] == [ABSENT, 48]


@pytest.mark.parametrize(
    ("node", "words"),
    [
        ({"$ref": "#/$defs/share"}, "number ≥ 0, ≤ 1"),
        ({"type": ["integer", "null"], "minimum": 16}, "integer ≥ 16 or `null`"),
        ({"enum": ["error", "skip"]}, "`error`, `skip`"),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 3, "maxItems": 3}, "list of 3: integer"),
        ({"anyOf": [{"type": "null"}, {"$ref": "#/$defs/count"}]}, "`null` or integer ≥ 1"),
        ({"if": {"type": "object"}, "then": {"properties": {}}, "else": {"enum": ["native"]}}, "`native`, or the"),
        ({"type": "integer", "minimum": 8, "multipleOf": 8}, "integer ≥ 8, a multiple of 8"),
    ],
)
def test_what_is_allowed_in_words(schema: dict[str, Any], node: dict[str, Any], words: str) -> None:
    assert allowed(schema, node).startswith(words)
