"""Nearest-neighbour retrieval: test videos ask, training videos answer."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.preprocessing import normalize

Array = NDArray[np.float64]
CELLS: Final = 2**24
"""Similarities that are in memory together: 128 MB."""


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
    mean, ranks = train.mean(0), np.empty(len(test), np.int64)
    # Classes side by side: those of the right class are one slice, and no order of all videos is needed.
    order = np.argsort(train_labels, kind="stable")
    gallery, gallery_labels = normalize(train - mean)[order], train_labels[order]
    queries = np.argsort(test_labels, kind="stable")
    for some in np.split(queries, range(0, len(queries), max(1, CELLS // len(train)))[1:]):
        near = normalize(test[some] - mean) @ gallery.T
        best, where = np.empty((len(some), 1)), np.empty((len(some), 1), np.int64)
        for label in np.unique(test_labels[some]):
            rows = test_labels[some] == label
            first, last = np.searchsorted(gallery_labels, [label, label + 1])
            best[rows] = near[rows, first:last].max(1, keepdims=True)
            where[rows] = order[first + near[rows, first:last].argmax(1, keepdims=True)]
        ranks[some] = 1 + np.count_nonzero(near > best, axis=1)
        ties = np.count_nonzero(near == best, axis=1) > 1
        ranks[some[ties]] += np.count_nonzero((near[ties] == best[ties]) & (order < where[ties]), axis=1)
    return ranks
