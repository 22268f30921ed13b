"""Train the small OpenPifPaf network on rendered figures: python -m csvr.pose_estimator --params … --output x.pt

Writes a checkpoint that `python -m csvr.poses` (and openpifpaf.Predictor) takes, and `x.json` beside it: SHA-256,
command, parameters, what the run record says of time, host and sources, losses, and the quality on held-out rendered
images. A killed training goes on where it was when it is started again with the same flags.
"""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from csvr import cli
from csvr.files import sha256, write_text

if TYPE_CHECKING:
    from sacred.run import Run


def describe(output: Path, command: str, params: dict[str, Any], result: dict[str, Any], run: dict[str, Any]) -> None:
    """Write `<output>.json`: everything that must be known of a checkpoint once its run record is gone.

    Args:
        output: The checkpoint.
        command: How it was made.
        params: Effective parameters.
        result: What `estimator.train` returned.
        run: The run.json of the (last) Sacred run.
    """
    about = {
        "checkpoint": output.name,
        "sha256": sha256(output),
        "command": command,
        "params": params,
        **result,
        "start": run["start_time"],
        "stop": run["stop_time"],
        "host": {key: run["host"][key] for key in ("hostname", "cpu", "os", "python_version")},
        "git": run["experiment"]["repositories"][:1],  # Sacred lists it once a source file
        "packages": run["experiment"]["dependencies"],
    }
    write_text(output.with_suffix(".json"), json.dumps(about, indent=2) + "\n")


def main() -> None:
    """Parse flags, train under a Sacred run."""
    parser = cli.parser(__doc__)
    parser.add_argument("--params", type=cli.parameters, required=True, help="parameters: YAML text or file")
    parser.add_argument("--output", type=cli.written, required=True, help="checkpoint to write, e.g. rendered.pt")
    args = cli.parse(parser)
    import torch

    from csvr.pose import estimator
    from csvr.tracking.record import record

    torch.set_num_threads(args.threads)

    def work(config: dict[str, Any], run: Run) -> dict[str, Any]:
        return estimator.train(config["params"], args.output, run)

    config = {"params": args.params, "seed": args.params.get("seed"), "output": str(args.output)}
    result = record("pose_estimator", work, config, args.runs)
    command = shlex.join(["python", "-m", "csvr.pose_estimator", *sys.argv[1:]])
    run = json.loads((args.runs / result["runs"][-1] / "run.json").read_text())
    describe(args.output, command, args.params, result, run)


if __name__ == "__main__":
    cli.run(main)
