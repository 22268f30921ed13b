"""Linear probe, and draws of labelled videos."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torchmetrics.functional.classification import multiclass_accuracy

from csvr.evaluation.probe import draw_few, draw_share, fit_probe, percent, probe, share_counts

SETTINGS = {"c": 1.0, "few": 4, "draws": 3, "seed": 0}


def clouds(seed: int, spread: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(3), 30)
    return np.eye(3)[labels] * [1, 50, 1000] + spread * rng.normal(size=(90, 3)) * [1, 50, 1000], labels


def test_separable_clouds_are_told_apart_whatever_their_scale() -> None:
    train, labels = clouds(0, 0.1)
    test, _ = clouds(1, 0.1)
    assert (fit_probe(train, labels, 1.0).predict(test) == labels).all()
    noise = np.random.default_rng(2).normal(size=train.shape)
    assert (fit_probe(noise, labels, 1.0).predict(test) == labels).mean() < 0.6


def test_few_labels_are_drawn_evenly_and_do_not_depend_on_the_features() -> None:
    train, labels = clouds(0, 0.5)
    picks = draw_few(labels, 4, np.random.default_rng(0))
    assert np.bincount(labels[picks]).tolist() == [4, 4, 4] and len(set(picks)) == 12
    with pytest.raises(ValueError, match="30"):
        draw_few(labels, 31, np.random.default_rng(0))
    a = probe(train, labels, {"": train}, labels, SETTINGS)
    b = probe(train, labels, {"": train}, labels, SETTINGS)
    np.testing.assert_array_equal(a.shares["few"], b.shares["few"])
    assert set(np.round(np.unique(a.shares["few"] * 3), 6)) <= {0, 1, 2, 3} and a.shares["all"].shape == (90,)


def test_shares_are_of_each_class_and_at_least_one() -> None:
    labels = np.repeat([0, 1, 4], [100, 30, 5])
    assert share_counts(labels, 0.01).tolist() == [1, 1, 1]
    assert share_counts(labels, 0.05).tolist() == [5, 2, 1]  # 1.5 is rounded up
    assert share_counts(labels, 0.5).tolist() == [50, 15, 3]
    picks = draw_share(labels, 0.05, np.random.default_rng(0))
    assert np.bincount(labels[picks]).tolist() == [5, 2, 0, 0, 1] and len(set(picks)) == 8
    assert not np.array_equal(picks, draw_share(labels, 0.05, np.random.default_rng(1)))
    assert [percent(x) for x in (0.01, 0.05, 0.1, 0.005)] == ["1pct", "5pct", "10pct", "0.5pct"]


def test_the_probe_equals_scikit_learn_on_features_standardised_by_hand() -> None:
    (train, labels), (test, _) = clouds(0, 0.7), clouds(1, 0.7)
    found = probe(train, labels, {"": test, "_other": test[::-1]}, labels, SETTINGS, [0.1])
    mean, std = train.mean(0), train.std(0)
    classes = LogisticRegression(C=1.0, max_iter=500).fit((train - mean) / std, labels).predict((test - mean) / std)
    np.testing.assert_array_equal(found.classes["all"], classes)
    np.testing.assert_array_equal(found.classes["all_other"], classes[::-1])
    np.testing.assert_array_equal(found.shares["all"], classes == labels)
    accuracy = multiclass_accuracy(torch.from_numpy(classes), torch.from_numpy(labels), 3, average="micro")
    assert found.shares["all"].mean() == pytest.approx(float(accuracy)) and 0.5 < accuracy < 1
    # Shares of the labels: three draws, each with a tenth of 30 a class, of the named version alone.
    rng, right = np.random.default_rng([0, 1]), []
    for _ in range(3):
        index = draw_share(labels, 0.1, rng)
        assert np.bincount(labels[index]).tolist() == [3, 3, 3]
        right.append(fit_probe(train[index], labels[index], 1.0).predict(test) == labels)
    np.testing.assert_allclose(found.shares["10pct"], np.mean(right, axis=0))
    assert set(found.shares) == {"all", "all_other", "few", "few_other", "10pct"}
