"""Evaluate one pretrained variant: python -m csvr.evaluate --networks networks.safetensors --output metrics.json …

Linear probe on frozen features (all labels; few, and shares of each class, with several draws), nearest-neighbour
retrieval and fine-tuning, on the official train and test lists of one split or of several; probe and retrieval also as
if nobody had been found in the test videos. The output says of every test video how often it was classified correctly,
as which class, and at which rank its class was retrieved, so that intervals can be computed later without running
anything again; and how well the pretrained branches predict. Videos of further splits follow those of the first.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from csvr import cli
from csvr.files import sha256, write_text

if TYPE_CHECKING:
    from sacred.run import Run


def main() -> None:
    parser = cli.features_parser(__doc__)
    parser.add_argument("--networks", type=Path, required=True, help="output of python -m csvr.pretrain")
    parser.add_argument("--variant", required=True, help="name of the variant, for the record")
    parser.add_argument(
        "--pretrained-index", type=Path, help="index of the data set of pretraining, if it is another one than --index"
    )
    parser.add_argument("--output", type=cli.written, required=True, help="metrics (JSON)")
    parser.add_argument("--frozen", type=cli.written, required=True, help="features of all videos (safetensors)")
    cli.add_device(parser)
    args = cli.parse(parser)
    import numpy as np
    import pandas as pd

    from csvr.data import index
    from csvr.data.batches import ClipShape, Features
    from csvr.data.leaks import require_apart, require_split
    from csvr.evaluation.frozen import Frozen
    from csvr.evaluation.measure import labelled, measure, size
    from csvr.evaluation.networks import load_networks, require_pretrained_on
    from csvr.evaluation.pretext import pretext_quality
    from csvr.tracking.checkout import git_state
    from csvr.tracking.machine import chosen_device, device_name, host, peak_memory_mb
    from csvr.tracking.record import record

    cli.limit_threads(args.threads)
    device = chosen_device(args.device)
    features = Features(args.clips, args.poses, [], ClipShape(**args.params["clip"]))
    table = index.read(args.index)
    splits = index.each_split(table)
    elsewhere = args.pretrained_index not in (None, args.index)
    pretrained = index.read(args.pretrained_index) if elsewhere else table
    for rows in splits:
        require_split(rows)
        # Of one data set, the first split is pretrained on: what is a test video of any other must not be in it.
        require_apart(pretrained[pretrained.split == "train"], rows[rows.split == "test"], names=not elsewhere)
    features.require(table.video.tolist())
    pose_frames = len(features.keypoints(table.video[0], 0))
    model, header = load_networks(args.networks, args.params, pose_frames)
    there = features.provenance(args.index)
    require_pretrained_on(args.networks, header["data"], there, args.index, args.pretrained_index)
    test = pd.concat([rows[rows.split == "test"] for rows in splits])
    trained = args.params["pretrain"]["steps"] > 0
    model.to(device)
    sizes = size(args.params, pose_frames)

    def evaluate(config: dict[str, Any], run: Run) -> dict[str, float]:
        began = time.monotonic()
        found = measure(model.encoders, features, table, args.params, header["seed"])
        networks = {"path": str(args.networks), "sha256": sha256(args.networks)}
        frozen = found.frozen or Frozen([], {})
        about = {"variant": args.variant, "seed": header["seed"], "params": args.params, "target": there}
        frozen.write(args.frozen, about | {"run_id": run._id, "code": run.info["code_sha256"], "networks": networks})
        quality = pretext_quality(model, features, test.video.unique().tolist(), device) if trained else {}
        write_text(
            args.output,
            json.dumps(
                {
                    "run_id": run._id, "pretrain_run_id": header["run_id"],
                    "networks": networks,
                    "variant": args.variant, "seed": header["seed"], "params": args.params,
                    "data": header["data"], "target": there,
                    "code": {"pretrain": header["code"], "evaluate": run.info["code_sha256"]},
                    "git": git_state(), "host": host(), "threads": args.threads, "device": device_name(device),
                    "peak_memory_mb": {
                        "pretrain": header.get("peak_memory_mb"), "evaluate": peak_memory_mb(device),
                    },
                    "size": sizes, "labelled": labelled(table, args.params),
                    "seconds": {"pretrain": header["seconds"], "evaluate": time.monotonic() - began},
                    "splits": len(splits), "videos": test.video.tolist(), "labels": test.label.tolist(),
                    "classes": table.drop_duplicates("label").sort_values("label")["class"].tolist(),
                    "scores": found.scores, "ranks": found.ranks, "predictions": found.predictions, "pretext": quality,
                    "warnings": header["warnings"],
                }
            )
            + "\n",
        )  # fmt: skip
        return {
            f"{protocol}/{name}": float(np.mean(x)) for protocol, s in found.scores.items() for name, x in s.items()
        }

    record("evaluate", evaluate, args.params | {"variant": args.variant, "seed": header["seed"]}, args.runs)


if __name__ == "__main__":
    cli.run(main)
