"""Losses of the video generating branch; the adversarial ones are those of the pose branch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from csvr.pose.gan_losses import discriminator_loss, generator_loss

__all__ = ["discriminator_loss", "generator_loss", "gradient_penalty", "reconstruction_loss"]


def gradient_penalty(logits: Tensor, reals: Sequence[Tensor], lam: float = 0.5, reduction: str = "sum") -> Tensor:
    """Zero-centred gradient penalty on real clips (R1, Mescheder et al. 2018; TGANv2, Saito et al. 2020).

        λ Σ_{n, l} ‖ ∂(Σ a_real)/∂x_{n,l} ‖²

    Args:
        logits: (N, levels), the discriminator's output on `reals`.
        reals: A clip (N, 3, T_l, H_l, W_l) a level, each with requires_grad set before the forward pass.
        lam: λ; 0.5 in TGANv2's published run.
        reduction: "sum" over clips and levels as TGANv2's code, or "mean" over them.

    Returns:
        Scalar ≥ 0 that can be differentiated for the discriminator's weights.

    Raises:
        ValueError: Unknown reduction.
        RuntimeError: A clip has no path to the logits (torch.autograd).
    """
    if reduction not in ("sum", "mean"):
        raise ValueError(f"reduction must be sum or mean, not {reduction!r}")
    gradients = torch.autograd.grad(logits.sum(), list(reals), create_graph=True)
    total = torch.stack([gradient.square().sum() for gradient in gradients]).sum()
    return lam * (total if reduction == "sum" else total / (len(logits) * len(reals)))


def reconstruction_loss(levels: Sequence[Tensor], targets: Sequence[Tensor], kind: str = "l1") -> Tensor:
    """Pixel loss of a generated pyramid: mean over the levels of each level's mean |x − y| ("l1") or (x − y)² ("l2").

    Raises:
        ValueError: Unknown kind, or levels and targets differ in number or shape.
    """
    if kind not in ("l1", "l2"):
        raise ValueError(f"kind must be l1 or l2, not {kind!r}")
    if [level.shape for level in levels] != [target.shape for target in targets]:
        raise ValueError(f"shapes differ: {[tuple(x.shape) for x in levels]}, {[tuple(x.shape) for x in targets]}")
    loss = F.l1_loss if kind == "l1" else F.mse_loss
    return torch.stack([loss(level, target) for level, target in zip(levels, targets, strict=True)]).mean()
