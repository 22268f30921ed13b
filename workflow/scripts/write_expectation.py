"""Write the parameters of rule `write_expectation` to its output."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

Path(snakemake.output[0]).write_text(f"{snakemake.params.p}\n")
