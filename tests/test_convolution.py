"""Convolutions of clips that are shorter than the kernel, against PyTorch's own."""

from __future__ import annotations

import itertools
from typing import Any
from unittest import mock

import pytest
import torch
from torch import Tensor, nn

from csvr import convolution
from csvr.convolution import Conv3d

CASES = [
    (frames, kernel, stride, padding)
    for frames, kernel, stride, padding in itertools.product((1, 2, 4), (3, 5), (1, 2), (0, 1, 2))
    if frames + 2 * padding >= kernel
]


def gradients(layer: nn.Conv3d, clip: Tensor) -> list[Tensor]:
    """What the layer makes; its gradients for a loss that is no sum, and those of a penalty on the first of them."""
    clip = clip.clone().requires_grad_()
    made = layer(clip)
    leaves = [clip, *layer.parameters()]
    first = torch.autograd.grad(made.square().sum(), leaves, create_graph=True)
    second = torch.autograd.grad(sum(gradient.square().sum() for gradient in first), leaves)
    return [made, *first, *second]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("frames", "kernel", "stride", "padding"), CASES)
def test_as_pytorch(
    frames: int, kernel: int, stride: int, padding: int, bias: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(convolution, "WIDE", 3)
    torch.manual_seed(0)
    clip = torch.randn(2, 3, frames, 5, 6, dtype=torch.float64).contiguous(memory_format=torch.channels_last_3d)
    ours = Conv3d(3, 4, (kernel, 3, 3), (stride, 2, 1), (padding, 1, 0), bias=bias).double()
    plain = nn.Conv3d(3, 4, (kernel, 3, 3), (stride, 2, 1), (padding, 1, 0), bias=bias).double()
    plain.load_state_dict(ours.state_dict())
    with (
        mock.patch.object(convolution._ShortClip, "apply", wraps=convolution._ShortClip.apply) as short,
        mock.patch.object(convolution.F, "conv2d", wraps=torch.conv2d) as image,
    ):
        found = gradients(ours, clip)
    assert image.called + short.called == (frames < kernel)
    assert image.called == (frames == 1 and found[0].shape[2] == 1)
    for one, two in zip(found, gradients(plain, clip), strict=True):
        torch.testing.assert_close(one, two)


def test_narrow_ones_of_two_frames_are_left_to_pytorch() -> None:
    with mock.patch.object(convolution._ShortClip, "apply", wraps=convolution._ShortClip.apply) as short:
        Conv3d(convolution.WIDE - 1, 4, 3, padding=1)(torch.randn(1, convolution.WIDE - 1, 2, 3, 3))
        assert not short.called
        Conv3d(convolution.WIDE, 4, 3, padding=1)(torch.randn(1, convolution.WIDE, 2, 3, 3))
        assert short.called


@pytest.mark.parametrize(
    "settings", [{"groups": 2}, {"dilation": 2}, {"padding": "same"}, {"padding_mode": "circular"}]
)
def test_what_it_does_not_know_is_left_to_pytorch(settings: dict[str, Any]) -> None:
    torch.manual_seed(0)
    layer = Conv3d(16, 4, 3, **{"padding": 2} | settings)
    plain = nn.Conv3d(16, 4, 3, **{"padding": 2} | settings)
    plain.load_state_dict(layer.state_dict())
    clip = torch.randn(2, 16, 2, 7, 7)
    for one, two in zip(gradients(layer, clip), gradients(plain, clip), strict=True):
        torch.testing.assert_close(one, two)


def test_frozen_weights_and_clips_without_gradient() -> None:
    layer, clip = Conv3d(16, 4, 3, padding=1), torch.randn(2, 16, 2, 5, 5)
    layer(clip).sum().backward()
    assert clip.grad is None and layer.weight.grad is not None and layer.bias is not None
    assert layer.bias.grad is not None and torch.allclose(layer.bias.grad, torch.full((4,), 2.0 * 2 * 25))
    layer.requires_grad_(False)
    layer.weight.grad = None
    layer(clip.requires_grad_()).sum().backward()
    assert clip.grad is not None and layer.weight.grad is None
