"""What is measured of one pretrained variant: linear probes, retrieval and fine-tuning of all read-outs."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from typing import Any

from csvr.data import index
from csvr.data.batches import Features
from csvr.evaluation.features import NO_POSE
from csvr.evaluation.finetune import finetuned_classes
from csvr.evaluation.frozen import Frozen, compute
from csvr.evaluation.probe import percent, probe, share_counts
from csvr.evaluation.retrieval import first_hit
from csvr.pretrain.model import Encoders
from csvr.pretrain.sizes import networks


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
        frozen: Features of all videos, of which probes and retrieval were computed; None without these.
    """

    scores: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    ranks: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    predictions: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    frozen: Frozen | None = None

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
    """All protocols that the parameters ask for, on each official split, computed where the encoders are.

    Args:
        encoders: In evaluation mode.
        features: Stored clips and poses of all videos of the table.
        table: Of `index.read`: columns video, label, split, and those of further splits.
        params: Effective parameters; what is measured is under "evaluate".
        seed: Draws what fine-tuning draws.
    """
    splits = index.each_split(table)
    result = Outcome(frozen=compute(encoders, features, splits, params) if params["evaluate"]["probe"] else None)
    if result.frozen is not None:
        for rows in splits:
            _read_out(result, result.frozen, rows, params)
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
        # In their order: that of a set is another one in each process, and so would be that of the output.
        for amount in [amount for amount in probed.shares if amount not in probed.classes]:
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
