"""Measure what pretrained networks generate: python -m csvr.generation_quality --networks … --judge … --output …

Of the middle clip of each test video: peak signal-to-noise ratio, structural similarity, and a Fréchet distance in the
features of `python -m csvr.clip_judge`, for the reconstructed clip and for the predicted future, beside the last frame
repeated. With a network named under `generation_quality.fvd`, also the distance in its features.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from csvr import cli
from csvr.errors import UserError
from csvr.files import sha256, write_text

if TYPE_CHECKING:
    from sacred.run import Run


def main() -> None:
    """Parse flags, check, measure under a Sacred run."""
    parser = cli.features_parser(__doc__)
    parser.add_argument("--networks", type=Path, required=True, help="output of python -m csvr.pretrain")
    parser.add_argument("--judge", type=Path, required=True, help="output of python -m csvr.clip_judge")
    parser.add_argument("--output", type=cli.written, required=True, help="JSON file")
    args = cli.parse(parser)
    from csvr.data import index
    from csvr.data.batches import ClipShape, Features
    from csvr.evaluation.clip_quality import clip_quality
    from csvr.evaluation.fvd import fvd_features
    from csvr.evaluation.judge import load_judge
    from csvr.evaluation.networks import load_networks, require_same_data
    from csvr.refusal import require
    from csvr.tracking.checkout import git_state
    from csvr.tracking.machine import host
    from csvr.tracking.record import record

    cli.limit_threads(args.threads)
    features = Features(args.clips, args.poses, [], ClipShape(**args.params["clip"]))
    table = index.read(args.index)
    test = table[table.split == "test"].video.tolist()
    features.require(test)
    model, header = load_networks(args.networks, args.params, len(features.keypoints(test[0], 0)))
    present = features.provenance(args.index)
    require_same_data(args.networks, header["data"], present)
    if model.video is None or not args.params["pretrain"]["steps"]:
        raise UserError(f"{args.networks}: has no trained generators")
    judge, about = load_judge(args.judge)
    mend = f"snakemake --cores 8 {args.judge} --forcerun clip_judge"
    require(args.judge, about["params"], args.params["judge"], mend)
    data = {key: about["data"][key] for key in ("index_sha256", "clips")}
    require(args.judge, {"data": data}, {"data": {key: present[key] for key in data}}, mend)
    fvd = fvd_features(args.params["generation_quality"]["fvd"])

    def work(config: dict[str, Any], run: Run) -> dict[str, Any]:
        began = time.monotonic()
        found = clip_quality(model, judge, features, test, fvd)
        write_text(
            args.output,
            json.dumps(
                {
                    "run_id": run._id, "pretrain_run_id": header["run_id"],
                    "variant": header["variant"], "seed": header["seed"], "params": args.params,
                    "data": header["data"],
                    "judge": {
                        "path": str(args.judge), "sha256": sha256(args.judge),
                        **{key: about[key] for key in ("run_id", "accuracy", "data", "seconds")},
                    },
                    "code": {
                        "pretrain": header["code"], "clip_judge": about["code"],
                        "generation_quality": run.info["code_sha256"],
                    },
                    "git": git_state(), "host": host(), "threads": args.threads,
                    "seconds": {"pretrain": header["seconds"], "generation_quality": time.monotonic() - began},
                    "measures": found,
                }
            )
            + "\n",
        )  # fmt: skip
        return found

    record("generation_quality", work, args.params | {"variant": header["variant"], "seed": header["seed"]}, args.runs)


if __name__ == "__main__":
    cli.run(main)
