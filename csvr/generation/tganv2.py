"""TGANv2 video generator (Saito et al. 2020) whose latent vector is replaced by the integrated feature f_i."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Pyramid(NamedTuple):
    """Clips of growing resolution and shrinking frame rate, with the indices of their frames in the full clip."""

    clips: list[Tensor]
    frames: list[Tensor]


class ConvLSTM(nn.Module):
    """Convolutional LSTM with 3×3 kernels and no peepholes (Shi et al. 2015), zero initial state.

    i, f, o = sigmoid(W_x x + W_h h + b), g = tanh(...), c' = f·c + i·g, h' = o·tanh(c').
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.input = nn.Conv2d(channels, 4 * channels, 3, padding=1)
        self.hidden = nn.Conv2d(channels, 4 * channels, 3, padding=1, bias=False)

    def forward(self, inputs: Tensor, frames: int) -> Tensor:
        """Inputs (N, t, C, H, W) of the first t ≤ frames steps, zeros after → states (N, frames, C, H, W)."""
        n, steps = inputs.shape[:2]
        driven = self.input(inputs.flatten(0, 1)).unflatten(0, (n, steps))
        idle = self.input.bias.view(1, -1, 1, 1)  # type: ignore[union-attr]  # a zero input leaves the bias
        cell = hidden = torch.zeros_like(inputs[:, 0])
        states = []
        for k in range(frames):
            gates = (driven[:, k] if k < steps else idle) + (self.hidden(hidden) if k else 0)
            i, f, o, g = gates.chunk(4, 1)
            cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
            hidden = o.sigmoid() * cell.tanh()
            states.append(hidden)
        return torch.stack(states, 1)


class GenBlock(nn.Module):
    """BN–ReLU–up×2–conv3×3–BN–ReLU–conv3×3 plus a 1×1 shortcut; (N, C, H, W) → (N, C', 2H, 2W)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.BatchNorm2d(in_channels), nn.BatchNorm2d(out_channels)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.shortcut = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        main = _double_and_convolve(F.relu(self.norm1(features)), self.conv1)
        main = self.conv2(F.relu(self.norm2(main)))
        # A 1×1 convolution commutes with nearest up-sampling.
        doubled: Tensor = main + F.interpolate(self.shortcut(features), scale_factor=2.0, mode="nearest")
        return doubled


class VideoGenerator(nn.Module):
    """f_i → start map → ConvLSTM → residual blocks with a renderer at each of the last levels.

    Sizes are start_size·2^b for b = blocks_before_first_render … len(channels). The published 192-pixel network is
    start_size 3, clstm_channels 1024, channels (512, 256, 128, 64, 32, 32), blocks_before_first_render 3; 112 pixels
    are start_size 7 and four blocks. Batch norm runs over the frames of all clips, as 2D images.

    Args:
        in_channels: Channels of f_i.
        frames: Frames of the clip.
        start_size: Height and width of the start map.
        clstm_channels: Channels of the start map and the ConvLSTM.
        channels: Output channels of the blocks, each doubling the size.
        blocks_before_first_render: Blocks below the first renderer, 1 … len(channels).
        noise_channels: Noise concatenated to f_i, may be 0.
        time: Use of f_i's time axis. "mean": averaged, input of step 0 alone, zeros after (TGANv2). "inject":
            interpolated to `frames`, one step each.
        subsample: In training keep every second frame between levels, with a random offset common to the batch.

    Raises:
        ValueError: Unknown time or no level.
    """

    def __init__(
        self,
        in_channels: int,
        frames: int = 16,
        start_size: int = 7,
        clstm_channels: int = 1024,
        channels: Sequence[int] = (512, 256, 128, 64),
        blocks_before_first_render: int = 1,
        noise_channels: int = 0,
        time: str = "mean",
        subsample: bool = True,
    ) -> None:
        super().__init__()
        if time not in ("mean", "inject"):
            raise ValueError(f"time must be mean or inject, not {time!r}")
        if not 1 <= blocks_before_first_render <= len(channels):
            raise ValueError(
                f"blocks_before_first_render must be 1 … {len(channels)}, not {blocks_before_first_render}"
            )
        self.frames, self.start_size, self.time, self.subsample = frames, start_size, time, subsample
        self.noise_channels, self.first = noise_channels, blocks_before_first_render
        self.sizes = [start_size * 2**b for b in range(self.first, len(channels) + 1)]
        self.start = nn.Conv2d(in_channels + noise_channels, clstm_channels, 1)
        self.clstm = ConvLSTM(clstm_channels)
        self.blocks = nn.ModuleList(map(GenBlock, (clstm_channels, *channels), channels))
        self.renderers = nn.ModuleList(
            nn.Sequential(nn.BatchNorm2d(c), nn.ReLU(), nn.Conv2d(c, 3, 3, padding=1), nn.Tanh())
            for c in channels[self.first - 1 :]
        )
        for name, module in self.named_modules():
            if isinstance(module, nn.Conv2d):  # Glorot uniform, gain √2 on the main path of the blocks
                nn.init.xavier_uniform_(module.weight, 2**0.5 if name.endswith(("conv1", "conv2")) else 1.0)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, features: Tensor, noise: Tensor | None = None, all_levels: bool = False) -> Pyramid:
        """Generate.

        Args:
            features: f_i (N, in_channels, t, h, w); space is average-pooled to the start map.
            noise: (N, noise_channels); None draws from U[−1, 1] in training and takes zeros in evaluation.
            all_levels: In evaluation render every level instead of the last one.

        Returns:
            Clips (N, 3, T_l, H_l, W_l) in (−1, 1), smallest first, and their frame indices. Training: all levels,
            sub-sampled. Evaluation: all frames of the last level (or of each with all_levels).
        """
        n = len(features)
        steps = self.frames if self.time == "inject" else 1
        if features.shape[3:] != (self.start_size, self.start_size):
            features = F.adaptive_avg_pool3d(features, (None, self.start_size, self.start_size))
        if steps == 1:
            features = features.mean(2, keepdim=True)
        elif features.shape[2] != steps:
            size = (steps, self.start_size, self.start_size)
            features = F.interpolate(features, size=size, mode="trilinear", align_corners=False)
        if noise is None:
            noise = features.new_zeros(n, self.noise_channels)
            noise = torch.rand_like(noise) * 2 - 1 if self.training else noise
        noise = noise[:, :, None, None, None].expand(-1, -1, *features.shape[2:])
        start = self.start(torch.cat([features, noise], 1).transpose(1, 2).flatten(0, 1))
        images = self.clstm(start.unflatten(0, (n, steps)), self.frames).flatten(0, 1)
        images = images.contiguous(memory_format=torch.channels_last)  # faster on CPU
        frames = torch.arange(self.frames)
        pyramid = Pyramid([], [])
        for b, block in enumerate(self.blocks, start=1):
            if b > self.first and self.training and self.subsample and len(frames) > 1:
                offset = int(torch.randint(2, ()))
                images = images.unflatten(0, (n, len(frames)))[:, offset::2].flatten(0, 1)
                frames = frames[offset::2]
            images = block(images)
            if b == len(self.blocks) or (b >= self.first and (self.training or all_levels)):
                clip = self.renderers[b - self.first](images).unflatten(0, (n, len(frames)))
                pyramid.clips.append(clip.transpose(1, 2))
                pyramid.frames.append(frames)
        return pyramid


def real_pyramid(clip: Tensor, sizes: Sequence[int], frames: Sequence[Tensor]) -> list[Tensor]:
    """Real counterpart of a generated pyramid: the same frames, average-pooled to the same sizes.

    Args:
        clip: (N, 3, T, H, H).
        sizes: Height = width of each level, each dividing H.
        frames: Indices of the frames of each level, rising.

    Returns:
        Clips (N, 3, T_l, size, size).

    Raises:
        ValueError: The clip is not square, a size does not divide it, or the lists differ in length.
    """
    if len(sizes) != len(frames) or clip.shape[3] != clip.shape[4] or any(clip.shape[4] % size for size in sizes):
        raise ValueError(f"cannot pool a clip {tuple(clip.shape)} to sizes {list(sizes)} for {len(frames)} levels")
    pooled = []
    for size, index in zip(sizes, frames, strict=True):
        factor = clip.shape[4] // size
        # Of most levels one of both has nothing to do, which takes it as long as a copy.
        seen = clip if len(index) == clip.shape[2] else clip.index_select(2, index.to(clip.device))
        seen = seen if factor == 1 else F.avg_pool3d(seen, (1, factor, factor))
        pooled.append(seen.contiguous(memory_format=torch.channels_last_3d))  # as the generated ones
    return pooled


def _double_and_convolve(images: Tensor, convolution: nn.Conv2d) -> Tensor:
    """Nearest up-sampling by 2, then a padded 3×3 convolution, as one transposed convolution.

    Both are linear: the 4×4 kernel is the mirrored 3×3 one convolved with the 2×2 ones of the up-sampling. It takes
    4 products a pixel instead of 9 and no large intermediate image.
    """
    kernel = convolution.weight.flip(2, 3).transpose(0, 1)
    kernel = 4 * F.avg_pool2d(F.pad(kernel, (1, 1, 1, 1)), 2, stride=1)
    return F.conv_transpose2d(images, kernel, convolution.bias, stride=2, padding=1)
