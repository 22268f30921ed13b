"""Collect where all reports come from: python -m csvr.provenance --made made_of.json --features … --index … --output …

Writes a graph of files with hashes and runs, down to the videos (`csvr.tracking.provenance`). `python -m csvr.trace`
prints it.
"""

from __future__ import annotations

import json
from pathlib import Path

from csvr import cli
from csvr.errors import UserError
from csvr.files import write_text
from csvr.tracking import provenance


def main() -> None:
    """Parse flags, collect."""
    parser = cli.parser(__doc__, records=False)
    parser.add_argument("--made", type=Path, required=True, help="JSON file: results of each report")
    parser.add_argument("--features", type=Path, nargs="+", required=True, help="all shards of the data set")
    parser.add_argument("--index", type=Path, nargs="+", required=True, help="index of each data set (csvr.index)")
    parser.add_argument("--output", type=cli.written, required=True, help="JSON file")
    args = cli.parse(parser)
    try:
        made = json.loads(args.made.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{args.made}: no readable JSON ({error}); run snakemake --cores 8 {args.made}") from error
    write_text(args.output, json.dumps(provenance.collect(made, args.features, args.index), indent=1) + "\n")


if __name__ == "__main__":
    cli.run(main)
