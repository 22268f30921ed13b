"""3D residual networks for clips; at width 64 they are torchvision's r3d_18, r2plus1d_18 and mc3_18 without fc."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn
from torchvision.models.video.resnet import BasicBlock, Bottleneck, Conv2Plus1D, Conv3DNoTemporal, Conv3DSimple

# Convolution of the first stage and of the later ones ("A Closer Look at Spatiotemporal Convolutions", Tran et al.).
CONVOLUTIONS: Final = {
    "r3d": (Conv3DSimple, Conv3DSimple),
    "r2plus1d": (Conv2Plus1D, Conv2Plus1D),
    "mc3": (Conv3DSimple, Conv3DNoTemporal),
}


class ResNet3D(nn.Module):
    """Clip encoder of the context branch (Tran et al. 2018): stem, then stages of residual blocks.

    Stage k has width·2^k channels (×4 with bottlenecks) and halves time and space from the second stage on
    (mc3: space only). Parameter names equal torchvision's VideoResNet, so its checkpoints without fc load directly.

    Args:
        width: Channels of the stem and the first stage.
        blocks: Residual blocks of each stage; any number of stages.
        kind: "r3d", "r2plus1d" or "mc3".
        stem_kernel: Kernel (time, height, width) of the stem, odd.
        stem_stride: Stride (time, height, width) of the stem.
        stem_pool: Add a max-pool (1,3,3)/(1,2,2) after the stem, as CMD (Huang et al. 2021) does.
        bottleneck: Bottleneck blocks; with (2,2,2,2) and stem_pool this is CMD's 26-layer network.
        in_channels: Channels of the clip.

    Raises:
        ValueError: Unknown kind or no stage.
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
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        if kind not in CONVOLUTIONS:
            raise ValueError(f"kind must be one of {', '.join(CONVOLUTIONS)}, not {kind!r}")
        if not blocks:
            raise ValueError("blocks must name at least one stage")
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

    def forward(self, clip: Tensor) -> Tensor:
        """(N, in_channels, T, H, W) → feature map (N, out_channels, t, h, w), not negative."""
        # Channels-last convolutions are about twice as fast on CPU; later layers inherit the layout.
        features: Tensor = self.pool(self.stem(clip.contiguous(memory_format=torch.channels_last_3d)))
        for name in self.stages:
            features = self.get_submodule(name)(features)
        return features


def pool(features: Tensor) -> Tensor:
    """Global average over time and space: (N, C, ...) → (N, C)."""
    return features.flatten(2).mean(2)


def _stem(
    in_channels: int, width: int, kind: str, kernel: tuple[int, int, int], stride: tuple[int, int, int]
) -> nn.Sequential:
    """One 3D convolution, or for R(2+1)D a spatial then a temporal one, each with BN and ReLU."""
    padding = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
    if kind != "r2plus1d":
        return nn.Sequential(
            nn.Conv3d(in_channels, width, kernel, stride, padding, bias=False),
            nn.BatchNorm3d(width),
            nn.ReLU(inplace=True),
        )
    middle = 45 * width // 64  # torchvision's 45 mid-planes at width 64
    return nn.Sequential(
        nn.Conv3d(in_channels, middle, (1, *kernel[1:]), (1, *stride[1:]), (0, *padding[1:]), bias=False),
        nn.BatchNorm3d(middle),
        nn.ReLU(inplace=True),
        nn.Conv3d(middle, width, (kernel[0], 1, 1), (stride[0], 1, 1), (padding[0], 0, 0), bias=False),
        nn.BatchNorm3d(width),
        nn.ReLU(inplace=True),
    )
