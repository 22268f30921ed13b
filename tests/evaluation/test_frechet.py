"""The Fréchet distance against closed forms and other formulas."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.linalg import hadamard, sqrtm

from csvr.evaluation.frechet import frechet_distance

Floats = NDArray[np.float64]


def correlated(n: int, d: int, seed: int) -> Floats:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + rng.normal(size=d)


def by_nuclear_norm(one: Floats, other: Floats) -> float:
    """tr (Σ₁Σ₂)^½ is the sum of the singular values of A₁A₂ᵀ, where Σ = AᵀA: no covariance, no eigenvalue."""
    a, b = ((x - x.mean(0)) / np.sqrt(len(x) - 1) for x in (one, other))
    cross = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    means = np.square(one.mean(0) - other.mean(0)).sum()
    return float(means + np.square(a).sum() + np.square(b).sum() - 2 * cross)


def test_one_dimension_is_the_closed_form() -> None:
    """(μ₁ − μ₂)² + (σ₁ − σ₂)²."""
    one, other = np.array([[0.0], [2.0], [4.0]]), np.array([[9.0], [10.0], [11.0]])
    assert frechet_distance(one, other) == pytest.approx((2 - 10) ** 2 + (2 - 1) ** 2)


def test_diagonal_covariances_are_the_closed_form() -> None:
    """Σ_d (μ₁ − μ₂)² + (σ₁ − σ₂)², with columns that are exactly uncorrelated."""
    columns = hadamard(8)[:, 1:5] * np.sqrt(7 / 8)  # of variance 1
    scales, shift = np.array([[1.0, 2.0, 3.0, 0.0], [4.0, 0.5, 3.0, 2.0]]), np.array([1.0, -2.0, 0.0, 5.0])
    distance = frechet_distance(columns * scales[0], columns[::-1] * scales[1] + shift)
    assert distance == pytest.approx(np.square(shift).sum() + np.square(scales[0] - scales[1]).sum())


@pytest.mark.parametrize(("n", "m", "d"), [(200, 150, 5), (40, 60, 20), (6, 9, 30)])
def test_equals_an_independent_formula(n: int, m: int, d: int) -> None:
    """With fewer samples than features too, where both covariances are singular."""
    one, other = correlated(n, d, 0), correlated(m, d, 1)
    assert frechet_distance(one, other) == pytest.approx(by_nuclear_norm(one, other), rel=1e-6)
    assert frechet_distance(other, one) == pytest.approx(frechet_distance(one, other), rel=1e-6)


def test_equals_the_matrix_square_root() -> None:
    one, other = correlated(300, 6, 0), correlated(300, 6, 1)
    first, second = np.cov(one.T), np.cov(other.T)
    cross = np.trace(np.real(sqrtm(first @ second)))
    means = np.square(one.mean(0) - other.mean(0)).sum()
    expected = means + np.trace(first) + np.trace(second) - 2 * cross
    assert frechet_distance(one, other) == pytest.approx(expected, rel=1e-8)


def test_same_set_has_no_distance_and_few_samples_bias_it() -> None:
    one = correlated(500, 8, 0)
    assert frechet_distance(one, one[::-1]) == pytest.approx(0, abs=1e-9)
    rng = np.random.default_rng(0)
    few, many = (frechet_distance(rng.normal(size=(n, 16)), rng.normal(size=(n, 16))) for n in (20, 2000))
    assert few > 10 * many > 0


@pytest.mark.parametrize(
    ("one", "other", "named"),
    [
        (np.zeros((1, 3)), np.zeros((4, 3)), "N, M ≥ 2"),
        (np.zeros((4, 3)), np.zeros((4, 2)), "not \\(4, 3\\) and \\(4, 2\\)"),
        (np.full((4, 3), np.nan), np.zeros((4, 3)), "not finite"),
    ],
)
def test_what_has_no_distance_is_refused(one: Floats, other: Floats, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        frechet_distance(one, other)
