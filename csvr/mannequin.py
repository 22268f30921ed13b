"""Generate the embedded data set: python -m csvr.mannequin --root data/mannequin --params params.yaml

Writes real video files in UCF101's layout, the official-style lists, and ground-truth keypoints that
score the pose estimator and are used for nothing else.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from csvr import cli
from csvr.files import write_text

if TYPE_CHECKING:
    from sacred.run import Run


def main() -> None:
    parser = cli.parser(__doc__)
    parser.add_argument("--params", type=cli.parameters, required=True, help="the dataset.generate parameters")
    parser.add_argument("--root", type=cli.written, required=True, help="folder to write videos and lists to")
    parser.add_argument("--output", type=cli.written, required=True, help="JSON summary, written last")
    args = cli.parse(parser)
    from csvr.data import mannequin
    from csvr.tracking.record import record

    def generate(config: dict[str, Any], run: Run) -> dict[str, Any]:
        summary = mannequin.generate(args.root, config, workers=args.threads)
        write_text(args.output, json.dumps({"run_id": run._id, "params": config} | summary, indent=2) + "\n")
        return summary

    record("mannequin", generate, args.params, args.runs)


if __name__ == "__main__":
    cli.run(main)
