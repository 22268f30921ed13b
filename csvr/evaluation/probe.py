"""Linear probe: multinomial logistic regression on frozen features."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

Array = NDArray[np.float64]


def fit_probe(train: Array, labels: NDArray[np.int64], c: float) -> Pipeline:
    """Logistic regression on (N, D) features, standardised by their own mean and deviation.

    Args:
        train: (N, D).
        labels: (N,).
        c: Inverse regularisation strength.

    Returns:
        Its `predict` takes (M, D) features and gives (M,) classes.
    """
    return make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=500)).fit(train, labels)


def draw_few(labels: NDArray[np.int64], per_class: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Indices of `per_class` random samples of each class.

    Raises:
        ValueError: A class has fewer.
    """
    picks = []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        if len(members) < per_class:
            raise ValueError(f"class {label} has {len(members)} samples, not {per_class}")
        picks.append(rng.choice(members, per_class, replace=False))
    return np.concatenate(picks)


def share_counts(labels: NDArray[np.int64], fraction: float) -> NDArray[np.int64]:
    """How many labels a share of each class is, at least one: (classes that occur,), in their order."""
    counts = np.unique(labels, return_counts=True)[1]
    return np.asarray(np.maximum(1, np.floor(fraction * counts + 0.5)), dtype=np.int64)


def draw_share(labels: NDArray[np.int64], fraction: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """Indices of a random share of each class, at least one sample of each."""
    members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    return np.concatenate(
        [rng.choice(m, n, replace=False) for m, n in zip(members, share_counts(labels, fraction), strict=True)]
    )


@dataclass(frozen=True)
class Probed:
    """What linear probes of one feature say of M test videos.

    Attributes:
        shares: How often each test video was classified correctly over the draws, (M,), 0 … 1; by amount of labels:
            "all", "few", or a percentage, "5pct"; those of `tests` of another name than "" with that name behind.
        classes: Predicted with all labels, (M,); likewise, "all" and what ends with such a name.
    """

    shares: dict[str, Array]
    classes: dict[str, NDArray[np.int64]]


def percent(fraction: float) -> str:
    """A share of the labels as part of a protocol's name: 0.05 → "5pct"."""
    return f"{100 * fraction:g}pct"


def probe(
    train: Array,
    train_labels: NDArray[np.int64],
    tests: dict[str, Array],
    test_labels: NDArray[np.int64],
    settings: dict[str, Any],
    fractions: Sequence[float] = (),
) -> Probed:
    """Linear probes with all labels, with few, and with shares of them; the latter two over several draws.

    The draws depend on the probe's own seed alone: every variant, feature and pretraining seed is probed with the
    same labelled videos.

    Args:
        train, train_labels: Features (N, D) and classes (N,).
        tests: Features of the test videos (M, D) by name: "", and other versions for the same classifiers.
        test_labels: (M,).
        settings: The `evaluate.probe` parameters: c, few (labels a class), draws, seed.
        fractions: Shares of each class's labels (`draw_share`); of these "" alone is asked.
    """
    c, shares, classes = float(settings["c"]), dict[str, Array](), dict[str, NDArray[np.int64]]()

    def drawn(seed: Any, draw: Callable[[np.random.Generator], NDArray[np.int64]]) -> Iterator[Pipeline]:
        rng = np.random.default_rng(seed)
        for _ in range(settings["draws"]):
            index = draw(rng)
            yield fit_probe(train[index], train_labels[index], c)

    right: dict[str, list[NDArray[np.bool_]]] = {}
    for classifier in drawn(settings["seed"], functools.partial(draw_few, train_labels, settings["few"])):
        for name, test in tests.items():
            right.setdefault(f"few{name}", []).append(classifier.predict(test) == test_labels)
    for fraction in fractions:
        found = drawn([settings["seed"], 1], functools.partial(draw_share, train_labels, fraction))
        right[percent(fraction)] = [classifier.predict(tests[""]) == test_labels for classifier in found]
    whole = fit_probe(train, train_labels, c)
    for name, test in tests.items():
        classes[f"all{name}"] = whole.predict(test)
        shares[f"all{name}"] = (classes[f"all{name}"] == test_labels).astype(float)
    return Probed(shares | {name: np.mean(values, axis=0) for name, values in right.items()}, classes)
