"""Adversarial losses by name and the pose reconstruction loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from csvr.distributed import mean

ADVERSARIAL: Final = ("nonsaturating", "lsgan", "hinge", "wgan_gp")


def discriminator_loss(real: Tensor, fake: Tensor, kind: str = "nonsaturating") -> Tensor:
    """Loss of a discriminator on logits a of any shape; each term is a mean over all of them.

    - "nonsaturating": softplus(−a_real) + softplus(a_fake) (Goodfellow et al. 2014)
    - "lsgan": ½(a_real − 1)² + ½a_fake² (Mao et al. 2017)
    - "hinge": max(0, 1 − a_real) + max(0, 1 + a_fake) (Miyato et al. 2018)
    - "wgan_gp": a_fake − a_real (Arjovsky et al. 2017); of use with `interpolate_penalty` only, which the caller adds

    Raises:
        ValueError: Unknown kind.
    """
    _check(kind)
    if kind == "nonsaturating":
        return F.softplus(-real).mean() + F.softplus(fake).mean()
    if kind == "lsgan":
        return ((real - 1).square().mean() + fake.square().mean()) / 2
    if kind == "wgan_gp":
        return fake.mean() - real.mean()
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


def generator_loss(fake: Tensor, kind: str = "nonsaturating") -> Tensor:
    """Loss of a generator on the logits of its samples, a mean: softplus(−a), ½(a − 1)², and −a for the other two.

    Raises:
        ValueError: Unknown kind.
    """
    _check(kind)
    if kind == "nonsaturating":
        return F.softplus(-fake).mean()
    if kind == "lsgan":
        return (fake - 1).square().mean() / 2
    return -fake.mean()


def interpolate_penalty(
    judge: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, weight: float, share: Tensor | None = None
) -> Tensor:
    """Gradient penalty of WGAN-GP (Gulrajani et al. 2017), on past and future joined as HP-GAN (Barsoum et al. 2018).

        λ · mean_n (‖∂a(x̂_n)/∂x̂_n‖₂ − 1)²,    x̂ = ε·x_real + (1 − ε)·x_fake,    ε ~ U(0, 1) for each sample

    Where real and fake share the past, x̂ has it too, and the gradient there counts.

    Args:
        judge: The discriminator, from (N, ...) to logits (N, ...); a is the mean logit of a sample.
        real: (N, ...), what it judges; without a gradient.
        fake: Likewise, of the same shape.
        weight: λ.
        share: ε (N,); None draws it.

    Returns:
        Scalar ≥ 0 that can be differentiated for the discriminator's weights.
    """
    share = torch.rand(len(real), dtype=real.dtype, device=real.device) if share is None else share
    mixed = torch.lerp(fake, real, share.view(-1, *[1] * (real.ndim - 1))).requires_grad_()
    (gradient,) = torch.autograd.grad(judge(mixed).flatten(1).mean(1).sum(), mixed, create_graph=True)
    norm: Tensor = torch.linalg.vector_norm(gradient.flatten(1), dim=1)
    return weight * (norm - 1).square().mean()


def pose_reconstruction(predicted: Tensor, target: Tensor, visible: Tensor, kind: str = "l1") -> Tensor:
    """Mean absolute (or smooth L1) error over the coordinates of visible target joints.

    Args:
        predicted: (N, T, K, 2).
        target: (N, T, K, 2), finite also where not visible.
        visible: (N, T, K) bool, confidence of the target joint > 0.
        kind: "l1" or "smooth_l1" (quadratic below an error of 1).

    Returns:
        Scalar ≥ 0; 0, still with a gradient function, when nothing is visible.

    Raises:
        ValueError: Unknown kind or shapes that differ.
    """
    if kind not in ("l1", "smooth_l1"):
        raise ValueError(f"kind must be l1 or smooth_l1, not {kind!r}")
    if predicted.shape != target.shape or visible.shape != target.shape[:-1]:
        raise ValueError(f"shapes differ: {[tuple(t.shape) for t in (predicted, target, visible)]}")
    error = (F.l1_loss if kind == "l1" else F.smooth_l1_loss)(predicted, target, reduction="none")
    weight = visible.to(error.dtype)[..., None].expand_as(error)
    # Processes that share a batch see different numbers of joints; the mean is over those of all.
    return (error * weight).sum() / torch.clamp(mean(weight.sum()), min=1)


def _check(kind: str) -> None:
    if kind not in ADVERSARIAL:
        raise ValueError(f"kind must be one of {', '.join(ADVERSARIAL)}, not {kind!r}")
