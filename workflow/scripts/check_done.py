"""End a DVC stage with an error if the workflow is not done: python workflow/scripts/check_done.py

DVC takes down parameters and sources when its stage ends, and would note those that were edited meanwhile beside the
results of those before. It would also note outputs without a file that was deleted: Snakemake makes none again of which
nothing is left to be made.
"""

from __future__ import annotations

import csv
import shlex
import subprocess
import sys


def main() -> None:
    """Ask Snakemake; say what is wrong."""
    done = subprocess.run(["snakemake", "--cores", "1", "--summary"], text=True, capture_output=True)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    rows = list(csv.DictReader(done.stdout.splitlines(), delimiter="\t"))
    if any(row["plan"] != "no update" for row in rows):
        sys.exit(
            "parameters or sources were changed while the workflow ran; what it made is not recorded as made with "
            "them. Run the same command again: it makes only what has changed."
        )
    gone = [row["output_file"] for row in rows if row["status"] == "missing"]
    if gone:
        sys.exit(
            f"deleted, and not made again since all that is made of it is there: {', '.join(gone)}; "
            f"make it again, then run the same again: snakemake --cores 8 {shlex.join(gone)}"
        )


if __name__ == "__main__":
    main()
