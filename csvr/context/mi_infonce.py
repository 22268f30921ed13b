"""Multi-instance InfoNCE, the loss of the context branch."""

from __future__ import annotations

import torch
from torch import Tensor


def mi_infonce(queries: Tensor, keys: Tensor, positives: Tensor, temperature: float, symmetric: bool = False) -> Tensor:
    """Multi-instance InfoNCE (CoCLR, Han et al. 2020; MVCGC, Huo et al. 2021), natural logarithm.

        L = -1/N Σ_i log [ Σ_{p∈P_i} exp(q_i·k_p/τ) / Σ_j exp(q_i·k_j/τ) ]

    With one positive a row this is InfoNCE.

    Args:
        queries: (N, D), of unit length for cosine similarity; clip embeddings.
        keys: (M, D); I-frame embeddings. Gradients flow to both.
        positives: (N, M) bool, true where key j comes from the video of query i.
        temperature: τ > 0.
        symmetric: Average with the key → query direction, whose positives are the transpose.

    Returns:
        Scalar ≥ 0.

    Raises:
        ValueError: Wrong shapes, positives not bool, temperature ≤ 0, a query (with symmetric also a key) without
            a positive.
    """
    if queries.ndim != 2 or keys.ndim != 2 or queries.shape[1] != keys.shape[1]:
        raise ValueError(f"queries and keys must be (N, D) and (M, D), not {_size(queries)} and {_size(keys)}")
    if positives.dtype != torch.bool or positives.shape != (len(queries), len(keys)):
        raise ValueError(f"positives must be a bool ({len(queries)}, {len(keys)}), not {_size(positives)}")
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, not {temperature}")
    if not positives.any(1).all() or (symmetric and not positives.any(0).all()):
        raise ValueError("every query (with symmetric also every key) needs at least one positive")
    logits = queries @ keys.T / temperature
    loss = _nll(logits, positives)
    return (loss + _nll(logits.T, positives.T)) / 2 if symmetric else loss


def _nll(logits: Tensor, positives: Tensor) -> Tensor:
    bag = logits.masked_fill(~positives, -torch.inf).logsumexp(1)
    return (logits.logsumexp(1) - bag).mean()


def _size(tensor: Tensor) -> str:
    return f"{tensor.dtype} {tuple(tensor.shape)}"
