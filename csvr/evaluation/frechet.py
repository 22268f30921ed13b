"""Fréchet distance between the normal distributions fitted to two sets of features (Heusel et al. 2017)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def frechet_distance(one: Floats, other: Floats) -> float:
    """Squared Fréchet (2-Wasserstein) distance of two fitted normal distributions, in float64.

        d² = |μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2·(Σ₁Σ₂)^½)

    tr (Σ₁Σ₂)^½ is the sum of the square roots of the eigenvalues of Σ₁^½ Σ₂ Σ₁^½, which has those of Σ₁Σ₂ and is
    symmetric: no square root of an asymmetric, perhaps singular matrix, and no imaginary parts. Fitted to n samples
    the distance is biased upwards, the more the fewer there are and the larger D is: compare equal n and D only.

    Args:
        one: (N, D), N ≥ 2.
        other: (M, D), M ≥ 2.

    Returns:
        d² ≥ 0, 0 for equal means and covariances.

    Raises:
        ValueError: Other shapes, or a number that is not finite.
    """
    if one.ndim != 2 or other.ndim != 2 or one.shape[1] != other.shape[1] or min(len(one), len(other)) < 2:
        raise ValueError(f"needs (N, D) and (M, D) with N, M ≥ 2, not {one.shape} and {other.shape}")
    if not (np.isfinite(one).all() and np.isfinite(other).all()):
        raise ValueError("features are not finite")
    (mean, covariance), (other_mean, other_covariance) = _moments(one), _moments(other)
    values, vectors = np.linalg.eigh(covariance)
    # Rounding makes eigenvalues of 0 slightly negative.
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    product = root @ other_covariance @ root
    cross = np.sqrt(np.linalg.eigvalsh((product + product.T) / 2).clip(0)).sum()
    squared = np.square(mean - other_mean).sum() + np.trace(covariance) + np.trace(other_covariance) - 2 * cross
    return float(max(squared, 0.0))


def _moments(features: Floats) -> tuple[Floats, Floats]:
    """Mean (D,) and unbiased covariance (D, D)."""
    wide = np.asarray(features, dtype=np.float64)
    return wide.mean(0), np.atleast_2d(np.cov(wide, rowvar=False))
