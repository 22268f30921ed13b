"""3D convolution that is as quick on clips of one or two frames as on longer ones."""

from __future__ import annotations

from typing import Any, Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDE: Final = 16
"""Channels from which on a gradient by 2D convolutions is the quicker one; with fewer, their calls cost more."""


class Conv3d(nn.Conv3d):
    """`nn.Conv3d`, as quick on a CPU where the kernel is longer than the clip.

    The last stages of all 3D networks that halve time see such clips. oneDNN's quick gradient for the weights takes no
    such kernel, and what it has instead takes up to five times the forward pass.
    """

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, T, H, W) → (N, C', T', H', W'), as `nn.Conv3d`."""
        frames, (length, *_) = input.shape[2], self.kernel_size
        if frames >= length or input.device.type != "cpu" or torch.is_autocast_enabled("cpu"):
            return super().forward(input)
        if self.padding_mode != "zeros" or self.groups > 1 or max(self.dilation) > 1 or isinstance(self.padding, str):
            return super().forward(input)
        (step, *stride), (before, *padding) = self.stride, self.padding
        if frames == 1 and before < length and 1 + 2 * before - length < step:  # one frame of the kernel sees it
            seen = self.weight[:, :, before]
            return F.conv2d(input[:, :, 0], seen, self.bias, tuple(stride), tuple(padding)).unsqueeze(2)
        if self.in_channels < WIDE:
            return super().forward(input)
        result: Tensor = _ShortClip.apply(input, self.weight, self.bias, self.stride, self.padding)
        return result


class _ShortClip(torch.autograd.Function):
    """A 3D convolution whose gradient for the weights is that of 2D convolutions, one for each frame of the kernel.

    ∂L/∂W_k = Σ_t (∂L/∂y_t) * x_{s·t + k − p}        (stride s and padding p of time; frames that are there)
    """

    @staticmethod
    def forward(
        ctx: Any, clip: Tensor, weight: Tensor, bias: Tensor | None, stride: tuple[int, ...], padding: tuple[int, ...]
    ) -> Tensor:
        ctx.save_for_backward(clip, weight)
        ctx.stride, ctx.padding = stride, padding
        return F.conv3d(clip, weight, bias, stride, padding)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (clip, weight), (gradient,) = ctx.saved_tensors, gradients
        stride, padding, wanted = ctx.stride, ctx.padding, ctx.needs_input_grad
        of_clip = of_weight = None
        if wanted[0]:
            of_clip = _backward(gradient, clip, weight, stride, padding, 0)
        if wanted[1]:
            kernels = []
            for k in range(weight.shape[2]):
                # Output frame t looks at frame s·t + first of the clip.
                first = k - padding[0]
                times = [t for t in range(gradient.shape[2]) if 0 <= stride[0] * t + first < clip.shape[2]]
                if not times:
                    kernels.append(torch.zeros_like(weight[:, :, k]))
                    continue
                begin, end = (stride[0] * t + first for t in (times[0], times[-1]))
                seen, made = clip[:, :, begin : end + 1 : stride[0]], gradient[:, :, times[0] : times[-1] + 1]
                kernels.append(_backward(_images(made), _images(seen), weight[:, :, k], stride[1:], padding[1:], 1))
            of_weight = torch.stack(kernels, 2)
        return of_clip, of_weight, gradient.sum((0, 2, 3, 4)) if wanted[2] else None, None, None


def _images(clip: Tensor) -> Tensor:
    """(N, C, T, H, W) → (N·T, C, H, W), without a copy where channels lie last and no frame was left out."""
    return clip.transpose(1, 2).flatten(0, 1).contiguous(memory_format=torch.channels_last)


def _backward(
    gradient: Tensor, images: Tensor, weight: Tensor, stride: tuple[int, ...], padding: tuple[int, ...], which: int
) -> Tensor:
    """Gradient of a convolution for what it is given (0) or its weights (1)."""
    ones, mask = [1] * len(stride), [which == 0, which == 1, False]
    found: Tensor = torch.ops.aten.convolution_backward(
        gradient, images, weight, None, stride, padding, ones, False, [0] * len(stride), 1, mask
    )[which]
    return found
