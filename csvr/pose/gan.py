"""Conditional GAN of the pose branch on coordinates: past poses → dynamic feature f_d → future poses.

Poses are (N, T, K, 3) = x, y, confidence; x and y are centred and scaled by the caller, a missing joint has confidence
0. CSVR does not publish these networks: the GAN conditions by concatenating past and future on the time axis, as
HP-GAN (Barsoum et al. 2018). csvr/pose/heatmaps.py has the same GAN on heat maps, with the same methods.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from csvr.pose.gan_losses import pose_reconstruction


class TemporalBlock(nn.Module):
    """Residual block of two temporal convolutions with batch norm; (N, C, T) → the same."""

    def __init__(self, channels: int, kernel: int = 3) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(channels, channels, kernel, padding=kernel // 2, bias=False),
            nn.BatchNorm1d(channels),
            nn.ReLU(inplace=True),
            nn.Conv1d(channels, channels, kernel, padding=kernel // 2, bias=False),
            nn.BatchNorm1d(channels),
        )

    def forward(self, features: Tensor) -> Tensor:
        return F.relu(features + self.layers(features))


class PoseEncoder(nn.Module):
    """Temporal convolutions over joint coordinates; the output is the dynamic motion feature f_d.

    Args:
        keypoints: Joints K of a pose.
        width: Channels before the first halving of time; the middle has twice as many.
        out_channels: Channels of f_d.
        blocks: Residual blocks after each of the two halvings.
        kernel: Temporal kernel, odd.
    """

    def __init__(
        self, keypoints: int = 17, width: int = 32, out_channels: int = 64, blocks: int = 1, kernel: int = 5
    ) -> None:
        super().__init__()
        self.out_channels = out_channels
        layers: list[nn.Module] = []
        sizes = (3 * keypoints, width, 2 * width, out_channels)
        for i, (inputs, outputs) in enumerate(pairwise(sizes)):
            convolution = nn.Conv1d(inputs, outputs, kernel, stride=min(i, 1) + 1, padding=kernel // 2, bias=False)
            layers += [convolution, nn.BatchNorm1d(outputs), nn.ReLU(inplace=True)]
            layers += [TemporalBlock(outputs) for _ in range(blocks if i > 0 else 0)]
        self.layers = nn.Sequential(*layers)

    def forward(self, poses: Tensor) -> Tensor:
        """(N, T, K, 3) → f_d (N, out_channels, ⌈T/4⌉), not negative."""
        features: Tensor = self.layers(poses.flatten(2).transpose(1, 2))
        return features


def draw_noise(like: Tensor, channels: int, training: bool) -> Tensor:
    """(N, channels) of N(0, 1) in training, and zeros in evaluation; N, device and type are those of `like`."""
    noise = like.new_zeros(len(like), channels)
    return torch.randn_like(noise) if training else noise


def last_seen(poses: Tensor) -> Tensor:
    """Position of each joint in the latest frame with confidence > 0; (0, 0) if it is never seen.

    (N, T, K, 3) → (N, K, 2).
    """
    seen = poses[..., 2] > 0
    order = torch.arange(1, poses.shape[1] + 1, device=poses.device)[:, None]
    latest = (seen * order).argmax(1)  # 0 when never seen
    position = poses[..., :2].gather(1, latest[:, None, :, None].expand(-1, 1, -1, 2))[:, 0]
    return position * seen.any(1)[..., None]


class PoseDecoder(nn.Module):
    """Future poses from f_d and noise, as displacements from where each joint was last seen.

    f_d is resampled to `steps` time steps; one linear layer maps all of them and the noise to a quarter of the
    future's length (past and future steps do not correspond one to one), from where temporal convolutions lead up to
    single frames.

    Args:
        in_channels: Channels of f_d.
        future: Frames to predict.
        noise_channels: Dimension Z of the noise, may be 0.
        keypoints: Joints K of a pose.
        width: Channels inside.
        steps: Time steps of f_d that are kept.
        error: Kind of `pose_reconstruction` that `distance` is.
    """

    def __init__(
        self,
        in_channels: int,
        future: int,
        noise_channels: int = 16,
        keypoints: int = 17,
        width: int = 64,
        steps: int = 4,
        error: str = "smooth_l1",
    ) -> None:
        super().__init__()
        self.error = error
        self.future, self.noise_channels, self.keypoints, self.width, self.steps = (
            future,
            noise_channels,
            keypoints,
            width,
            steps,
        )
        self.start = nn.Linear(in_channels * steps + noise_channels, width * -(-future // 4))
        layers: list[nn.Module] = [nn.BatchNorm1d(width), nn.ReLU(inplace=True)]
        for _ in range(2):
            layers += [nn.Upsample(scale_factor=2), nn.Conv1d(width, width, 3, padding=1, bias=False)]
            layers += [nn.BatchNorm1d(width), nn.ReLU(inplace=True)]
        last = nn.Conv1d(width, 2 * keypoints, 3, padding=1)
        # The first prediction is "nobody moves", which is nearly right. A random one is so wrong that shrinking it
        # is all that the encoder learns from at first, and what it knew of the motion is lost.
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)  # type: ignore[arg-type]
        self.layers = nn.Sequential(*layers, last)

    def forward(self, features: Tensor, poses: Tensor, noise: Tensor | None = None) -> Tensor:
        """Predict.

        Args:
            features: f_d (N, in_channels, t).
            poses: Past poses (N, T, K, 3), used for the last seen positions only.
            noise: (N, Z); None draws from N(0, 1) in training and takes zeros in evaluation.

        Returns:
            Future x, y (N, future, K, 2), for every joint.
        """
        n = len(features)
        features = F.adaptive_avg_pool1d(features, self.steps)
        noise = draw_noise(features, self.noise_channels, self.training) if noise is None else noise
        start = self.start(torch.cat([features.flatten(1), noise], 1)).view(n, self.width, -1)
        moves = self.layers(start)[..., : self.future].transpose(1, 2).view(n, self.future, self.keypoints, 2)
        future: Tensor = last_seen(poses)[:, None] + moves
        return future

    def target(self, future: Tensor) -> Tensor:
        """What the prediction is to be: (N, future, K, 3) → x, y (N, future, K, 2), meaningless where not visible."""
        return future[..., :2]

    def distance(self, predicted: Tensor, target: Tensor, visible: Tensor) -> Tensor:
        """Reconstruction loss of a prediction (`pose_reconstruction`); `visible` (N, future, K) is bool."""
        return pose_reconstruction(predicted, target, visible, self.error)

    def coordinates(self, predicted: Tensor, poses: Tensor) -> Tensor:
        """x, y (N, future, K, 2) of a prediction: itself."""
        return predicted


class PoseDiscriminator(nn.Module):
    """Temporal convolutions over past and future joined on the time axis; one logit for every four frames.

    Args:
        keypoints: Joints K of a pose.
        width: Channels of the first layer, doubled twice.
        kernel: Temporal kernel, odd.
        spectral: Spectral normalisation (Miyato et al. 2018). There is no other norm.
    """

    def __init__(self, keypoints: int = 17, width: int = 32, kernel: int = 5, spectral: bool = False) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        sizes = (3 * keypoints, width, 2 * width, 4 * width)
        for i, (inputs, outputs) in enumerate(pairwise(sizes)):
            convolution = nn.Conv1d(inputs, outputs, kernel, stride=min(i, 1) + 1, padding=kernel // 2)
            layers += [spectral_norm(convolution) if spectral else convolution, nn.LeakyReLU(0.2, inplace=True)]
        head = nn.Conv1d(4 * width, 1, 1)
        self.layers = nn.Sequential(*layers, spectral_norm(head) if spectral else head)

    def forward(self, past: Tensor, future: Tensor, visible: Tensor) -> Tensor:
        """Logits (N, ⌈(T + T_future)/4⌉) of a past and a future; arguments as for `join`."""
        return self.judge(self.join(past, future, visible))

    def join(self, past: Tensor, future: Tensor, visible: Tensor) -> Tensor:
        """Past and future on one time axis, as `judge` takes them.

        Args:
            past: (N, T, K, 3).
            future: (N, T_future, K, 2), real or predicted.
            visible: (N, T_future, K) of the real future, bool or confidence. Hidden joints are zeroed in real and
                predicted futures alike; otherwise the zeros of missing joints alone would betray the real ones.

        Returns:
            (N, T + T_future, K, 3).
        """
        confidence = visible.to(future.dtype)[..., None]
        return torch.cat([past, torch.cat([future * (confidence > 0), confidence], 3)], 1)

    def judge(self, joined: Tensor) -> Tensor:
        """(N, T + T_future, K, 3) → logits (N, ⌈(T + T_future)/4⌉)."""
        logits: Tensor = self.layers(joined.flatten(2).transpose(1, 2))
        return logits[:, 0]
