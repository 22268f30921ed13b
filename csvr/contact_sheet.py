"""Draw a data set: python -m csvr.contact_sheet --index index.csv --output dataset.png

One row a class: three of its videos, three frames of each; of many classes one frame each, and several classes a row.
The colour of a class name is its group.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from csvr import cli


def main() -> None:
    """Parse flags, draw."""
    parser = cli.parser(__doc__, records=False)
    parser.add_argument("--index", type=Path, required=True, help="index of the data set (python -m csvr.index)")
    parser.add_argument("--groups", type=cli.parameters, help="groups of classes: YAML text or file")
    parser.add_argument("--output", type=cli.written, nargs="+", required=True, help="PNG, SVG and PDF files")
    args = cli.parse(parser)
    from csvr.data import index
    from csvr.reporting.contact_sheet import contact_sheet

    groups: dict[str, Any] = args.groups or {}
    contact_sheet(index.read(args.index), groups, *args.output)


if __name__ == "__main__":
    cli.run(main)
