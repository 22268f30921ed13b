"""Means, spreads and intervals against loops, exact cases and a simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm

from csvr.reporting import statistics
from csvr.reporting.statistics import (
    Interval,
    accuracy,
    holm,
    mean_weights,
    paired,
    paired_draws,
    paired_intervals,
    paired_p_values,
    spread,
    video_counts,
)

LABELS = np.repeat(np.arange(4), 10)
ALL = mean_weights(np.ones(40, bool))[:, None]


def test_spread_is_the_sample_standard_deviation():
    found = spread(np.array([0.5, 0.7, 0.9]))
    assert found.mean == pytest.approx(0.7) and found.std == pytest.approx(0.2) and found.n == 3
    assert math.isnan(spread(np.array([0.5])).std) and spread(np.array([0.5])).mean == 0.5
    assert math.isnan(spread(np.array([])).mean)


def test_accuracy_of_a_group():
    assert accuracy(np.array([1.0, 0.5, 0.0]), np.array([True, True, False])) == 0.75
    assert math.isnan(accuracy(np.array([1.0]), np.array([False])))


def test_no_difference_gives_no_interval():
    assert paired_intervals(np.zeros((3, 40)), LABELS, ALL) == [Interval(0.0, 0.0, 0.0, 3)]
    assert not Interval(0.0, 0.0, 0.0, 3).excludes_zero


def test_constant_shift_is_certain():
    found = paired_intervals(np.full((3, 40), 0.25), LABELS, ALL)[0]
    assert (found.mean, found.low, found.high) == pytest.approx((0.25, 0.25, 0.25))
    assert found.excludes_zero


def test_constant_difference_a_class_is_certain_because_classes_are_strata():
    found = paired_intervals(np.tile(LABELS / 4.0, (2, 1)), LABELS, ALL)[0]
    assert (found.low, found.high) == pytest.approx((found.mean, found.mean))


def test_videos_are_resampled_within_their_class():
    counts = video_counts(LABELS, 50, np.random.default_rng(0))
    for label in range(4):
        assert (counts[:, LABELS == label].sum(axis=1) == 10).all()
    assert counts.std() > 0.5


def test_draws_equal_an_explicit_loop_over_the_same_resamples():
    rng = np.random.default_rng(3)
    difference = rng.normal(size=(3, 40))
    weights = np.stack([mean_weights(LABELS < 2), mean_weights(LABELS == 3)], axis=1)
    found = paired_draws(difference, LABELS, weights, draws=20, seed=5)

    again = np.random.default_rng(5)
    seeds = again.multinomial(3, [1 / 3] * 3, size=20)
    videos = video_counts(LABELS, 20, again).astype(int)
    for k in range(20):
        for column, inside in enumerate((LABELS < 2, LABELS == 3)):
            values = [
                difference[s, v]
                for s in range(3)
                for _ in range(seeds[k, s])
                for v in range(40)
                if inside[v]
                for _ in range(videos[k, v])
            ]
            assert found[k, column] == pytest.approx(np.mean(values))


def test_interval_agrees_with_an_independent_bootstrap_by_indices():
    rng = np.random.default_rng(4)
    difference = 0.1 + 0.1 * rng.normal(size=(5, 1)) + 0.4 * rng.normal(size=(5, 40))
    found = paired_intervals(difference, LABELS, ALL, draws=4000)[0]
    means = []
    for _ in range(4000):
        seeds = rng.integers(0, 5, 5)
        videos = np.concatenate([rng.choice(np.flatnonzero(LABELS == c), 10) for c in range(4)])
        means.append(difference[np.ix_(seeds, videos)].mean())
    assert found.mean == pytest.approx(difference.mean())
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(means, [0.025, 0.975])), abs=0.012)


def test_variation_between_seeds_widens_the_interval():
    rng = np.random.default_rng(0)
    noise = 0.3 * rng.normal(size=(5, 40))
    same = paired_intervals(noise, LABELS, ALL)[0]
    varied = paired_intervals(noise + np.array([[-0.4], [-0.2], [0], [0.2], [0.4]]), LABELS, ALL)[0]
    assert varied.high - varied.low > 2 * (same.high - same.low)


def test_coverage_in_a_simulation():
    """Five seeds, seed, video and residual variation: 95 % intervals hold the truth in about 95 % of 300 trials."""
    rng = np.random.default_rng(7)
    hits = 0
    for trial in range(300):
        seed, video = 0.03 * rng.normal(size=(5, 1)), 0.3 * rng.normal(size=(1, 40))
        difference = 0.1 + seed + video + 0.3 * rng.normal(size=(5, 40))
        found = paired_intervals(difference, LABELS, ALL, draws=400, seed=trial)[0]
        hits += found.low <= 0.1 <= found.high
    assert 0.90 <= hits / 300 <= 0.99


def test_pairs_are_of_the_same_seed():
    a, b = {0: np.array([1.0]), 2: np.array([0.5])}, {2: np.array([0.25]), 3: np.array([9.0])}
    assert paired(a, b).tolist() == [[0.25]]
    assert paired(a, {}) is None


def test_intervals_are_reproducible():
    difference = np.random.default_rng(1).normal(size=(3, 40))
    assert paired_intervals(difference, LABELS, ALL) == paired_intervals(difference, LABELS, ALL)


def test_holm_by_hand():
    # In order: 0.005 · 4, 0.01 · 3, 0.03 · 2, then 0.04 · 1, which must not be less than the one before.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.4]) == pytest.approx([0.8, 0.8]) and holm([0.7, 0.9]) == [1, 1]
    assert holm([0.02]) == [0.02] and holm([]) == []


def test_holm_rejects_what_its_steps_reject():
    """Stepping down from the smallest, and stopping at the first that is not below level / number that are left."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        p = rng.uniform(size=8) ** 4
        rejected = set()
        for step, k in enumerate(np.argsort(p)):
            if p[k] > 0.05 / (8 - step):
                break
            rejected.add(int(k))
        assert {k for k, value in enumerate(holm(p.tolist())) if value <= 0.05} == rejected


