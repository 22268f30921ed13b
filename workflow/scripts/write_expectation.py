"""Write the parameters of rule `write_expectation` to its output (no __future__ import: Snakemake prepends code)."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

Path(snakemake.output[0]).write_text(f"{snakemake.params.p}\n")
