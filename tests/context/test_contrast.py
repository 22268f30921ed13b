"""Projection head and MI-InfoNCE against loops in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from csvr.context.mi_infonce import mi_infonce
from csvr.context.projection import ProjectionHead


def reference(queries: np.ndarray, keys: np.ndarray, positives: np.ndarray, temperature: float) -> float:
    total = 0.0
    for query, row in zip(queries, positives, strict=True):
        weights = [math.exp(float(query @ key) / temperature) for key in keys]
        total -= math.log(sum(w for w, positive in zip(weights, row, strict=True) if positive) / sum(weights))
    return total / len(queries)


@pytest.fixture
def pairs() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    queries = F.normalize(torch.randn(4, 5, generator=generator, dtype=torch.float64), dim=1)
    keys = F.normalize(torch.randn(8, 5, generator=generator, dtype=torch.float64), dim=1)
    positives = torch.eye(4, dtype=torch.bool).repeat_interleave(2, 1)  # two I-frames a clip
    positives[0, 5] = True  # bags may overlap and differ in size
    return queries, keys, positives


@pytest.mark.parametrize("temperature", [0.07, 1.0])
def test_equals_the_equation(pairs: tuple[torch.Tensor, ...], temperature: float) -> None:
    queries, keys, positives = pairs
    q, k, p = queries.numpy(), keys.numpy(), positives.numpy()
    forward, backward = reference(q, k, p, temperature), reference(k, q, p.T, temperature)
    assert mi_infonce(queries, keys, positives, temperature).item() == pytest.approx(forward, rel=1e-12)
    both = mi_infonce(queries, keys, positives, temperature, symmetric=True).item()
    assert both == pytest.approx((forward + backward) / 2, rel=1e-12)


def test_one_positive_is_infonce(pairs: tuple[torch.Tensor, ...]) -> None:
    queries, keys, _ = pairs
    target = torch.tensor([3, 0, 7, 1])
    positives = F.one_hot(target, 8).bool()
    expected = F.cross_entropy(queries @ keys.T / 0.1, target)
    torch.testing.assert_close(mi_infonce(queries, keys, positives, 0.1), expected)


def test_hand_computed() -> None:
    queries, keys = torch.eye(2), torch.eye(2)
    # Similarities 1 and 0 at τ = 1: -log(e / (e + 1)).
    loss = mi_infonce(queries, keys, torch.eye(2, dtype=torch.bool), 1.0)
    assert loss.item() == pytest.approx(math.log(1 + math.exp(-1)), rel=1e-6)
    assert mi_infonce(queries, keys, torch.ones(2, 2, dtype=torch.bool), 1.0).item() == pytest.approx(0, abs=1e-6)


def test_no_overflow_at_low_temperature() -> None:
    # exp(1 / 1e-3) overflows float64; a confusion of 1 against 0 costs exactly 1 / τ.
    loss = mi_infonce(torch.eye(2), torch.eye(2).flip(0), torch.eye(2, dtype=torch.bool), 1e-3)
    assert loss.item() == pytest.approx(1000)


def test_gradients(pairs: tuple[torch.Tensor, ...]) -> None:
    queries, keys, positives = pairs
    inputs = (queries.requires_grad_(), keys.requires_grad_())
    assert torch.autograd.gradcheck(lambda q, k: mi_infonce(q, k, positives, 0.3, symmetric=True), inputs)


def test_errors(pairs: tuple[torch.Tensor, ...]) -> None:
    queries, keys, positives = pairs
    for temperature in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match="temperature must be above 0"):
            mi_infonce(queries, keys, positives, temperature)
    with pytest.raises(ValueError, match=r"\(N, D\) and \(M, D\)"):
        mi_infonce(queries, keys[:, :3], positives, 0.1)
    for wrong in (positives.T, positives.float()):
        with pytest.raises(ValueError, match=r"bool \(4, 8\)"):
            mi_infonce(queries, keys, wrong, 0.1)
    lonely = positives.clone()
    lonely[:, 7] = False  # key 7 has no query, query 3 still has key 6
    mi_infonce(queries, keys, lonely, 0.1)
    with pytest.raises(ValueError, match="at least one positive"):
        mi_infonce(queries, keys, lonely, 0.1, symmetric=True)
    with pytest.raises(ValueError, match="at least one positive"):
        mi_infonce(queries, keys, positives & (torch.arange(4) != 1)[:, None], 0.1)


def test_projection_head() -> None:
    torch.manual_seed(0)
    head = ProjectionHead(6, 10, 4).double()
    features = torch.randn(7, 6, dtype=torch.float64)

    def batch_norm(x: np.ndarray) -> np.ndarray:
        return (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5)

    first, last = head.layers[0], head.layers[3]
    hidden = batch_norm(features.numpy() @ first.weight.detach().numpy().T + first.bias.detach().numpy())
    out = batch_norm(np.maximum(hidden, 0) @ last.weight.detach().numpy().T)
    expected = out / np.linalg.norm(out, axis=1, keepdims=True)
    np.testing.assert_allclose(head(features).detach().numpy(), expected, rtol=1e-10)
    assert sum(p.numel() for p in ProjectionHead(512, 2048, 512).parameters()) == 512 * 2048 * 2 + 2048 * 3 + 512 * 2
