"""Draw the embedded data set: python -m csvr.mannequin --root DIR --params params.yaml --output DIR/dataset.json

Writes real video files in UCF101's layout, the official-style lists, and ground-truth keypoints that
score the pose estimator and are used for nothing else.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from csvr import cli
from csvr.files import write_text

if TYPE_CHECKING:
    from sacred.run import Run


WHOLE_NUMBERS: Final = (
    "seed", "frames", "size", "fps", "gop", "b_frames", "quality",
    "test_groups", "train_groups", "clips_per_train_group",
)  # fmt: skip
"""The parameters, as params/dataset/mannequin.yaml has them."""


def main() -> None:
    """Parse flags, draw under a Sacred run."""
    parser = cli.parser(__doc__)
    parser.add_argument("--params", type=cli.parameters, required=True, help="dataset.generate, or a file that has it")
    parser.add_argument("--root", type=cli.written, required=True, help="folder to write videos and lists to")
    parser.add_argument("--output", type=cli.written, required=True, help="JSON summary, written last")
    args = cli.parse(parser)
    from csvr.data import mannequin
    from csvr.tracking.record import record

    def generate(config: dict[str, Any], run: Run) -> dict[str, Any]:
        summary = mannequin.generate(args.root, config, workers=args.threads)
        write_text(args.output, json.dumps({"run_id": run._id, "params": config} | summary, indent=2) + "\n")
        return summary

    wanted = args.params.get("dataset", {}).get("generate", args.params)
    record("mannequin", generate, cli.settings(wanted, dict.fromkeys(WHOLE_NUMBERS, (int,))), args.runs)


if __name__ == "__main__":
    cli.run(main)
