"""Train the network that judges generated clips: python -m csvr.clip_judge --output clip_judge.safetensors …

A clip encoder with a linear classifier, trained with the labels of all training videos. Its features are those of the
Fréchet distance of `python -m csvr.generation_quality`; nothing that is pretrained sees them or the labels.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from csvr import cli

if TYPE_CHECKING:
    from sacred.run import Run


def main() -> None:
    """Parse flags, train and test under a Sacred run."""
    parser = cli.features_parser(__doc__)
    parser.add_argument("--output", type=cli.written, required=True, help="network (safetensors)")
    args = cli.parse(parser)
    from csvr.data import index, shards
    from csvr.data.batches import ClipShape, Features
    from csvr.evaluation.finetune import correct
    from csvr.evaluation.judge import train_judge
    from csvr.tracking.checkout import git_state
    from csvr.tracking.record import record

    cli.limit_threads(args.threads)
    features = Features(args.clips, args.poses, [], ClipShape(**args.params["clip"]))
    table = index.read(args.index)
    features.require(table.video.tolist())
    part = {split: table[table.split == split] for split in ("train", "test")}
    labelled = {split: (rows.video.tolist(), rows.label.to_numpy()) for split, rows in part.items()}

    def work(config: dict[str, Any], run: Run) -> dict[str, float]:
        began = time.monotonic()
        judge = train_judge(features, labelled["train"], args.params)
        accuracy = float(correct(judge, features, labelled["test"], args.params["clip_judge"]["clips"]).mean())
        seconds = time.monotonic() - began
        header = {
            "run_id": run._id, "params": args.params, "data": features.provenance(args.index),
            "code": run.info["code_sha256"], "git": git_state(), "accuracy": accuracy, "seconds": seconds,
            "classes": table.drop_duplicates("label").sort_values("label")["class"].tolist(),
        }  # fmt: skip
        shards.write(args.output, {name: value.numpy() for name, value in judge.state_dict().items()}, header)
        return {"accuracy": accuracy, "seconds": seconds}

    record("clip_judge", work, args.params | {"seed": args.params["clip_judge"]["seed"]}, args.runs)


if __name__ == "__main__":
    cli.run(main)
