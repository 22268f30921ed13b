"""Evaluate one pretrained variant: python -m csvr.evaluate --networks networks.safetensors --output metrics.json …

Linear probe on frozen features (all labels, and few with several draws), nearest-neighbour retrieval and fine-tuning,
on the official train and test lists. The output says of every test video how often it was classified correctly, so
that intervals can be computed later without running anything again; and how well the pretrained branches predict.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from sacred.run import Run

from csvr import cli
from csvr.data import index
from csvr.data.batches import ClipShape, Features
from csvr.evaluation.features import untrained_integration, video_features
from csvr.evaluation.finetune import finetune_accuracy
from csvr.evaluation.networks import load_networks, require_same_data
from csvr.evaluation.pretext import pretext_quality
from csvr.evaluation.probe import probe_accuracy
from csvr.evaluation.retrieval import first_hit
from csvr.files import write_text
from csvr.pretrain.model import Encoders
from csvr.tracking.machine import git_state, host
from csvr.tracking.record import record


def readouts(params: dict[str, Any]) -> list[str]:
    """The features that the variant's pretraining trains: f_d needs pose input, f_i a generating branch as well."""
    return ["f_s"] + ["f_d"] * bool(params["pose_input"]) + ["f_i"] * bool(params["pose_input"] and params["sigma_v"])


def scores(
    encoders: Encoders, features: Features, table: Any, params: dict[str, Any], seed: int
) -> dict[str, dict[str, list[float]]]:
    """Share of correct predictions of each test video, by protocol and read-out."""
    settings, names = params["evaluate"], readouts(params)
    part = {split: table[table.split == split] for split in ("train", "test")}
    videos = {split: rows.video.tolist() for split, rows in part.items()}
    labels = {split: rows.label.to_numpy() for split, rows in part.items()}
    result: dict[str, dict[str, list[float]]] = {}
    if settings["probe"]:
        control = untrained_integration(encoders, params["model"], features, videos["train"])
        found = {
            split: video_features(encoders, control, features, videos[split], settings["clips"])
            for split in ("train", "test")
        }
        sets = {
            name: {split: found[split][name].double().numpy() for split in found}
            for name in names + ["f_i_untrained"] * (control is not None)
        }
        sets["all"] = {split: np.concatenate([sets[name][split] for name in names], 1) for split in found}
        for name, values in sets.items():
            data = values["train"], labels["train"], values["test"], labels["test"]
            result.setdefault("retrieval", {})[name] = (first_hit(*data) == 1).astype(float).tolist()
            for amount, shares in probe_accuracy(*data, settings["probe"]).items():
                result.setdefault(f"linear_{amount}", {})[name] = [round(float(x), 6) for x in shares]
    if settings["finetune"]:
        train, test = (videos["train"], labels["train"]), (videos["test"], labels["test"])
        result["finetune"] = {"all": finetune_accuracy(encoders, names, features, train, test, params, seed).tolist()}
    return result


def main() -> None:
    parser = cli.features_parser(__doc__)
    parser.add_argument("--networks", type=Path, required=True, help="output of python -m csvr.pretrain")
    parser.add_argument("--output", type=Path, required=True, help="metrics (JSON)")
    args = parser.parse_args()
    cli.limit_threads(args.threads)
    features = Features(args.clips, args.poses, [], ClipShape(**args.params["clip"]))
    table = index.read(args.index)
    features.require(table.video.tolist())
    model, header = load_networks(args.networks, args.params, len(features.keypoints(table.video[0], 0)))
    require_same_data(args.networks, header["data"], features.provenance(args.index))
    test = table[table.split == "test"]
    trained = args.params["pretrain"]["steps"] > 0

    def evaluate(config: dict[str, Any], run: Run) -> dict[str, float]:
        began = time.monotonic()
        found = scores(model.encoders, features, table, args.params, header["seed"])
        quality = pretext_quality(model, features, test.video.tolist()) if trained else {}
        write_text(
            args.output,
            json.dumps(
                {
                    "run_id": run._id, "pretrain_run_id": header["run_id"],
                    "variant": header["variant"], "seed": header["seed"], "params": args.params,
                    "data": header["data"],
                    "code": {"pretrain": header["code"], "evaluate": run.info["code_sha256"]},
                    "git": git_state(), "host": host(), "threads": args.threads,
                    "seconds": {"pretrain": header["seconds"], "evaluate": time.monotonic() - began},
                    "videos": test.video.tolist(), "labels": test.label.tolist(),
                    "classes": table.drop_duplicates("label").sort_values("label")["class"].tolist(),
                    "scores": found, "pretext": quality,
                }
            )
            + "\n",
        )  # fmt: skip
        return {f"{protocol}/{name}": float(np.mean(x)) for protocol, s in found.items() for name, x in s.items()}

    record("evaluate", evaluate, args.params | {"variant": header["variant"], "seed": header["seed"]}, args.runs)


if __name__ == "__main__":
    cli.run(main)