def test_p_value_of_no_difference_and_of_a_certain_one():
    assert paired_p_values(np.zeros((3, 40)), LABELS, ALL) == [1]
    # None of 20000 draws is on the other side.
    assert paired_p_values(np.full((3, 40), -0.25), LABELS, ALL) == pytest.approx([2 / 20001])


def test_p_value_and_interval_say_the_same():
    rng = np.random.default_rng(2)
    weights = np.stack([mean_weights(LABELS == k) for k in range(4)], axis=1)
    for shift in (0.0, 0.05, 0.1):
        difference = shift + 0.3 * rng.normal(size=(4, 40))
        intervals = paired_intervals(difference, LABELS, weights)
        for interval, p in zip(intervals, paired_p_values(difference, LABELS, weights), strict=True):
            if not 0.035 < p < 0.065:  # where chance decides
                assert interval.excludes_zero == (p < 0.05)


def test_p_value_of_one_seed_is_that_of_a_normal_distribution():
    """Many videos of one class: the mean of resamples is nearly normal, with a known standard error."""
    difference = 0.05 + 0.5 * np.random.default_rng(5).normal(size=(1, 400))
    z = difference.mean() / (difference.std() / 20)
    expected = 2 * norm.sf(abs(z))
    one = np.zeros(400, dtype=np.int64)
    found = paired_p_values(difference, one, mean_weights(np.ones(400, bool))[:, None])
    assert 0.005 < expected < 0.5 and found == pytest.approx([expected], rel=0.15)


def test_false_findings_are_as_many_as_they_may_be(monkeypatch):
    """No true difference, crossed seeds and videos: about 5 % of p-values are below 0.05 (few seeds: some more)."""
    monkeypatch.setattr(statistics, "CHUNKS", 1)
    rng, hits = np.random.default_rng(11), 0
    for _ in range(300):
        difference = 0.03 * rng.normal(size=(5, 1)) + 0.3 * rng.normal(size=(1, 40)) + 0.3 * rng.normal(size=(5, 40))
        hits += paired_p_values(difference, LABELS, ALL)[0] < 0.05
    assert 0.01 <= hits / 300 <= 0.10
