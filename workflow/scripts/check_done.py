"""End a DVC stage with an error if the workflow would have something to do: python workflow/scripts/check_done.py

DVC takes down parameters and sources when its stage ends, and would note those that were edited meanwhile beside the
results of those before.
"""

from __future__ import annotations

import subprocess
import sys


def main() -> None:
    """Ask Snakemake; say what is wrong."""
    done = subprocess.run(
        ["snakemake", "--cores", "1", "--dry-run"], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if done.returncode:
        sys.exit(done.stdout)
    if "Nothing to be done" not in done.stdout:
        sys.exit(
            "parameters or sources were changed while the workflow ran; what it made is not recorded as made with "
            "them. Run the same command again: it makes only what has changed."
        )


if __name__ == "__main__":
    main()
