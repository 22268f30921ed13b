"""Linear probe and few-label draws."""

import numpy as np
import pytest

from csvr.evaluation.probe import draw_few, linear_probe, probe_accuracy


def clouds(seed: int, spread: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(3), 30)
    return np.eye(3)[labels] * [1, 50, 1000] + spread * rng.normal(size=(90, 3)) * [1, 50, 1000], labels


def test_separable_clouds_are_told_apart_whatever_their_scale() -> None:
    train, labels = clouds(0, 0.1)
    test, _ = clouds(1, 0.1)
    assert (linear_probe(train, labels, test, 1.0) == labels).all()
    noise = np.random.default_rng(2).normal(size=train.shape)
    assert (linear_probe(noise, labels, test, 1.0) == labels).mean() < 0.6


def test_few_labels_are_drawn_evenly_and_do_not_depend_on_the_features() -> None:
    train, labels = clouds(0, 0.5)
    picks = draw_few(labels, 4, np.random.default_rng(0))
    assert np.bincount(labels[picks]).tolist() == [4, 4, 4] and len(set(picks)) == 12
    with pytest.raises(ValueError, match="30"):
        draw_few(labels, 31, np.random.default_rng(0))
    probe = {"c": 1.0, "few": 4, "draws": 3, "seed": 0}
    a = probe_accuracy(train, labels, train, labels, probe)
    b = probe_accuracy(train, labels, train, labels, probe)
    np.testing.assert_array_equal(a["few"], b["few"])
    assert set(np.round(np.unique(a["few"] * 3), 6)) <= {0, 1, 2, 3} and a["all"].shape == (90,)
