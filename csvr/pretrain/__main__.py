"""Pretrain one variant with one seed, without labels: python -m csvr.pretrain --variant full --seed 0 …

Reads the training videos of the index only. Writes the networks (safetensors, with a header that says how they
were made) and the training curves. A killed run goes on where it stopped when it is started again. Under torchrun the
processes share each batch: torchrun --nproc-per-node 2 -m csvr.pretrain …
"""

from __future__ import annotations

import hashlib
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from csvr import cli
from csvr.files import params_sha256, write_text
from csvr.progress import share
from csvr.tracking.sources import code_hash

if TYPE_CHECKING:
    from sacred.run import Run

log = logging.getLogger("csvr.pretrain")


def main() -> None:
    parser = cli.features_parser(__doc__)
    parser.add_argument("--iframes", type=Path, nargs="+", required=True, help="shards of python -m csvr.iframes")
    parser.add_argument("--variant", required=True, help="name of the variant, for the record")
    parser.add_argument("--seed", type=int, required=True, help="seed of weights, clip order and augmentation")
    parser.add_argument("--output", type=cli.written, required=True, help="networks (safetensors)")
    parser.add_argument("--history", type=cli.written, required=True, help="training curves (CSV)")
    parser.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default="auto",
        help="where to compute; auto: a GPU if there is one (default: auto)",
    )  # fmt: skip
    args = cli.parse(parser)
    import pandas as pd

    from csvr.checkpoints import Checkpoints
    from csvr.data import index, shards
    from csvr.data.batches import ClipShape, Features
    from csvr.data.leaks import require_split
    from csvr.pretrain.loop import train
    from csvr.pretrain.model import CSVR
    from csvr.pretrain.processes import start
    from csvr.tracking.machine import device_name, peak_memory_mb
    from csvr.tracking.record import record

    cli.limit_threads(args.threads)
    features = Features(args.clips, args.poses, args.iframes, ClipShape(**args.params["clip"]))
    table = index.read(args.index)
    require_split(table)
    videos = table.video[table.split == "train"].tolist()
    features.require(videos)
    data, code = features.provenance(args.index), code_hash("pretrain")
    settings = args.params["pretrain"]
    fabric = start(args.device, settings["precision"])
    # Checkpoints of other sources or features are none of this run.
    made = params_sha256([args.params, args.seed, videos, data, code])
    folder = args.output.with_suffix(".checkpoints")
    checkpoints = Checkpoints(folder, made, settings["keep_last"], settings["keep_best"])

    def pretrain(run: Run | None) -> dict[str, Any]:
        began = time.monotonic()
        model = CSVR(args.params, pose_frames=len(features.keypoints(videos[0], 0)))

        def report(step: int, row: dict[str, float]) -> None:
            for name, value in row.items():
                if run is not None:
                    run.log_scalar(name, value, step)
            shown = "  ".join(f"{n} {v:.3g}" for n, v in row.items() if n in ("loss", "context", "pose", "video"))
            done = share(step, settings["steps"])
            log.info("%s seed %d  step %d/%d  %s", args.variant, args.seed, step, settings["steps"], shown, extra=done)

        kept, history, warnings = train(fabric, model, features, videos, args.params, args.seed, checkpoints, report)
        seconds = time.monotonic() - began
        if run is not None:
            curves = pd.DataFrame(history or [{"step": 0}]).assign(run=run._id).to_csv(index=False)
            write_text(args.history, curves)
            weights = {name: value.detach().cpu().numpy() for name, value in kept.state_dict().items()}
            header = {
                "run_id": run._id, "variant": args.variant, "seed": args.seed, "params": args.params,
                "data": data, "code": code, "history_sha256": hashlib.sha256(curves.encode()).hexdigest(),
                "seconds": seconds, "device": device_name(fabric.device), "processes": fabric.world_size,
                "peak_memory_mb": peak_memory_mb(fabric.device), "warnings": warnings,
            }  # fmt: skip
            shards.write(args.output, weights, header)
            checkpoints.finish(args.output.with_suffix(".best.safetensors"))
        return {"seconds": seconds, "final": history[-1] if history else {}, "warnings": warnings}

    if fabric.is_global_zero:
        config = args.params | {"variant": args.variant, "seed": args.seed}
        record("pretrain", lambda config, run: pretrain(run), config, args.runs)
    else:
        pretrain(None)


if __name__ == "__main__":
    cli.run(main)
