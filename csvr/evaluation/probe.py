"""Linear probe: multinomial logistic regression on frozen features."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

Array = NDArray[np.float64]


def linear_probe(train: Array, labels: NDArray[np.int64], test: Array, c: float) -> NDArray[np.int64]:
    """Predicted classes of the test videos.

    Args:
        train: (N, D), standardised here by their own mean and deviation.
        labels: (N,).
        test: (M, D).
        c: Inverse regularisation strength.

    Returns:
        (M,).
    """
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=500))
    predicted: NDArray[np.int64] = classifier.fit(train, labels).predict(test)
    return predicted


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


def probe_accuracy(
    train: Array, train_labels: NDArray[np.int64], test: Array, test_labels: NDArray[np.int64], probe: dict[str, Any]
) -> dict[str, Array]:
    """Linear probe with all labels and with few, averaged over draws.

    The draws depend on the probe's own seed alone: every variant, feature and pretraining seed is probed with the
    same labelled videos.

    Args:
        train, train_labels, test, test_labels: Features (N, D) and classes (N,).
        probe: The `evaluate.probe` parameters: c, few (labels a class), draws, seed.

    Returns:
        For "all" and "few": the share of correct predictions of each test video over the draws, (M,), 0 … 1.
    """
    scaled = float(probe["c"])
    rng = np.random.default_rng(probe["seed"])
    few = []
    for _ in range(probe["draws"]):
        index = draw_few(train_labels, probe["few"], rng)
        few.append(linear_probe(train[index], train_labels[index], test, scaled) == test_labels)
    return {
        "all": (linear_probe(train, train_labels, test, scaled) == test_labels).astype(float),
        "few": np.mean(few, axis=0),
    }
