"""List the recorded runs of the workflow: python -m csvr.runs --runs runs"""

from __future__ import annotations

import json
import sys
import textwrap
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from csvr import cli
from csvr.errors import UserError
from csvr.tracking.status import status
from csvr.variants import WEIGHTS

COLUMNS = ("id", "step", "status", "seed", "start", "duration", "result")
LONGEST_RESULT = 60
"""Letters: the first numbers of an evaluation, which has dozens; all are in `runs/ID/run.json`."""


def _json(path: Path) -> dict[str, Any]:
    """A JSON mapping; empty where the file is missing or half-written (a run may be going on)."""
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _step(run: dict[str, Any], config: dict[str, Any]) -> str:
    """The command, and where it works on a variant, which and at what loss weights."""
    words = [str(run.get("experiment", {}).get("name", ""))]
    if "variant" in config:
        words += [config["variant"], "__".join(f"{key}={config[key]:g}" for key in WEIGHTS if key in config)]
    return " ".join(filter(None, words))


def _short(value: Any) -> str:
    """A run's result in a few words: the numbers of a mapping, anything else as it is."""
    if isinstance(value, dict):
        return " ".join(f"{key}={_short(item)}" for key, item in value.items() if isinstance(item, int | float | str))
    return f"{value:.3g}" if isinstance(value, float) else "" if value is None else str(value)


def _duration(run: dict[str, Any]) -> str:
    """How long a run took, as h:mm:ss; empty where it never stopped."""
    try:
        seconds = datetime.fromisoformat(run["stop_time"]) - datetime.fromisoformat(run["start_time"])
    except (KeyError, TypeError, ValueError):
        return ""
    return str(seconds).split(".")[0]


def table(runs: Path) -> list[dict[str, str]]:
    """The runs of a Sacred folder, oldest first, as one row of COLUMNS each.

    Raises:
        UserError: There is no such folder.
    """
    if not runs.is_dir():
        raise UserError(f"{runs}: no folder of runs; every step of the workflow writes one (or name another by --runs)")
    rows = []
    for folder in sorted((path for path in runs.iterdir() if path.name.isdigit()), key=lambda path: int(path.name)):
        run, config = _json(folder / "run.json"), _json(folder / "config.json")
        rows.append(
            {
                "id": folder.name,
                "step": _step(run, config),
                "status": status(run),
                "seed": str(config.get("seed", "")),
                "start": (run.get("start_time") or "")[:19].replace("T", " "),
                "duration": _duration(run),
                "result": textwrap.shorten(_short(run.get("result")), LONGEST_RESULT, placeholder=" …"),
            }
        )
    return rows


def main() -> None:
    """Parse flags, print the table."""
    parser = cli.parser(__doc__, records=False, writes=False)
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the Sacred runs")
    args = cli.parse(parser)
    shown = Table()
    for column in COLUMNS:
        shown.add_column(column, no_wrap=column != "result")
    for row in table(args.runs):
        shown.add_row(*(row[column] for column in COLUMNS))
    # Rich takes 80 columns for a pipe or a file, too few for one line a run.
    console = Console() if sys.stdout.isatty() else Console(width=200)
    console.print(shown)


if __name__ == "__main__":
    cli.run(main)
