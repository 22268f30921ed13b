"""The table of networks: parameters, FLOPs and shapes."""

from __future__ import annotations

from typing import Any

from csvr.pretrain.sizes import Network
from csvr.reporting import formats


def table(found: list[Network]) -> formats.Table:
    """A row for each network, and their sum."""
    rows: list[list[Any]] = []
    for row in found:
        sizes = [", ".join("×".join(map(str, shape[1:])) for shape in shapes) for shapes in (row.inputs, row.outputs)]
        rows.append([row.name, *_numbers(row.parameters, row.flops), *sizes])
    total = sum(row.parameters for row in found), sum(row.flops for row in found)
    heads = ["network", "parameters", "GFLOPs", "input", "output"]
    return formats.table("Networks", heads, [*rows, ["all", *_numbers(*total), "", ""]], align="lrrll")


def _numbers(parameters: int, flops: int) -> list[formats.Cell]:
    texts = {f"{parameters:,}": parameters, f"{flops / 1e9:.3f}": flops / 1e9}
    return [formats.Cell(text, {"": value}) for text, value in texts.items()]


def text(params: dict[str, Any], shown: formats.Table) -> str:
    """The report around the table of `networks(params)`."""
    clip = params["clip"]
    lines = [
        "# Networks",
        "",
        f"For one clip of {clip['frames']} × {clip['crop']} × {clip['crop']}, stride {clip['stride']}. Clip encoder: "
        + ", ".join(f"{key} {value}" for key, value in params["model"]["backbone"].items())
        + ".",
        "FLOPs of one forward pass: two for a multiplication and an addition, in convolutions and matrix products. "
        "Generators as in training.",
        "",
        formats.markdown(shown),
    ]
    return "\n".join(lines) + "\n"
