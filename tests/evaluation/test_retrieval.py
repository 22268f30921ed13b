"""Nearest-neighbour retrieval against a loop."""

import numpy as np

from csvr.evaluation.retrieval import first_hit


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
