"""TGANv2 multi-level discriminator (Saito et al. 2020): one 3D residual network for each resolution."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from csvr.convolution import Conv3d


class DisBlock(nn.Module):
    """[ReLU–]conv3³–ReLU–conv3³ plus a 1³ shortcut, then average pooling by 2; no normalisation.

    Args:
        in_channels: Channels before.
        out_channels: Channels after.
        first: First block of the network: no leading ReLU (its input is pixels), time is not pooled.
    """

    def __init__(self, in_channels: int, out_channels: int, first: bool = False) -> None:
        super().__init__()
        self.first = first
        self.conv1 = Conv3d(in_channels, out_channels, 3, padding=1)
        self.conv2 = Conv3d(out_channels, out_channels, 3, padding=1)
        self.shortcut = nn.Conv3d(in_channels, out_channels, 1)
        for convolution, gain in ((self.conv1, 2**0.5), (self.conv2, 2**0.5), (self.shortcut, 1.0)):
            nn.init.xavier_uniform_(convolution.weight, gain)
            nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]

    def forward(self, clip: Tensor) -> Tensor:
        """(N, C, T, H, W) → (N, C', T/2, H/2, W/2), rounded down; an axis of length 1 is kept."""
        main = self.conv2(F.relu(self.conv1(clip if self.first else F.relu(clip))))
        time, *space = (min(2, length) for length in clip.shape[2:])
        kernel = (1 if self.first else time, *space)
        # Pooling commutes with the 1³ shortcut, which is cheaper on the pooled clip.
        pooled: Tensor = F.avg_pool3d(main, kernel) + self.shortcut(F.avg_pool3d(clip, kernel))
        return pooled


class VideoDiscriminator(nn.Module):
    """A separate network for each level: blocks, ReLU, global SUM pooling, linear to one logit.

    Args:
        levels: Levels of the pyramid.
        width: Channels after the first block, doubled by each further one.
        blocks: Blocks in all; TGANv2 has 5 at width 64.
        in_channels: Channels of the clips.
    """

    def __init__(self, levels: int = 4, width: int = 64, blocks: int = 5, in_channels: int = 3) -> None:
        super().__init__()
        channels = [width * 2**i for i in range(blocks)]
        self.nets = nn.ModuleList(
            nn.Sequential(
                DisBlock(in_channels, width, first=True),
                *map(DisBlock, channels, channels[1:]),
                nn.ReLU(),
            )
            for _ in range(levels)
        )
        self.heads = nn.ModuleList(nn.Linear(channels[-1], 1) for _ in range(levels))

    def forward(self, clips: Sequence[Tensor]) -> Tensor:
        """One clip (N, in_channels, T_l, H_l, W_l) a level → logits (N, levels).

        Raises:
            ValueError: Another number of clips than levels.
        """
        if len(clips) != len(self.nets):
            raise ValueError(f"{len(clips)} clips for {len(self.nets)} levels")
        layout = torch.channels_last_3d  # about twice as fast on CPU
        clips = [clip.contiguous(memory_format=layout) for clip in clips]
        pooled = [net(clip).flatten(2).sum(2) for net, clip in zip(self.nets, clips, strict=True)]
        return torch.cat([head(feature) for head, feature in zip(self.heads, pooled, strict=True)], 1)
