"""S3D (Xie et al. 2018) without its classifier: torchvision's network."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torchvision.models.video import S3D as TorchvisionS3D


class S3D(nn.Module):
    """Clip encoder; the names of its parameters are torchvision's, so its checkpoints without classifier load."""

    out_channels = 1024

    def __init__(self) -> None:
        super().__init__()
        # Torchvision's momentum of 0.001 is for very long training: after a few thousand steps, statistics would still
        # be near their start, and features in evaluation mode useless.
        self.features = TorchvisionS3D(norm_layer=partial(nn.BatchNorm3d, eps=0.001)).features

    def forward(self, clip: Tensor) -> Tensor:
        """(N, 3, T, H, W) → feature map (N, 1024, ⌊⌈T/4⌉/2⌋, ⌊⌈H/16⌉/2⌋, ⌊⌈W/16⌉/2⌋), not negative."""
        features: Tensor = self.features(clip.contiguous(memory_format=torch.channels_last_3d))
        return features
