"""Losses of the video generating branch; the adversarial ones are those of the pose branch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import torch
import torch.nn.functional as F
from torch import Tensor

from csvr.pose.gan_losses import discriminator_loss, generator_loss

__all__ = ["discriminator_loss", "generator_loss", "gradient_penalty", "judge_once", "reconstruction_loss"]
SMALLEST: Final = 1e-12
"""Least gradient that is sent through a discriminator; a loss that is flat, as the hinge, would leave none to scale."""


def judge_once(
    discriminator: Callable[[Sequence[Tensor]], Tensor], real: Sequence[Tensor], fake: Sequence[Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    """Logits of real and generated clips for the losses of both networks, by one pass of the discriminator.

    A logit a_{n,l} depends on the clip x_{n,l} alone, so the gradients of both losses there differ by a number:

        ∂L_G/∂x_{n,l} = r_{n,l} · ∂L_D/∂x_{n,l},    r_{n,l} = (∂L_G/∂a_{n,l}) / (∂L_D/∂a_{n,l})

    Back-propagating L_D gives both, where a loss each takes a pass each. (Where |∂L_D/∂a| is below `SMALLEST`, that is
    taken instead.) The gradients are those of two passes, one through frozen weights and one of detached clips.

    Args:
        discriminator: From a clip a level to logits (N, levels); what it makes of a clip must not depend on others.
        real: A clip (n, 3, T_l, H_l, W_l) a level.
        fake: Likewise, (m, 3, T_l, H_l, W_l).

    Returns:
        Logits of the real clips (n, levels); of the fake ones (m, levels) for the loss of the discriminator, whose
        gradient stops at the clips; and the same for the loss of the generator, whose gradient passes by the weights.
    """
    ratio: list[Tensor] = []  # r, (m, levels), once the backward pass has been at the logits
    entered = [clip.view_as(clip) for clip in fake]  # the clips themselves get gradients from other losses
    for level, clip in enumerate(entered):
        if clip.requires_grad:
            clip.register_hook(partial(_scaled, ratio, level))
    logits = discriminator([torch.cat(pair) for pair in zip(real, entered, strict=True)])
    of_real, of_fake = logits.split([len(real[0]), len(fake[0])])
    return of_real, *_Fork.apply(of_fake, ratio)


def _scaled(ratio: list[Tensor], level: int, gradient: Tensor) -> Tensor:
    return gradient * ratio[0][:, level].view(-1, *[1] * (gradient.ndim - 1))


class _Fork(torch.autograd.Function):
    """The same logits twice; the gradient of the first copy is sent on, with that of the second by it as `ratio`."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, ratio: list[Tensor]) -> tuple[Tensor, Tensor]:
        ctx.ratio = ratio
        return logits.clone(), logits.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        first, second = gradients
        sent = torch.where(first.abs() < SMALLEST, torch.full_like(first, SMALLEST).copysign(first), first)
        ctx.ratio[:] = [second / sent]
        return sent, None


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
