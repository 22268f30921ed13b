"""Projection head between a pooled feature and the contrastive loss."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class ProjectionHead(nn.Module):
    """Linear–BN–ReLU–Linear(no bias)–BN, then L2 normalisation (CMD, Huang et al. 2021; there hidden 2048, out 512).

    Args:
        in_channels: Channels of the pooled feature.
        hidden: Channels between the two linear layers.
        out_channels: Dimension of the embedding.
    """

    def __init__(self, in_channels: int, hidden: int, out_channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(in_channels, hidden),
            nn.BatchNorm1d(hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, out_channels, bias=False),
            nn.BatchNorm1d(out_channels),
        )

    def forward(self, features: Tensor) -> Tensor:
        """(N, in_channels) → (N, out_channels) of unit length. In training N must be at least 2 (batch norm)."""
        return F.normalize(self.layers(features), dim=1)
