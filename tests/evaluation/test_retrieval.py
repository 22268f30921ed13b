"""Nearest-neighbour retrieval against a loop, a case by hand, scikit-learn and torchmetrics."""

import numpy as np
import pytest
import torch
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.neighbors import NearestNeighbors
from torchmetrics.retrieval import RetrievalHitRate

from csvr.evaluation import retrieval
from csvr.evaluation.retrieval import first_hit, ranked


def test_ranks_equal_a_loop_and_depend_on_neither_offset_nor_length() -> None:
    rng = np.random.default_rng(0)
    train, test = rng.normal(size=(30, 5)), rng.normal(size=(12, 5))
    train_labels, test_labels = np.arange(30) % 4, np.arange(12) % 4
    ranks = first_hit(train, train_labels, test, test_labels)
    centre = train.mean(0)
    for query, label, rank in zip(test - centre, test_labels, ranks, strict=True):
        near = [query @ g / np.linalg.norm(query) / np.linalg.norm(g) for g in train - centre]
        right = [k for k in range(30) if train_labels[k] == label]
        best = max(near[k] for k in right)
        assert rank == 1 + sum(value > best for value in near)
    moved = first_hit(3 * train + 7, train_labels, 3 * test + 7, test_labels)
    np.testing.assert_array_equal(moved, ranks)
    assert 1 < ranks.max() <= 30


def test_a_video_finds_itself() -> None:
    values, labels = np.random.default_rng(1).normal(size=(20, 8)), np.arange(20) % 5
    assert (first_hit(values, labels, values, labels) == 1).all()


def test_ranks_by_hand_and_by_scikit_learn_and_torchmetrics() -> None:
    """Four training videos on a circle around their mean, 0; queries at known angles between them."""
    angles, labels = np.deg2rad([0.0, 90, 180, 270]), np.array([0, 1, 1, 2])
    train = np.stack([np.cos(angles), np.sin(angles)], 1)
    asked = np.deg2rad([10.0, 10, 10, 200])
    test = 3 * np.stack([np.cos(asked), np.sin(asked)], 1)
    # From 10°: 0° is 10 away, 90° 80, 270° 100, 180° 170. From 200°: 180° is 20, 270° 70 away.
    ranks = first_hit(train, labels, test, np.array([0, 1, 2, 2]))
    assert ranks.tolist() == [1, 2, 3, 2]

    rng = np.random.default_rng(0)
    train, test = rng.normal(size=(60, 7)), rng.normal(size=(40, 7))
    train_labels, test_labels = np.arange(60) % 6, np.arange(40) % 6
    ranks = first_hit(train, train_labels, test, test_labels)
    centre = train.mean(0)
    neighbours = NearestNeighbors(metric="cosine").fit(train - centre).kneighbors(test - centre, 20)[1]
    similar = torch.from_numpy(cosine_similarity(test - centre, train - centre))
    right = torch.from_numpy(train_labels[None] == test_labels[:, None])
    query = torch.arange(40)[:, None].expand(40, 60)
    for k in (1, 5, 10, 20):
        hits = (train_labels[neighbours[:, :k]] == test_labels[:, None]).any(1)
        np.testing.assert_array_equal(ranks <= k, hits)
        rate = RetrievalHitRate(top_k=k)(similar.flatten(), right.flatten(), query.flatten())
        assert (ranks <= k).mean() == pytest.approx(float(rate))


@pytest.mark.parametrize("cells", [1, 100, 2**22])
def test_ranks_are_those_of_the_whole_order_with_ties_too(cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrieval, "CELLS", cells)
    rng = np.random.default_rng(0)
    # Small whole numbers with a mean of 0: many videos are exactly as near as others, and cosines have no rounding.
    half = rng.integers(-1, 2, size=(40, 2)).astype(float)
    train, labels = np.concatenate([half, -half]), rng.integers(0, 3, 80)
    test, asked = rng.integers(-1, 2, size=(30, 2)).astype(float), rng.integers(0, 3, 30)
    expected = (labels[ranked(train, test)] == asked[:, None]).argmax(1) + 1
    np.testing.assert_array_equal(first_hit(train, labels, test, asked), expected)
    train, test = rng.normal(size=(200, 7)), rng.normal(size=(90, 7))
    labels, asked = rng.integers(0, 9, 200), rng.integers(0, 9, 90)
    expected = (labels[ranked(train, test)] == asked[:, None]).argmax(1) + 1
    np.testing.assert_array_equal(first_hit(train, labels, test, asked), expected)
