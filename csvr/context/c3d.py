"""C3D with batch norm, as CMD (Huang et al. 2021) pretrains it: convolutions 3×3×3, no fully connected layer."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import torch
from torch import Tensor, nn
from torchvision.ops import Conv3dNormActivation

# Channels of the convolutions of each stage, in widths (Tran et al. 2015); a max-pool stands before each but the first.
STAGES: Final = ((1,), (2,), (4, 4), (8, 8), (8, 8))


class C3D(nn.Module):
    """Eight convolutions, each with batch norm (so without bias) and ReLU; space is halved four times, time three.

    Args:
        width: Channels of the first convolution.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for i, stage in enumerate(STAGES):
            if i > 0:
                layers.append(nn.MaxPool3d((1, 2, 2) if i == 1 else 2))
            before = STAGES[i - 1][-1] * width if i > 0 else 3
            layers += [Conv3dNormActivation(a, b) for a, b in pairwise((before, *(width * x for x in stage)))]
        self.layers = nn.Sequential(*layers)
        self.out_channels = STAGES[-1][-1] * width
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, clip: Tensor) -> Tensor:
        """(N, 3, T, H, W) → feature map (N, out_channels, ⌊T/8⌋, ⌊H/16⌋, ⌊W/16⌋), not negative."""
        features: Tensor = self.layers(clip.contiguous(memory_format=torch.channels_last_3d))
        return features
