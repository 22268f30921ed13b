"""Evaluate one pretrained variant: python -m csvr.evaluate --networks networks.safetensors --output metrics.json …

Linear probe on frozen features (all labels; few, and shares of each class, with several draws), nearest-neighbour
retrieval and fine-tuning, on the official train and test lists; probe and retrieval also as if nobody had been found in
the test videos. The output says of every test video how often it was classified correctly, as which class, and at which
rank its class was retrieved, so that intervals can be computed later without running anything again; and how well the
pretrained branches predict.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from sacred.run import Run

from csvr import cli
from csvr.data import index
from csvr.data.batches import ClipShape, Features
from csvr.data.leaks import require_apart, require_split
from csvr.evaluation.features import NO_POSE, untrained_integration, video_features
from csvr.evaluation.finetune import finetuned_classes
from csvr.evaluation.networks import load_networks, require_pretrained_on
from csvr.evaluation.pretext import pretext_quality
from csvr.evaluation.probe import percent, probe, share_counts
from csvr.evaluation.retrieval import first_hit
from csvr.files import write_text
from csvr.pretrain.model import Encoders
from csvr.pretrain.sizes import networks
from csvr.tracking.checkout import git_state
from csvr.tracking.machine import chosen_device, device_name, host, peak_memory_mb
from csvr.tracking.record import record


def readouts(params: dict[str, Any]) -> list[str]:
    """The features that the variant's pretraining trains: f_d needs pose input, f_i a generating branch as well."""
    return ["f_s"] + ["f_d"] * bool(params["pose_input"]) + ["f_i"] * bool(params["pose_input"] and params["sigma_v"])


@dataclass(frozen=True)
class Outcome:
    """What was measured of the test videos, one value each, by protocol and read-out.

    Attributes:
        scores: Share of correct predictions.
        ranks: Of retrieval, the rank of the nearest training video of the right class, from 1: R@k of any k.
        predictions: Predicted class, where there is one prediction a video.
    """

    scores: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    ranks: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    predictions: dict[str, dict[str, list[int]]] = field(default_factory=dict)

    def add_ranks(self, protocol: str, readout: str, ranks: Any) -> None:
        """Ranks, and R@1 as scores."""
        self.ranks.setdefault(protocol, {})[readout] = ranks.tolist()
        self.scores.setdefault(protocol, {})[readout] = (ranks == 1).astype(float).tolist()

    def add_classes(self, protocol: str, readout: str, classes: Any, labels: Any) -> None:
        """Predicted classes, and whether they are right as scores."""
        self.predictions.setdefault(protocol, {})[readout] = classes.tolist()
        self.scores.setdefault(protocol, {})[readout] = (classes == labels).astype(float).tolist()


def measure(encoders: Encoders, features: Features, table: Any, params: dict[str, Any], seed: int) -> Outcome:
    """All protocols that the parameters ask for, computed where the encoders are."""
    settings, names = params["evaluate"], readouts(params)
    semi = settings["semi"] or {"fractions": [], "probe": False, "finetune": False}
    part = {split: table[table.split == split] for split in ("train", "test")}
    videos = {split: rows.video.tolist() for split, rows in part.items()}
    labels = {split: rows.label.to_numpy() for split, rows in part.items()}
    result = Outcome()
    if settings["probe"]:
        control = untrained_integration(encoders, params["model"], features, videos["train"])
        found = {
            split: video_features(
                encoders, control, features, videos[split], settings["clips"],
                no_pose=settings["no_pose_test"] and split == "test",
            )
            for split in ("train", "test")
        }  # fmt: skip
        values = {split: {name: x.double().numpy() for name, x in found[split].items()} for split in found}
        sets = {name: [name] for name in names + ["f_i_untrained"] * (control is not None)} | {"all": names}
        for name, members in sets.items():
            train = np.concatenate([values["train"][member] for member in members], 1)
            tests = {"": np.concatenate([values["test"][member] for member in members], 1)}
            masked = [f"{m}{NO_POSE}" if f"{m}{NO_POSE}" in values["test"] else m for m in members]
            if masked != members:
                tests[NO_POSE] = np.concatenate([values["test"][member] for member in masked], 1)
            for ending, test in tests.items():
                ranks = first_hit(train, labels["train"], test, labels["test"])
                result.add_ranks(f"retrieval{ending}", name, ranks)
            # Shares of the labels are read out of all features alone: a fit for each costs time.
            fractions = semi["fractions"] if semi["probe"] and name == "all" else []
            probed = probe(train, labels["train"], tests, labels["test"], settings["probe"], fractions)
            for amount, shares in probed.shares.items():
                result.scores.setdefault(f"linear_{amount}", {})[name] = [round(float(x), 6) for x in shares]
            for amount, classes in probed.classes.items():
                result.add_classes(f"linear_{amount}", name, classes, labels["test"])
    if settings["finetune"]:
        for fraction in [None, *(semi["fractions"] if semi["finetune"] else [])]:
            classes = finetuned_classes(
                encoders, names, features, (videos["train"], labels["train"]), videos["test"], params, seed, fraction
            )
            protocol = "finetune" if fraction is None else f"finetune_{percent(fraction)}"
            result.add_classes(protocol, "all", classes, labels["test"])
    return result


