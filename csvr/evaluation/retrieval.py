"""Nearest-neighbour retrieval: test videos ask, training videos answer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics.pairwise import cosine_similarity

Array = NDArray[np.float64]


def ranked(train: Array, test: Array) -> NDArray[np.int64]:
    """The training videos in the order in which they answer each query, the nearest first: (M, N).

    Features are centred by the mean of the training videos and compared by their cosine, as CMD (Huang et al. 2021)
    does. Of equally near videos the first in order is nearer.

    Args:
        train: The gallery, (N, D).
        test: The queries, (M, D).
    """
    mean = train.mean(0)
    return np.argsort(-cosine_similarity(test - mean, train - mean), axis=1, kind="stable")


def first_hit(
    train: Array, train_labels: NDArray[np.int64], test: Array, test_labels: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Rank of the nearest training video of the right class (see `ranked`); R@k is the share of ranks ≤ k.

    Args:
        train, train_labels: The gallery, (N, D) and (N,).
        test, test_labels: The queries, (M, D) and (M,); each class of theirs is in the gallery.

    Returns:
        (M,), 1 … N.
    """
    return np.asarray((train_labels[ranked(train, test)] == test_labels[:, None]).argmax(1) + 1)
