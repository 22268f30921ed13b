"""Means, spreads and paired bootstrap intervals. Shapes: S seeds, V test videos, K quantities (e.g. class groups)."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
DRAWS = 2000
LEVEL = 0.95
CHUNKS = 10
"""Times `DRAWS` draws for a p-value: a correction for many comparisons needs small ones."""


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation over `n` seeds; NaN where undefined (mean: n = 0, std: n < 2)."""

    mean: float
    std: float
    n: int


@dataclass(frozen=True)
class Interval:
    """A mean paired difference with its percentile interval; `seeds` pairs went into it."""

    mean: float
    low: float
    high: float
    seeds: int

    @property
    def excludes_zero(self) -> bool:
        """Whether all of the interval lies on one side of 0."""
        return self.low > 0 or self.high < 0


def spread(values: Floats) -> Spread:
    """Mean m = Σ x / n and sample standard deviation sqrt(Σ (x - m)² / (n - 1)) of (n,) values."""
    n = len(values)
    return Spread(
        float(np.mean(values)) if n else float("nan"), float(np.std(values, ddof=1)) if n > 1 else float("nan"), n
    )


def accuracy(scores: Floats, mask: NDArray[np.bool_]) -> float:
    """Share of correct predictions on the videos of `mask`: Σ_v m_v x_v / Σ_v m_v, both of shape (V,)."""
    return float(scores[mask].mean()) if mask.any() else float("nan")


def mean_weights(mask: NDArray[np.bool_]) -> Floats:
    """Weights w = m / Σ m of shape (V,), with which Σ_v w_v x_v is the mean over the videos of `mask`."""
    return np.asarray(mask / mask.sum(), dtype=np.float64)


def video_counts(labels: NDArray[np.int64], draws: int, rng: np.random.Generator) -> Floats:
    """How often each video is drawn when each class's videos are resampled with replacement: (draws, V)."""
    counts = np.empty((draws, len(labels)))
    for label in np.unique(labels):
        member = np.flatnonzero(labels == label)
        counts[:, member] = rng.multinomial(len(member), np.full(len(member), 1 / len(member)), size=draws)
    return counts


def paired_draws(
    difference: Floats, labels: NDArray[np.int64], weights: Floats, draws: int = DRAWS, seed: int = 0
) -> Floats:
    """Bootstrap draws of mean paired differences, resampling seeds and test videos.

    All seeds are tested on the same videos, so the two are crossed: a draw takes S seeds with replacement (counts
    a_s) and, from each class, as many videos as it has with replacement (counts b_v), and uses every video drawn
    with every seed drawn (Owen's "pigeonhole" bootstrap). Quantity k of the draw is

        Σ_s Σ_v (a_s / S) b_v D_sv W_vk

    Args:
        difference: D, what one variant scored minus what the other scored, shape (S, V).
        labels: Class of each video, shape (V,).
        weights: W, shape (V, K): a column of `mean_weights` gives a mean, a difference of two a contrast.
        draws: Number of draws.
        seed: Seed of the resampling.

    Returns:
        Shape (draws, K).
    """
    seeds, videos = _resamples(len(difference), labels.astype(np.int64).tobytes(), draws, seed)
    return np.asarray(((seeds / len(difference) @ difference) * videos) @ weights)


@functools.lru_cache(maxsize=2 * CHUNKS)
def _resamples(count: int, labels: bytes, draws: int, seed: int) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """How often each seed (draws, count) and each video (draws, V) is drawn: the same for all of a table."""
    rng = np.random.default_rng(seed)
    seeds = rng.multinomial(count, np.full(count, 1 / count), size=draws)
    videos = video_counts(np.frombuffer(labels, dtype=np.int64), draws, rng)
    return seeds.astype(np.int16), videos.astype(np.int16)


def paired_intervals(
    difference: Floats, labels: NDArray[np.int64], weights: Floats, draws: int = DRAWS, seed: int = 0
) -> list[Interval]:
    """95 % percentile intervals of K mean paired differences; arguments as in `paired_draws`.

    The point estimate is Σ_s Σ_v D_sv W_vk / S, the ends are the 2.5 % and 97.5 % quantiles of the draws. With one
    seed the interval covers test videos only.
    """
    sampled = paired_draws(difference, labels, weights, draws, seed)
    # Rounded, so that differences that cancel are 0 and not 1e-18, which would "exclude" 0.
    low, high = np.quantile(sampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0).round(12)
    means = (difference @ weights).mean(axis=0)
    return [Interval(float(m), float(a), float(b), len(difference)) for m, a, b in zip(means, low, high, strict=True)]


def paired(scores: dict[int, Floats], reference: dict[int, Floats]) -> Floats | None:
    """Scores minus those of the reference on the seeds that both have: (S, V), None if they share no seed."""
    common: list[Any] = [seed for seed in scores if seed in reference]
    return np.stack([scores[seed] - reference[seed] for seed in common]) if common else None


def paired_p_values(difference: Floats, labels: NDArray[np.int64], weights: Floats) -> Floats:
    """Two-sided p-values of K mean paired differences being 0, (K,); arguments as in `paired_draws`.

    From draws as those of the intervals, and more of them: p = 2 · min(b₋ + 1, b₊ + 1) / (B + 1), at most 1, where b₋
    of the B draws are at most 0 and b₊ at least 0; 1 where nothing differs. An interval that excludes 0 and p < 0.05
    are thus the same test, but for chance. One by flipping signs is no alternative: seeds and videos are crossed, so
    only whole seeds may be flipped, and of 5 seeds there are 32 flips, none with p below 0.06.
    """
    below, above = np.zeros(weights.shape[1]), np.zeros(weights.shape[1])
    for chunk in range(CHUNKS):
        draws = paired_draws(difference, labels, weights, DRAWS, seed=chunk).round(12)
        below += (draws <= 0).sum(axis=0)
        above += (draws >= 0).sum(axis=0)
    return np.asarray(np.minimum(1, 2 * (np.minimum(below, above) + 1) / (CHUNKS * DRAWS + 1)))


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected so that the chance of any false finding among all of them is controlled (Holm 1979).

    The k-th smallest of m, counted from 0, is multiplied by m − k; none is less than a smaller one's, or more than 1.
    """
    order = np.argsort(p_values, kind="stable")
    factors = len(order) - np.arange(len(order))
    corrected = np.minimum(1, np.maximum.accumulate(np.asarray(p_values, dtype=np.float64)[order] * factors))
    result = np.empty(len(order))
    result[order] = corrected
    return [float(value) for value in result]
