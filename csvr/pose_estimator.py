"""Train the small OpenPifPaf network on rendered figures: `python -m csvr.pose_estimator --params … --output …`.

Writes a checkpoint that `python -m csvr.poses` (and openpifpaf.Predictor) takes, and `<output>.json` beside it:
SHA-256, parameters, run id, losses and the quality on held-out rendered images. A killed training goes on where it
was when it is started again with the same flags.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from sacred.run import Run

from csvr import cli
from csvr.pose import detector, estimator
from csvr.tracking.record import record


def main() -> None:
    """Parse flags, train under a Sacred run."""
    parser = cli.parser(__doc__)
    parser.add_argument("--params", type=cli.parameters, required=True, help="parameters: YAML text or file")
    parser.add_argument("--output", type=Path, required=True, help="checkpoint to write, e.g. rendered.pt")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)

    def work(config: dict[str, Any], run: Run) -> dict[str, Any]:
        result = estimator.train(config["params"], args.output, run)
        about = {
            "checkpoint": args.output.name,
            "sha256": detector.sha256(args.output),
            "run_id": run._id,
            "params": config["params"],
            **result,
        }
        args.output.with_suffix(".json").write_text(json.dumps(about, indent=2) + "\n")
        return about

    config = {"params": args.params, "seed": args.params.get("seed"), "output": str(args.output)}
    record("pose_estimator", work, config, args.runs)


if __name__ == "__main__":
    cli.run(main)
