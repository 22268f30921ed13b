"""2D residual network for I-frames; at width 64 it is torchvision's ResNet of basic blocks without fc."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock

from csvr.context.backbone import pool


class IFrameEncoder(nn.Module):
    """I-frame encoder of the context branch: ResNet-10 by default, as CMD (Huang et al. 2021).

    Stage k has width·2^k channels and halves the image from the second stage on. Parameter names equal
    torchvision's ResNet.

    Args:
        width: Channels of the stem and the first stage.
        blocks: Basic blocks of each stage; any number of stages.
        stem_kernel: Kernel of the stem, odd.
        stem_stride: Stride of the stem.
        stem_pool: 3×3 max-pool of stride 2 after the stem.

    Raises:
        ValueError: No stage.
    """

    def __init__(
        self,
        width: int = 64,
        blocks: Sequence[int] = (1, 1, 1, 1),
        stem_kernel: int = 7,
        stem_stride: int = 2,
        stem_pool: bool = True,
    ) -> None:
        super().__init__()
        if not blocks:
            raise ValueError("blocks must name at least one stage")
        self.conv1 = nn.Conv2d(3, width, stem_kernel, stem_stride, stem_kernel // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1) if stem_pool else nn.Identity()
        self.stages = [f"layer{i + 1}" for i in range(len(blocks))]
        channels = width
        for i, (name, depth) in enumerate(zip(self.stages, blocks, strict=True)):
            planes, stage = width * 2**i, []
            for j in range(depth):
                stride, shortcut = 2 if i > 0 and j == 0 else 1, None
                if stride != 1:
                    shortcut = nn.Sequential(nn.Conv2d(channels, planes, 1, stride, bias=False), nn.BatchNorm2d(planes))
                stage.append(BasicBlock(channels, planes, stride, shortcut))
                channels = planes
            self.add_module(name, nn.Sequential(*stage))
        self.out_channels = channels
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, image: Tensor) -> Tensor:
        """(N, 3, H, W) → (N, out_channels), the globally averaged map."""
        image = image.contiguous(memory_format=torch.channels_last)  # faster on CPU, as in the clip encoder
        features: Tensor = self.maxpool(self.relu(self.bn1(self.conv1(image))))
        for name in self.stages:
            features = self.get_submodule(name)(features)
        return pool(features)
