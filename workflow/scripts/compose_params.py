"""Compose the Hydra groups of params/ into one file: python workflow/scripts/compose_params.py [overrides …]

The composed params.yaml is committed, because DVC and Snakemake read it without composing it. An override is
written as Hydra has it: `sigma_p=0.5`, `model=other`, `+profile=tiny`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import yaml
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

ROOT = Path(__file__).resolve().parents[2]
HEADER = "# Composed from params/ by `make params`. Change the files there: what is written here is overwritten.\n"


def composed(overrides: list[str]) -> dict[str, Any]:
    """The parameters of params/ with `overrides`, as plain Python types."""
    with initialize_config_dir(config_dir=str(ROOT / "params"), version_base="1.3"):
        result = OmegaConf.to_container(compose("config", overrides=overrides), resolve=True)
    assert isinstance(result, dict)
    return {str(key): value for key, value in result.items()}


def main() -> None:
    """Parse flags; write or compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("overrides", nargs="*", help="Hydra overrides")
    parser.add_argument(
        "--output", type=Path, default=ROOT / "params.yaml", help="file to write (default: params.yaml)"
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the file says something else")
    args = parser.parse_args()
    try:
        params = composed(args.overrides)
    except (HydraException, OmegaConfBaseException) as error:
        sys.exit(f"params: {error}")
    if args.check:
        # By content: `dvc exp run` writes the same file with another layout and without the header.
        if not args.output.exists() or yaml.safe_load(args.output.read_text()) != params:
            sys.exit(f"{args.output} is not what params/ composes to; run `make params`")
        return
    args.output.write_text(HEADER + yaml.safe_dump(params, sort_keys=False, width=120))


if __name__ == "__main__":
    main()
