"""Evaluate one pretrained variant: python -m csvr.evaluate --encoders encoders.safetensors --output metrics.json …

Linear probe on frozen features (all labels, and few with several draws) and fine-tuning, on the official train and
test lists. The output says of every test video how often it was classified correctly, so that intervals can be
computed later without running anything again.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sacred.run import Run

from csvr import cli
from csvr.data import index, shards
from csvr.data.batches import ClipShape, Features
from csvr.errors import UserError
from csvr.evaluation.features import untrained_integration, video_features
from csvr.evaluation.finetune import finetune_accuracy
from csvr.evaluation.probe import probe_accuracy
from csvr.files import write_text
from csvr.pretrain.model import Encoders
from csvr.tracking.machine import git_state, host
from csvr.tracking.record import record


def load_encoders(path: Path, params: dict[str, Any]) -> tuple[Encoders, dict[str, Any]]:
    """Encoders written by `csvr.pretrain`, in evaluation mode, and their header.

    Raises:
        UserError: Unreadable, or made with other parameters than `params`.
    """
    header = shards.header(path)
    for key, value in header["params"].items():
        if params.get(key) != value:
            raise UserError(
                f"{path}: made with {key} = {value}, but {params.get(key)} is asked for; "
                f"run snakemake --forcerun pretrain {path}"
            )
    encoders = Encoders(params["model"], params["pose_input"])
    stored = shards.Shards([path])
    encoders.load_state_dict({name: torch.from_numpy(stored[name]) for name in stored})
    return encoders.eval(), header


def require_same_data(path: Path, pretrained: dict[str, Any], present: dict[str, Any]) -> None:
    """Raise a UserError if encoders were pretrained on other clips, poses or videos than those to evaluate on."""
    for key in ("index_sha256", "clips", "poses"):
        if pretrained.get(key) != present[key]:
            raise UserError(
                f"{path}: pretrained on data with {key} = {pretrained.get(key)}, but {present[key]} is there now; "
                f"run snakemake --cores 8 {path} --forcerun pretrain"
            )


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
            for amount, shares in probe_accuracy(*data, settings["probe"]).items():
                result.setdefault(f"linear_{amount}", {})[name] = [round(float(x), 6) for x in shares]
    if settings["finetune"]:
        train, test = (videos["train"], labels["train"]), (videos["test"], labels["test"])
        result["finetune"] = {"all": finetune_accuracy(encoders, names, features, train, test, params, seed).tolist()}
    return result


def main() -> None:
    parser = cli.features_parser(__doc__)
    parser.add_argument("--encoders", type=Path, required=True, help="output of python -m csvr.pretrain")
    parser.add_argument("--output", type=Path, required=True, help="metrics (JSON)")
    args = parser.parse_args()
    cli.limit_threads(args.threads)
    encoders, header = load_encoders(args.encoders, args.params)
    features = Features(args.clips, args.poses, [], ClipShape(**args.params["clip"]))
    table = index.read(args.index)
    features.require(table.video.tolist())
    require_same_data(args.encoders, header["data"], features.provenance(args.index))
    test = table[table.split == "test"]

    def evaluate(config: dict[str, Any], run: Run) -> dict[str, float]:
        began = time.monotonic()
        found = scores(encoders, features, table, args.params, header["seed"])
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
                    "scores": found,
                }
            )
            + "\n",
        )  # fmt: skip
        return {f"{protocol}/{name}": float(np.mean(x)) for protocol, s in found.items() for name, x in s.items()}

    record("evaluate", evaluate, args.params | {"variant": header["variant"], "seed": header["seed"]}, args.runs)


if __name__ == "__main__":
    cli.run(main)
