"""Write the reference of all parameters: python workflow/scripts/document_params.py [--check]

docs/parameters.md is made from the schema, which says what each parameter means and may be, and from params.yaml.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml
from check_params import SCHEMA, Validator
from compose_params import ROOT

PARAMS = ROOT / "params.yaml"
OUTPUT = ROOT / "docs/parameters.md"
# Its parts have tables of their own.
SPLIT = "model"
ABSENT: Any = object()

Schema = dict[str, Any]


class Parameter(NamedTuple):
    """A leaf of the schema.

    Attributes:
        name: Dotted; `*` stands for a key that one may choose.
        condition: When there is such a parameter, e.g. "kind `heatmaps`"; empty: always.
        allowed: Type, range or choices.
        default: Value in params.yaml; `ABSENT` where there is none.
        meaning: Description in the schema.
    """

    name: str
    condition: str
    allowed: str
    default: Any
    meaning: str


def parameters(schema: Schema, params: Any) -> list[Parameter]:
    """All leaves of a schema of params.yaml, in its order, with their values in `params`."""
    return list(_leaves(schema, schema, "", params, ""))


def resolved(schema: Schema, node: Schema) -> Schema:
    """A node with what its `$ref` names; its own keys, such as the description, come first."""
    while "$ref" in node:
        found: Any = schema
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        node = found | {key: value for key, value in node.items() if key != "$ref"}
    return node


def allowed(schema: Schema, node: Schema) -> str:
    """What a value may be, in words."""
    node = resolved(schema, node)
    if "enum" in node:
        return ", ".join(f"`{_text(value)}`" for value in node["enum"])
    if "anyOf" in node:
        return " or ".join(allowed(schema, each) for each in node["anyOf"])
    if "if" in node:
        return f"{allowed(schema, node['else'])}, or the keys below"
    names = node.get("type", "object")
    words = [_words(schema, node, name) for name in ([names] if isinstance(names, str) else names)]
    return " or ".join(words)


def page(schema: Schema, params: Any) -> str:
    """The reference as Markdown, a table for each group."""
    lines = [
        "# Parameters",
        "",
        "Written by `make docs` from `workflow/schemas/params.schema.yaml` and `params.yaml`; do not edit it here.",
        "",
        "A parameter is set in its file in `params/` (then `make params`), by Snakemake's `--config` or DVC's `-S`.",
        "Its value is what `params.yaml` has; – where that has none: the parameter belongs to another choice, or what",
        "uses it has a default of its own. `*` is a name of your choice. σ, f_s, f_d, f_i and L are those of",
        "[method.md](method.md); CMD, CoCLR, TGANv2 and the others are its sources.",
    ]
    heading = None
    for parameter in parameters(schema, params):
        group = _group(parameter.name)
        if group != heading:
            heading = group
            lines += ["", f"## {group or 'Top level'}"]
            about = _about(schema, group)
            lines += ["", about] if about else []
            lines += ["", "| parameter | allowed | value | meaning |", "|:--|:--|:--|:--|"]
        when = f" ({parameter.condition})" if parameter.condition else ""
        value = "–" if parameter.default is ABSENT else f"`{_text(parameter.default)}`"
        lines.append(f"| `{parameter.name}`{when} | {parameter.allowed} | {value} | {parameter.meaning} |")
    # This page lies in docs/ itself.
    return re.sub(r"\bdocs/(\w+\.md)", r"[\1](\1)", "\n".join(lines) + "\n")


def _leaves(schema: Schema, node: Schema, name: str, value: Any, condition: str) -> Iterator[Parameter]:
    node = resolved(schema, node)
    inside, chosen = dict(node.get("properties", {})), node.get("allOf", [])
    free = node.get("additionalProperties")
    free = resolved(schema, free) if isinstance(free, dict) else {}
    if "if" in node:
        inside = node["then"]["properties"]
    if not inside and "properties" not in free:
        yield Parameter(name, condition, allowed(schema, node), value, node.get("description", ""))
        return
    if name and ("if" in node or "null" in node.get("type", ())):
        # It can be something else than a mapping.
        shown = value if not isinstance(value, dict) else ABSENT
        words = "`null`, or the keys below" if "type" in node else allowed(schema, node)
        yield Parameter(name, condition, words, shown, node.get("description", ""))
    # Single values of the top level before its groups.
    for key in sorted(inside, key=lambda key: not name and _mapping(schema, inside[key])):
        yield from _leaves(schema, inside[key], _dotted(name, key), _value(value, key), condition)
    if "properties" in free:
        yield from _leaves(schema, free, _dotted(name, "*"), ABSENT, condition)
    for branch in chosen:
        right = value is not ABSENT and Validator(branch["if"]).is_valid(value)
        kind = branch["if"]["properties"]["kind"]
        kinds = ", ".join(f"`{each}`" for each in kind.get("enum", [kind.get("const")]))
        for key, each in branch["then"]["properties"].items():
            # `kind` itself is empty here: it is among the properties of all.
            if each:
                found = _value(value, key) if right else ABSENT
                yield from _leaves(schema, each, _dotted(name, key), found, f"kind {kinds}")


def _mapping(schema: Schema, node: Schema) -> bool:
    return resolved(schema, node).get("type") == "object"


def _value(value: Any, key: str) -> Any:
    return value.get(key, ABSENT) if isinstance(value, dict) else ABSENT


def _dotted(name: str, key: str) -> str:
    return f"{name}.{key}" if name else key


def _group(name: str) -> str:
    parts = name.split(".")
    return ".".join(parts[: 2 if parts[0] == SPLIT else 1]) if len(parts) > 1 else ""


def _about(schema: Schema, group: str) -> str:
    node = schema
    for key in group.split(".") if group else []:
        node = resolved(schema, node["properties"][key])
    return str(node.get("description", ""))


def _words(schema: Schema, node: Schema, name: str) -> str:
    """A type and its limits."""
    if name in ("integer", "number"):
        least, above = node.get("minimum"), node.get("exclusiveMinimum")
        most, below = node.get("maximum"), node.get("exclusiveMaximum")
        limits = [f"≥ {least}"] * (least is not None) + [f"> {above}"] * (above is not None)
        limits += [f"≤ {most}"] * (most is not None) + [f"< {below}"] * (below is not None)
        if "multipleOf" in node:
            limits.append(f"a multiple of {node['multipleOf']}")
        return f"{name} {', '.join(limits)}".rstrip()
    if name == "array":
        least, most = node.get("minItems"), node.get("maxItems")
        size = f" {least}" if least is not None and least == most else " one or more" if least else ""
        return f"list of{size}: {allowed(schema, node['items'])}"
    known = {"boolean": "`true`, `false`", "null": "`null`", "object": "mapping"}
    if name == "string":
        return f"text `{node['pattern']}`" if "pattern" in node else "text"
    if name == "object" and "properties" in node:
        return "a mapping with the keys of `dataset`" if "layout" in node["properties"] else "mapping"
    return known[name]


def _text(value: Any) -> str:
    """A value as YAML has it in one line; of a mapping of mappings or lists the keys alone."""
    if isinstance(value, dict) and any(isinstance(each, dict | list) for each in value.values()):
        return "{" + ", ".join(f"{key}: …" for key in value) + "}"
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000, sort_keys=False, allow_unicode=True)
    return str(text.removesuffix("...\n").strip())


def main() -> None:
    """Parse flags; write or compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the file says something else")
    args = parser.parse_args()
    text = page(yaml.safe_load(SCHEMA.read_text()), yaml.safe_load(PARAMS.read_text()))
    if args.check:
        if not OUTPUT.exists() or OUTPUT.read_text() != text:
            sys.exit(f"{OUTPUT} is not what the schema and params.yaml say; run `make docs`")
        return
    OUTPUT.write_text(text)


if __name__ == "__main__":
    main()
