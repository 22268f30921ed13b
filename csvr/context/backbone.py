"""3D residual networks for clips; at width 64 they are torchvision's r3d_18, r2plus1d_18 and mc3_18 without fc."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.video.resnet import BasicBlock, Bottleneck, Conv2Plus1D, Conv3DNoTemporal, Conv3DSimple

from csvr.convolution import Conv3d


class QuickConv3DSimple(Conv3d, Conv3DSimple):
    """torchvision's 3×3×3 convolution, trained as `Conv3d` is."""


class MatchedConv2Plus1D(Conv2Plus1D):
    """Spatial then temporal convolution with as many weights as the 3×3×3 one in their place (Tran et al. 2018, 3.5).

    torchvision's blocks instead give both their convolutions the mid-planes of the first, and of the block's input.
    """

    def __init__(
        self, in_planes: int, out_planes: int, midplanes: int | None = None, stride: int = 1, padding: int = 1
    ) -> None:
        super().__init__(in_planes, out_planes, matched_planes(in_planes, out_planes, (3, 3, 3)), stride, padding)


# Convolution of the first stage and of the later ones ("A Closer Look at Spatiotemporal Convolutions", Tran et al.).
CONVOLUTIONS: Final = {
    "r3d": (QuickConv3DSimple, QuickConv3DSimple),
    "r2plus1d": (Conv2Plus1D, Conv2Plus1D),
    "r2plus1d_matched": (MatchedConv2Plus1D, MatchedConv2Plus1D),
    "mc3": (QuickConv3DSimple, Conv3DNoTemporal),
}


class ResNet3D(nn.Module):
    """Clip encoder of the context branch (Tran et al. 2018): stem, then stages of residual blocks.

    Stage k has width·2^k channels (×4 with bottlenecks) and halves time and space from the second stage on
    (mc3: space only). Parameter names equal torchvision's VideoResNet, so its checkpoints without fc load directly.

    Args:
        width: Channels of the stem and the first stage.
        blocks: Residual blocks of each stage; any number of stages.
        kind: "r3d", "r2plus1d", "mc3", or "r2plus1d_matched": R(2+1)D as CMD has it (see `MatchedConv2Plus1D`).
        stem_kernel: Kernel (time, height, width) of the stem, odd.
        stem_stride: Stride (time, height, width) of the stem.
        stem_pool: Add a max-pool (1,3,3)/(1,2,2) after the stem, as CMD (Huang et al. 2021) does.
        bottleneck: Bottleneck blocks; with (2,2,2,2) and stem_pool this is CMD's 26-layer network.
        two_level: The map joins the last two stages (`join_levels`), as CMD's pretext tasks see it.
        zero_init: Weights of each block's last batch norm start at 0, as in CMD, so that blocks start as identities.
        in_channels: Channels of the clip.

    Raises:
        ValueError: Unknown kind, no stage, two_level with a single stage or with mc3 (which doesn't halve time).
    """

    def __init__(
        self,
        width: int = 64,
        blocks: Sequence[int] = (2, 2, 2, 2),
        kind: str = "r3d",
        stem_kernel: tuple[int, int, int] = (3, 7, 7),
        stem_stride: tuple[int, int, int] = (1, 2, 2),
        stem_pool: bool = False,
        bottleneck: bool = False,
        two_level: bool = False,
        zero_init: bool = False,
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        if kind not in CONVOLUTIONS:
            raise ValueError(f"kind must be one of {', '.join(CONVOLUTIONS)}, not {kind!r}")
        if not blocks:
            raise ValueError("blocks must name at least one stage")
        if two_level and (len(blocks) < 2 or kind == "mc3"):
            raise ValueError("two_level needs two stages, the last of which halves time (not mc3)")
        self.two_level = two_level
        self.stem = _stem(in_channels, width, kind, stem_kernel, stem_stride)
        self.pool = nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)) if stem_pool else nn.Identity()
        block = Bottleneck if bottleneck else BasicBlock
        self.stages = [f"layer{i + 1}" for i in range(len(blocks))]
        channels = width
        for i, (name, depth) in enumerate(zip(self.stages, blocks, strict=True)):
            convolution, planes, stage = CONVOLUTIONS[kind][min(i, 1)], width * 2**i, []
            for j in range(depth):
                stride, shortcut = 2 if i > 0 and j == 0 else 1, None
                if stride != 1 or channels != planes * block.expansion:
                    shortcut = nn.Sequential(
                        nn.Conv3d(
                            channels,
                            planes * block.expansion,
                            kernel_size=1,
                            stride=convolution.get_downsample_stride(stride),
                            bias=False,
                        ),
                        nn.BatchNorm3d(planes * block.expansion),
                    )
                stage.append(block(channels, planes, convolution, stride, shortcut))
                channels = planes * block.expansion
            self.add_module(name, nn.Sequential(*stage))
        self.out_channels = channels
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif zero_init and isinstance(module, block):
                nn.init.zeros_((module.conv3 if bottleneck else module.conv2)[-1].weight)

    def forward(self, clip: Tensor) -> Tensor:
        """(N, in_channels, T, H, W) → feature map (N, out_channels, t, h, w), not negative.

        Raises:
            ValueError: two_level, and the last stage but one has an odd number of time steps.
        """
        # Channels-last convolutions are about twice as fast on CPU; later layers inherit the layout.
        features: Tensor = self.pool(self.stem(clip.contiguous(memory_format=torch.channels_last_3d)))
        for name in self.stages:
            fine, features = features, self.get_submodule(name)(features)
        return join_levels(fine, features) if self.two_level else features


