"""Integration layer: the dynamic feature f_d denormalises the static feature f_s, an attention mask blends both."""

from __future__ import annotations

from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from csvr.convolution import Conv3d

MODES: Final = ("adain_mask", "adain", "mask", "concat", "add")
TIMES: Final = ("static", "motion")
SPACES: Final = ("mean", "map")


def instance_normalise(features: Tensor, eps: float = 1e-5) -> Tensor:
    """Zero mean and unit (biased) variance per sample and channel over all further axes; statistics in float32 or
    better, result in the input's type. (N, C, ...) → the same."""
    flat = (features if features.dtype == torch.float64 else features.float()).flatten(2)
    # Of rows as they lie: five times as fast as `var_mean`, forward and backward.
    return F.layer_norm(flat, flat.shape[2:], eps=eps).view(features.shape).to(features.dtype)


class IntegrationLayer(nn.Module):
    """f_i from f_s and f_d (CSVR Fig. 2; AdaIN in SPADE's form, Park et al. 2019; mask as FaceShifter, Li et al. 2020).

        f̄_s = (f_s − μ)/σ          per sample and channel over (t, h, w)
        D   = (1 + γ(f_d)) · f̄_s + β(f_d)
        M   = sigmoid(conv3×3×3(f̄_s))
        f_i = M · D + (1 − M) · f_s

    γ and β are linear in f_d (1×1×1 convolutions). A time axis of f_d is interpolated to that of f_i, so they vary
    over time. They are constant over space, unless f_d has a map that is aligned with f_s (`space`).

    Scales. Averaged over the map, f̄_s is 0, so the pooled f_i carries motion through β alone and context through
    (1 − M)·f_s alone. Raw features would let the one with the larger spread between clips drown the other. Hence, by
    default, f_d and the f_s of the blend are standardised per channel by batch norm without affine parameters
    (a per-sample norm would keep what all clips share dominant), and β starts with weights of variance 1/C_d, so
    that β(f_d) has unit variance, as f_s has: at mask_bias 0 both weigh about one half. γ starts at 0 (D = f̄_s + β).
    A pooled f_d (N, C_d) is standardised by its spread between clips, one with a time axis by that over all steps.

    Args:
        channels: Channels of f_s and of f_i.
        motion_channels: Channels of f_d.
        mode: "adain_mask": as above. "adain": f_i = D. "mask": D is replaced by a projection of f_d.
            "concat": 1×1×1 convolution of [f_s, f_d]. "add": f_s plus a projection of f_d.
        mask_bias: Initial bias of the mask convolution; above 0 the blend starts towards D.
        mask_per_channel: One mask a channel instead of one in all.
        normalize_motion: Standardise f_d.
        normalize_static: Standardise the f_s that enters the blend, the concatenation or the sum.
        time: Time steps of f_i. "static": those of f_s. "motion": those of f_d if it has more; f_s is interpolated to
            them, so that what f_d knows of each moment reaches the generators.
        space: What is made of an f_d with spatial axes. "mean": averaged over them, since maps of poses are centred on
            the person wherever that is in the image. "map": interpolated to f_s's, for an f_d of the image itself.

    Raises:
        ValueError: Unknown mode, time or space.
    """

    def __init__(
        self,
        channels: int,
        motion_channels: int,
        mode: str = "adain_mask",
        mask_bias: float = 0.0,
        mask_per_channel: bool = False,
        normalize_motion: bool = True,
        normalize_static: bool = True,
        time: str = "static",
        space: str = "mean",
    ) -> None:
        super().__init__()
        if mode not in MODES:
            raise ValueError(f"mode must be one of {', '.join(MODES)}, not {mode!r}")
        if time not in TIMES:
            raise ValueError(f"time must be one of {', '.join(TIMES)}, not {time!r}")
        if space not in SPACES:
            raise ValueError(f"space must be one of {', '.join(SPACES)}, not {space!r}")
        self.mode, self.time, self.space = mode, time, space
        self.motion_norm = nn.BatchNorm3d(motion_channels, affine=False) if normalize_motion else nn.Identity()
        self.static_norm = nn.BatchNorm3d(channels, affine=False) if normalize_static else nn.Identity()
        self.gamma = _linear(motion_channels, channels) if mode in ("adain_mask", "adain") else None
        if self.gamma is not None:
            nn.init.zeros_(self.gamma.weight)
        self.beta = _linear(motion_channels + (channels if mode == "concat" else 0), channels)
        self.mask: nn.Conv3d | None = None
        if mode in ("adain_mask", "mask"):
            self.mask = Conv3d(channels, channels if mask_per_channel else 1, 3, padding=1)
            nn.init.constant_(self.mask.bias, mask_bias)  # type: ignore[arg-type]

    def forward(self, static: Tensor, motion: Tensor, first: int | None = None) -> tuple[Tensor, Tensor | None]:
        """Fuse.

        Args:
            static: f_s (N, C, t, h, w).
            motion: f_d (N, C_d), (N, C_d, t') or (N, C_d, t', h', w').
            first: Only the first samples are fused, n of N; batch norm is that of all. None fuses all.

        Returns:
            f_i (n, C, t, h, w) and M (n, 1 or C, t, h, w) in (0, 1), or None for a mode without mask.

        Raises:
            ValueError: f_s is not 5-D or f_d has another number of axes.
        """
        if static.ndim != 5 or motion.ndim not in (2, 3, 5):
            raise ValueError(f"f_s must be 5-D and f_d 2-, 3- or 5-D, not {static.ndim}-D and {motion.ndim}-D")
        if motion.ndim < 5:
            motion = motion.reshape(*motion.shape[:2], -1, 1, 1)
        elif self.space == "mean":
            motion = motion.mean((3, 4), keepdim=True)
        if self.time == "motion" and motion.shape[2] > static.shape[2]:
            size = (motion.shape[2], *static.shape[3:])
            if static.shape[2] == 1:  # what interpolation does here, too, in more time
                static = static.expand(-1, -1, *size)
            else:
                static = F.interpolate(static, size=size, mode="trilinear", align_corners=False)
        motion, kept = self.motion_norm(motion)[:first], self.static_norm(static)[:first]
        static = static[:first]
        if self.mode == "concat":
            spread = _resize(motion, static).expand(-1, -1, *static.shape[2:])
            return self.beta(torch.cat([kept, spread], 1)), None
        beta = _resize(self.beta(motion), static)
        if self.mode == "add":
            return kept + beta, None
        normal = instance_normalise(static)
        gamma = torch.zeros_like(beta) if self.gamma is None else _resize(self.gamma(motion), static)
        denormalised = beta if self.mode == "mask" else torch.addcmul(beta, 1 + gamma, normal)
        if self.mask is None:
            return denormalised, None
        mask = torch.sigmoid(self.mask(normal))
        return torch.lerp(kept, denormalised, mask), mask


def _linear(inputs: int, outputs: int) -> nn.Conv3d:
    """1×1×1 convolution that keeps unit variance: weights of variance 1/inputs, bias 0."""
    layer = nn.Conv3d(inputs, outputs, 1)
    nn.init.normal_(layer.weight, std=inputs**-0.5)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer


def _resize(motion: Tensor, static: Tensor) -> Tensor:
    """Trilinear interpolation to f_s's (t, h, w); an axis of length 1 stays, to be broadcast."""
    size = [to if have > 1 else 1 for have, to in zip(motion.shape[2:], static.shape[2:], strict=True)]
    if list(motion.shape[2:]) == size:
        return motion
    return F.interpolate(motion, size=size, mode="trilinear", align_corners=False)