def labelled(table: Any, params: dict[str, Any]) -> dict[str, int]:
    """Labelled training videos of each share that `evaluate.semi` names, all classes together."""
    labels = table[table.split == "train"].label.to_numpy()
    fractions = (params["evaluate"]["semi"] or {}).get("fractions", [])
    return {percent(fraction): int(share_counts(labels, fraction).sum()) for fraction in fractions}


def size(params: dict[str, Any], pose_frames: int) -> dict[str, float]:
    """Numbers of the networks: parameters and GFLOPs for one clip, of the encoders and of all that is pretrained.

    Args:
        params: Effective parameters.
        pose_frames: Poses of a clip.
    """
    span = params["clip"]["frames"] * params["clip"]["stride"]
    found = networks(params | {"pose_extraction": {"stride": math.ceil(span / pose_frames)}})
    kept = [row for row in found if row.name.endswith(("f_s", "f_d", "f_i"))]
    return {
        f"{what}{ending}": amount
        for ending, rows in (("", found), ("_encoders", kept))
        for what, amount in (
            ("parameters", sum(row.parameters for row in rows)),
            ("gflops", round(sum(row.flops for row in rows) / 1e9, 6)),
        )
    }


def main() -> None:
    parser = cli.features_parser(__doc__)
    parser.add_argument("--networks", type=Path, required=True, help="output of python -m csvr.pretrain")
    parser.add_argument(
        "--pretrained-index", type=Path, help="index of the data set of pretraining, if it is another one than --index"
    )
    parser.add_argument("--output", type=Path, required=True, help="metrics (JSON)")
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:N or auto: a GPU if there is one (default)")
    args = parser.parse_args()
    cli.limit_threads(args.threads)
    device = chosen_device(args.device)
    features = Features(args.clips, args.poses, [], ClipShape(**args.params["clip"]))
    table = index.read(args.index)
    require_split(table)
    features.require(table.video.tolist())
    pose_frames = len(features.keypoints(table.video[0], 0))
    model, header = load_networks(args.networks, args.params, pose_frames)
    there = features.provenance(args.index)
    require_pretrained_on(args.networks, header["data"], there, args.index, args.pretrained_index)
    if args.pretrained_index not in (None, args.index):
        pretrained = index.read(args.pretrained_index)
        require_apart(pretrained[pretrained.split == "train"], table[table.split == "test"], names=False)
    test = table[table.split == "test"]
    trained = args.params["pretrain"]["steps"] > 0
    model.to(device)

    def evaluate(config: dict[str, Any], run: Run) -> dict[str, float]:
        began = time.monotonic()
        found = measure(model.encoders, features, table, args.params, header["seed"])
        quality = pretext_quality(model, features, test.video.tolist(), device) if trained else {}
        write_text(
            args.output,
            json.dumps(
                {
                    "run_id": run._id, "pretrain_run_id": header["run_id"],
                    "variant": header["variant"], "seed": header["seed"], "params": args.params,
                    "data": header["data"], "target": there,
                    "code": {"pretrain": header["code"], "evaluate": run.info["code_sha256"]},
                    "git": git_state(), "host": host(), "threads": args.threads, "device": device_name(device),
                    "peak_memory_mb": {
                        "pretrain": header.get("peak_memory_mb"), "evaluate": peak_memory_mb(device),
                    },
                    "size": size(args.params, pose_frames), "labelled": labelled(table, args.params),
                    "seconds": {"pretrain": header["seconds"], "evaluate": time.monotonic() - began},
                    "videos": test.video.tolist(), "labels": test.label.tolist(),
                    "classes": table.drop_duplicates("label").sort_values("label")["class"].tolist(),
                    "scores": found.scores, "ranks": found.ranks, "predictions": found.predictions, "pretext": quality,
                }
            )
            + "\n",
        )  # fmt: skip
        return {
            f"{protocol}/{name}": float(np.mean(x)) for protocol, s in found.scores.items() for name, x in s.items()
        }

    record("evaluate", evaluate, args.params | {"variant": header["variant"], "seed": header["seed"]}, args.runs)


if __name__ == "__main__":
    cli.run(main)