def join_levels(fine: Tensor, coarse: Tensor) -> Tensor:
    """CMD's pretext map (Huang et al. 2021): the last stage added to the finer one before it.

    Even and odd time steps of the finer map are put beside each other as channels; the coarser map is enlarged to its
    height and width by nearest neighbours. CMD: 1024×4×7×7 and 2048×2×4×4 → 2048×2×7×7.

    Args:
        fine: (N, C, 2t, h, w).
        coarse: (N, 2C, t, h', w').

    Returns:
        (N, 2C, t, h, w).

    Raises:
        ValueError: `fine` has an odd number of time steps.
    """
    if fine.shape[2] % 2:
        raise ValueError(f"two_level needs an even number of time steps before the last stage, not {fine.shape[2]}")
    beside = torch.cat([fine[:, :, ::2], fine[:, :, 1::2]], 1)
    return beside + F.interpolate(coarse, size=beside.shape[2:], mode="nearest")


def matched_planes(in_planes: int, out_planes: int, kernel: tuple[int, int, int]) -> int:
    """Mid-planes with which a (2+1)D convolution has about the weights of a 3D one of that kernel (Tran et al. 2018):
    ⌊t·d²·N_in·N_out / (d²·N_in + t·N_out)⌋."""
    time, area = kernel[0], kernel[1] * kernel[2]
    return time * area * in_planes * out_planes // (area * in_planes + time * out_planes)


def pool(features: Tensor) -> Tensor:
    """Global average over time and space: (N, C, ...) → (N, C)."""
    return features.flatten(2).mean(2)


def _stem(
    in_channels: int, width: int, kind: str, kernel: tuple[int, int, int], stride: tuple[int, int, int]
) -> nn.Sequential:
    """One 3D convolution, or for R(2+1)D a spatial then a temporal one, each with BN and ReLU."""
    padding = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
    if not kind.startswith("r2plus1d"):
        return nn.Sequential(
            nn.Conv3d(in_channels, width, kernel, stride, padding, bias=False),
            nn.BatchNorm3d(width),
            nn.ReLU(inplace=True),
        )
    # torchvision's 45 mid-planes at width 64; the formula gives 83.
    middle = 45 * width // 64 if kind == "r2plus1d" else matched_planes(in_channels, width, kernel)
    return nn.Sequential(
        nn.Conv3d(in_channels, middle, (1, *kernel[1:]), (1, *stride[1:]), (0, *padding[1:]), bias=False),
        nn.BatchNorm3d(middle),
        nn.ReLU(inplace=True),
        nn.Conv3d(middle, width, (kernel[0], 1, 1), (stride[0], 1, 1), (padding[0], 0, 0), bias=False),
        nn.BatchNorm3d(width),
        nn.ReLU(inplace=True),
    )
