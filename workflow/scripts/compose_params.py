"""Compose the Hydra groups of params/ into one file: python workflow/scripts/compose_params.py [overrides …]

The composed params.yaml is committed, because DVC and Snakemake read it without composing it. It has the bytes that
`dvc exp run` writes, so that an experiment without a change leaves no change. An override is written as Hydra has it:
`sigma_p=0.5`, `model=other`, `+profile=tiny`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

ROOT = Path(__file__).resolve().parents[2]


def composed(overrides: list[str]) -> str:
    """The parameters of params/ with `overrides`, as YAML."""
    with initialize_config_dir(config_dir=str(ROOT / "params"), version_base=None):
        config = compose("config", overrides=overrides)
    OmegaConf.resolve(config)
    return OmegaConf.to_yaml(config)


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
        if not args.output.exists() or args.output.read_text() != params:
            sys.exit(f"{args.output} is not what params/ composes to; run `make params`")
        return
    args.output.write_text(params)


if __name__ == "__main__":
    main()
