"""Print where a report comes from: python -m csvr.trace reports/table_ablation.md

The report, the results in it and their runs, the networks, the features and the videos; each with its hash, which is
compared with the file's.
"""

from __future__ import annotations

import json
from pathlib import Path

from csvr import cli
from csvr.errors import UserError
from csvr.tracking import provenance


def main() -> None:
    """Parse flags, print."""
    parser = cli.parser(__doc__, records=False, writes=False)
    parser.add_argument("file", help="a report, or any file that one was made of")
    parser.add_argument("--provenance", type=Path, default=Path("reports/provenance.json"), help="collected graph")
    args = cli.parse(parser)
    try:
        nodes = json.loads(args.provenance.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{args.provenance}: no readable JSON ({error}); run snakemake --cores 8") from error
    # All of it before anything is printed: half a chain would look like one.
    print("\n".join(list(provenance.lines(nodes, args.file))))


if __name__ == "__main__":
    cli.run(main)
