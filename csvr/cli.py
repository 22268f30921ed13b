"""What every `python -m csvr.<command>` shares: flags, parameters, messages and exit codes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from csvr.errors import UserError


def parser(description: str | None) -> argparse.ArgumentParser:
    """An argument parser with the flags that all commands have."""
    result = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    result.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the Sacred runs (default: runs)")
    result.add_argument("--threads", type=int, default=1, help="CPU threads to compute with (default: 1)")
    return result


def parameters(text: str) -> dict[str, Any]:
    """The value of a `--params` flag: YAML (or JSON) text of a mapping, or the path of a YAML file."""
    try:
        value = yaml.safe_load(text if "\n" in text or text.lstrip().startswith("{") else Path(text).read_text())
    except (OSError, yaml.YAMLError) as error:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a readable YAML file nor YAML text: {error}") from error
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError(f"{text!r} is no mapping of parameter names to values")
    return value


def run(main: Callable[[], None]) -> None:
    """Call `main`; a UserError ends the process with its message alone and exit code 2."""
    try:
        main()
    except UserError as error:
        print(f"csvr: {error}", file=sys.stderr)
        sys.exit(2)
