"""Goal 5: features of a video computed once; retrieval over 10⁵ × 10⁴ features."""

from __future__ import annotations

import time
from unittest import mock

import numpy as np
import pandas as pd
import torch
from sklearn.metrics.pairwise import cosine_similarity

from csvr.evaluation.measure import measure as evaluate
from csvr.evaluation.retrieval import first_hit
from csvr.pretrain.model import CSVR as Networks
from csvr.pretrain.model import Encoders
from tests.bench import training
from tests.bench.figures import CSVR, Bench, Figures, Goal

DIMENSIONS, CLASSES = 512, 100
SORT, TOP = "whole order by scikit-learn's cosines and a sort", "torch, matrix product and the 50 nearest (float32)"
FLOOR = "floor: the matrix product alone (float64)"
LARGE, SMALL = "retrieval, 10⁵ × 10⁴ features of 512", "retrieval, 10⁴ × 10³ features of 512"
PASSES, PART = "passes of a test clip through the clip encoder", "a test set of 60 videos, evaluated"


def measure(bench: Bench) -> None:
    """Retrieval on random features, where the slow way fits into memory and where it does not; passes of clips."""
    torch.set_num_threads(1)
    retrieval(bench, SMALL, 10**4 // (10 if bench.quick else 1), 10**3, 5, True)
    if not bench.quick:
        retrieval(bench, LARGE, 10**5, 10**4, 2, False)
    passes(bench)


def retrieval(bench: Bench, case: str, gallery: int, queries: int, runs: int, slow: bool) -> None:
    """Rank of the nearest video of the right class, all ways."""
    rng = np.random.default_rng(0)
    labels, asked = rng.integers(0, CLASSES, gallery), rng.integers(0, CLASSES, queries)
    centres = rng.normal(size=(CLASSES, DIMENSIONS))
    train = centres[labels] + 3 * rng.normal(size=(gallery, DIMENSIONS))
    test = centres[asked] + 3 * rng.normal(size=(queries, DIMENSIONS))

    def sort() -> None:
        mean = train.mean(0)
        order = np.argsort(-cosine_similarity(test - mean, train - mean), axis=1, kind="stable")
        (labels[order] == asked[:, None]).argmax(1)

    def top() -> None:
        a, b = (torch.nn.functional.normalize(torch.from_numpy(x - train.mean(0)).float()) for x in (test, train))
        for some in a.split(512):
            (some @ b.T).topk(50)

    def product() -> None:
        for first in range(0, queries, 512):
            test[first : first + 512] @ train.T

    ways = {CSVR: lambda: (first_hit(train, labels, test, asked), None)[1], TOP: top, FLOOR: product}
    bench.compare(case, ways | ({SORT: sort} if slow else {}), runs, note="" if slow else "two runs", warm=slow)


def passes(bench: Bench) -> None:
    """How often a clip of a test video goes through the encoders for probe, few labels and retrieval together."""
    profile = training.embedded(bench, "cpu")
    params = profile.variant("full")
    params["evaluate"]["finetune"] = None
    params["evaluate"]["probe"] |= {"few": 1, "draws": 2}
    features = profile.opened()
    half = len(profile.videos) // 2
    table = pd.DataFrame({"video": profile.videos, "split": ["train"] * half + ["test"] * half})
    table["label"] = [k % 12 for k in range(len(table))]
    encoders = Networks(params, len(features.keypoints(profile.videos[0], 0))).eval().encoders
    seen: list[int] = []
    forward = Encoders.forward

    def counted(self: Encoders, clip: torch.Tensor, poses: torch.Tensor) -> dict[str, torch.Tensor]:
        seen.append(len(clip))
        return forward(self, clip, poses)

    began = time.perf_counter()
    with mock.patch.object(Encoders, "forward", counted):
        evaluate(encoders, features, table, params, 0)
    bench.value(PART, time.perf_counter() - began, "s", note="one run")
    clips = len(table) * params["evaluate"]["clips"]
    bench.value(PASSES, sum(seen) / clips, "passes", note="linear probe, few labels and retrieval of all features")


def goals(figures: Figures) -> list[Goal]:
    """What issue 7 asks of evaluation."""
    fast = "retrieval of 10⁴ queries from 10⁵ videos in seconds (taken as ≤ 60 s on one core)"
    once = "features of a video computed once for linear probe, few labels and retrieval"
    return [
        Goal(fast, figures.median(LARGE), 60, False, "s"),
        Goal(once, figures.median(PASSES), 1, False, "passes"),
    ]
