"""Pretrain one variant with one seed, without labels: python -m csvr.pretrain --variant full --seed 0 …

Reads the training videos of the index only. Writes the networks (safetensors, with a header that says how they
were made) and the training curves. A killed run goes on where it stopped when it is started again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from pathlib import Path
from typing import Any

import pandas as pd
from sacred.run import Run

from csvr import cli
from csvr.data import index, shards
from csvr.data.batches import ClipShape, Features
from csvr.files import write_text
from csvr.pretrain.loop import train
from csvr.pretrain.model import CSVR
from csvr.tracking.record import record

log = logging.getLogger("csvr.pretrain")


def main() -> None:
    parser = cli.features_parser(__doc__)
    parser.add_argument("--iframes", type=Path, nargs="+", required=True, help="shards of python -m csvr.iframes")
    parser.add_argument("--variant", required=True, help="name of the ablation, for the record")
    parser.add_argument("--seed", type=int, required=True, help="seed of weights, clip order and augmentation")
    parser.add_argument("--output", type=Path, required=True, help="networks (safetensors)")
    parser.add_argument("--history", type=Path, required=True, help="training curves (CSV)")
    args = parser.parse_args()
    cli.limit_threads(args.threads)
    features = Features(args.clips, args.poses, args.iframes, ClipShape(**args.params["clip"]))
    table = index.read(args.index)
    videos = table.video[table.split == "train"].tolist()
    features.require(videos)

    def pretrain(config: dict[str, Any], run: Run) -> dict[str, Any]:
        began = time.monotonic()
        model = CSVR(args.params, pose_frames=len(features.keypoints(videos[0], 0)))

        def report(step: int, row: dict[str, float]) -> None:
            for name, value in row.items():
                run.log_scalar(name, value, step)
            shown = "  ".join(f"{n} {v:.3g}" for n, v in row.items() if n in ("loss", "context", "pose", "video"))
            log.info("%s seed %d  step %d/%d  %s", args.variant, args.seed, step, config["pretrain"]["steps"], shown)

        data, code = features.provenance(args.index), run.info["code_sha256"]
        # A state of other sources or features has another name.
        made = hashlib.sha256(json.dumps([data, code], sort_keys=True).encode()).hexdigest()
        state = args.output.with_suffix(f".{made[:8]}.resume.pt")
        history = train(model, features, videos, args.params, args.seed, state, report)
        seconds = time.monotonic() - began
        curves = pd.DataFrame(history or [{"step": 0}]).assign(run=run._id).to_csv(index=False)
        write_text(args.history, curves)
        weights = {name: value.detach().numpy() for name, value in model.state_dict().items()}
        header = {
            "run_id": run._id, "variant": args.variant, "seed": args.seed, "params": args.params,
            "data": data, "code": code, "history_sha256": hashlib.sha256(curves.encode()).hexdigest(),
            "seconds": seconds,
        }  # fmt: skip
        shards.write(args.output, weights, header)
        for leftover in args.output.parent.glob(f"{args.output.stem}.*.resume.pt"):
            leftover.unlink()
        return {"seconds": seconds, "final": history[-1] if history else {}}

    record("pretrain", pretrain, args.params | {"variant": args.variant, "seed": args.seed}, args.runs)


if __name__ == "__main__":
    cli.run(main)
