"""Evaluate one pretrained variant: python -m csvr.evaluate --networks networks.safetensors --output metrics.json …

Linear probe on frozen features (all labels; few, and shares of each class, with several draws), nearest-neighbour
retrieval and fine-tuning, on the official train and test lists of one split or of several; probe and retrieval also as
if nobody had been found in the test videos. The output says of every test video how often it was classified correctly,
as which class, and at which rank its class was retrieved, so that intervals can be computed later without running
anything again; and how well the pretrained branches predict. Videos of further splits follow those of the first.
"""

from __future__ import annotations

import itertools
import json
import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sacred.run import Run
from torch import Tensor

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
    """What was measured of the test videos, one value each, by protocol and read-out; those of further splits follow.

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
        self.ranks.setdefault(protocol, {}).setdefault(readout, []).extend(ranks.tolist())
        self.add_scores(protocol, readout, (ranks == 1).astype(float))

    def add_classes(self, protocol: str, readout: str, classes: Any, labels: Any) -> None:
        """Predicted classes, and whether they are right as scores."""
        self.predictions.setdefault(protocol, {}).setdefault(readout, []).extend(classes.tolist())
        self.add_scores(protocol, readout, (classes == labels).astype(float))

    def add_scores(self, protocol: str, readout: str, scores: Any) -> None:
        """Shares of correct predictions."""
        self.scores.setdefault(protocol, {}).setdefault(readout, []).extend(round(float(x), 6) for x in scores)


def measure(encoders: Encoders, features: Features, table: Any, params: dict[str, Any], seed: int) -> Outcome:
    """All protocols that the parameters ask for, on each split of the table, computed where the encoders are."""
    splits, result = index.each_split(table), Outcome()
    if params["evaluate"]["probe"]:
        frozen = _frozen(encoders, features, splits, params)
        for rows in splits:
            _read_out(result, frozen, rows, params)
    if params["evaluate"]["finetune"]:
        semi = params["evaluate"]["semi"]
        fractions = semi["fractions"] if semi and semi["finetune"] else []
        for rows, fraction in itertools.product(splits, [None, *fractions]):
            train, test = rows[rows.split == "train"], rows[rows.split == "test"]
            classes = finetuned_classes(
                encoders, readouts(params), features, (train.video.tolist(), train.label.to_numpy()),
                test.video.tolist(), params, seed, fraction,
            )  # fmt: skip
            protocol = "finetune" if fraction is None else f"finetune_{percent(fraction)}"
            result.add_classes(protocol, "all", classes, test.label.to_numpy())
    return result


@dataclass(frozen=True)
class Frozen:
    """Features of videos, each computed once.

    Attributes:
        rows: Where each video is; those that some split tests come first.
        values: By name, float32 (videos, channels); those as if nobody had been found are of tested videos only.
    """

    rows: dict[str, int]
    values: dict[str, Tensor]

    def of(self, names: list[str], videos: list[str]) -> NDArray[np.float64]:
        """Features of these names side by side: (videos, channels of all)."""
        rows = [self.rows[video] for video in videos]
        return np.concatenate([self.values[name][rows].double().numpy() for name in names], 1)


def _frozen(encoders: Encoders, features: Features, splits: list[Any], params: dict[str, Any]) -> Frozen:
    settings, first = params["evaluate"], splits[0]
    tested = list(dict.fromkeys(video for rows in splits for video in rows.video[rows.split == "test"]))
    others = list(dict.fromkeys(video for rows in splits for video in rows.video if video not in set(tested)))
    control = untrained_integration(encoders, params["model"], features, first.video[first.split == "train"].tolist())
    parts = [
        video_features(encoders, control, features, tested, settings["clips"], no_pose=settings["no_pose_test"]),
        video_features(encoders, control, features, others, settings["clips"]) if others else {},
    ]
    values = {name: torch.cat([part[name] for part in parts if name in part]) for name in parts[0]}
    return Frozen({video: row for row, video in enumerate(tested + others)}, values)


def _read_out(result: Outcome, frozen: Frozen, table: Any, params: dict[str, Any]) -> None:
    """Linear probe and retrieval on one split."""
    settings, names = params["evaluate"], readouts(params)
    semi = settings["semi"] or {"fractions": [], "probe": False}
    part = {split: table[table.split == split] for split in ("train", "test")}
    videos = {split: rows.video.tolist() for split, rows in part.items()}
    labels = {split: rows.label.to_numpy() for split, rows in part.items()}
    controls = ["f_i_untrained"] if "f_i_untrained" in frozen.values else []
    for name, members in ({name: [name] for name in names + controls} | {"all": names}).items():
        train = frozen.of(members, videos["train"])
        tests = {"": frozen.of(members, videos["test"])}
        masked = [f"{m}{NO_POSE}" if f"{m}{NO_POSE}" in frozen.values else m for m in members]
        if masked != members:
            tests[NO_POSE] = frozen.of(masked, videos["test"])
        for ending, test in tests.items():
            ranks = first_hit(train, labels["train"], test, labels["test"])
            result.add_ranks(f"retrieval{ending}", name, ranks)
        # Shares of the labels are read out of all features alone: a fit for each costs time.
        fractions = semi["fractions"] if semi["probe"] and name == "all" else []
        probed = probe(train, labels["train"], tests, labels["test"], settings["probe"], fractions)
        for amount in probed.shares.keys() - probed.classes.keys():
            result.add_scores(f"linear_{amount}", name, probed.shares[amount])
        for amount, classes in probed.classes.items():
            result.add_classes(f"linear_{amount}", name, classes, labels["test"])


def labelled(table: Any, params: dict[str, Any]) -> dict[str, int]:
    """Labelled training videos of each share that `evaluate.semi` names, all classes together, in the first split."""
    first = index.each_split(table)[0]
    labels = first[first.split == "train"].label.to_numpy()
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
    features.require(table.video.tolist())
    pose_frames = len(features.keypoints(table.video[0], 0))
    model, header = load_networks(args.networks, args.params, pose_frames)
    there = features.provenance(args.index)
    require_pretrained_on(args.networks, header["data"], there, args.index, args.pretrained_index)
    splits = index.each_split(table)
    elsewhere = args.pretrained_index not in (None, args.index)
    pretrained = index.read(args.pretrained_index if elsewhere else args.index)
    for rows in splits:
        require_split(rows)
        # Of one data set, the first split is pretrained on: what is a test video of any other must not be in it.
        require_apart(pretrained[pretrained.split == "train"], rows[rows.split == "test"], names=not elsewhere)
    test = pd.concat([rows[rows.split == "test"] for rows in splits])
    trained = args.params["pretrain"]["steps"] > 0
    model.to(device)

    def evaluate(config: dict[str, Any], run: Run) -> dict[str, float]:
        began = time.monotonic()
        found = measure(model.encoders, features, table, args.params, header["seed"])
        quality = pretext_quality(model, features, test.video.unique().tolist(), device) if trained else {}
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
                    "splits": len(splits), "videos": test.video.tolist(), "labels": test.label.tolist(),
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
