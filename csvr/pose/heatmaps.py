"""Conditional GAN of the pose branch on heat maps: one Gaussian a joint and moment, 3D convolutions over the volumes.

Poses come as in csvr/pose/gan.py, centred and scaled, and are rendered here. Volumes are (N, K, t, size, size), where t
counts every `stride`-th pose. CSVR does not publish these networks; heat maps as input are those of PoseConv3D (Duan
et al. 2022), the discriminator's condition is that of HP-GAN (Barsoum et al. 2018).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from csvr.convolution import Conv3d
from csvr.distributed import mean
from csvr.pose.gan import draw_noise, last_seen

HALVINGS = 3  # of space, in encoder and decoder; time is halved in all but one of them


@dataclass(frozen=True)
class Canvas:
    """Where poses are rendered: a square of size × size pixels whose outer edges are at −extent and +extent.

    Attributes:
        size: Height and width in pixels, a multiple of 8.
        sigma: Standard deviation of a joint's Gaussian in pixels. Below about 0.6 pixels alias what is read out.
        extent: Half width of the square, in units of the coordinates. A joint nearer to an edge than about 3σ is cut
            off, and read out too far inside.
        stride: Every `stride`-th pose is rendered: of the past from the last one backwards, of the future the
            `stride`-th, 2·stride-th …, so that all of them are equally far apart.

    Raises:
        ValueError: size is no multiple of 8, or a value is not above 0.
    """

    size: int
    sigma: float
    extent: float
    stride: int = 1

    def __post_init__(self) -> None:
        if not (self.sigma > 0 and self.extent > 0 and self.stride > 0):
            raise ValueError(f"sigma, extent and stride must be above 0: {self}")
        if self.size < 1 or self.size % 2**HALVINGS:
            raise ValueError(f"size must be a multiple of {2**HALVINGS}, not {self.size}")

    @property
    def mass(self) -> float:
        """Sum over the pixels of a Gaussian with peak 1: 2πσ²."""
        return 2 * math.pi * self.sigma**2

    def past(self, poses: Tensor) -> Tensor:
        """The rendered ones of T past poses: (N, T, …) → (N, ⌈T/stride⌉, …), the last one included."""
        return poses[:, (poses.shape[1] - 1) % self.stride :: self.stride]

    def future(self, poses: Tensor) -> Tensor:
        """The rendered ones of T future poses: (N, T, …) → (N, ⌊T/stride⌋, …)."""
        return poses[:, self.stride - 1 :: self.stride]

    def exponent(self, points: Tensor) -> Tensor:
        """Logarithm of the Gaussian with peak 1 around each point: −(Δx² + Δy²)/(2σ²), Δ in pixels.

        Args:
            points: x to the right and y down, (..., 2).

        Returns:
            (..., size, size), not above 0.
        """
        x, y = self._parts(points)
        return y[..., :, None] + x[..., None, :]

    def render(self, poses: Tensor) -> Tensor:
        """One Gaussian a joint, its peak the confidence: (N, T, K, 3) → (N, K, T, size, size).

        In [0, 1] for confidences in [0, 1]. A missing joint, of confidence 0, is an empty channel, wherever it is held.
        """
        joints = poses.transpose(1, 2)
        x, y = (part.exp() for part in self._parts(joints[..., :2]))
        return joints[..., 2, None, None] * y[..., :, None] * x[..., None, :]

    def read(self, volumes: Tensor) -> Tensor:
        """Centre of mass of each map, in coordinates: the inverse of `render` (soft-argmax without an exponential).

        Args:
            volumes: (N, K, T, size, size), not negative.

        Returns:
            x, y (N, T, K, 2), exact below a pixel for Gaussians that no edge cuts off; (0, 0) for an empty map.
        """
        total = volumes.sum((-2, -1))
        grid = self._grid(volumes)
        moments = [(volumes.sum(axis) * grid).sum(-1) for axis in (-2, -1)]  # over rows is left x, over columns y
        tiny = torch.finfo(volumes.dtype).tiny
        return torch.stack([moment / total.clamp(min=tiny) for moment in moments], -1).transpose(1, 2)

    def _grid(self, like: Tensor) -> Tensor:
        """Coordinates of the pixels' centres, (size,)."""
        pixels = torch.arange(self.size, device=like.device, dtype=like.dtype)
        return ((pixels + 0.5) * 2 / self.size - 1) * self.extent

    def _parts(self, points: Tensor) -> list[Tensor]:
        """−Δ²/(2σ²) of the columns (x) and of the rows (y), each (..., size)."""
        scale = self.size / (2 * self.extent * self.sigma)
        return [-((self._grid(points) - points[..., axis, None]) * scale).square() / 2 for axis in (0, 1)]


class HeatmapEncoder(nn.Module):
    """3D convolutions over joint heat maps; the output is the dynamic motion feature f_d, with a spatial layout.

    Args:
        canvas: How poses are rendered.
        keypoints: Joints K of a pose.
        width: Channels of the stem; the middle has twice as many.
        out_channels: Channels of f_d.
    """

    def __init__(self, canvas: Canvas, keypoints: int = 17, width: int = 32, out_channels: int = 64) -> None:
        super().__init__()
        self.canvas, self.out_channels = canvas, out_channels
        layers: list[nn.Module] = []
        for i, (inputs, outputs) in enumerate(pairwise((keypoints, width, 2 * width, out_channels))):
            convolution = Conv3d(inputs, outputs, 3, stride=(min(i, 1) + 1, 2, 2), padding=1, bias=False)
            layers += [convolution, nn.BatchNorm3d(outputs), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers)

    def forward(self, poses: Tensor) -> Tensor:
        """(N, T, K, 3) → f_d (N, out_channels, ⌈t/4⌉, size/8, size/8) with t = ⌈T/stride⌉, not negative."""
        features: Tensor = self.layers(self.canvas.render(self.canvas.past(poses)))
        return features


class HeatmapDecoder(nn.Module):
    """Future heat maps from f_d and noise, as changes of the maps of where each joint was last seen.

    With g₀ the Gaussian around that place and z the network's output, the map of a joint at a moment is

        v = 2πσ² · softmax_pixels(ln g₀ + z)

    The sum is taken of logarithms because a shift is easy there: ln g of the Gaussian moved by δ pixels is
    ln g₀ + (x − c)·δ/σ² + const, so z is a ramp, however sharp the peak; added to g₀ itself, z would have to erase
    one peak and draw another. A map is also not negative, has the mass of a rendered Gaussian, and is a distribution:
    its centre of mass needs no threshold, and two possible futures are two peaks. z starts at 0: "nobody moves".

    f_d is resampled to `steps` time steps; a 2D convolution maps all of them and the noise to a quarter of the
    future's length (past and future steps do not correspond one to one), from where up-sampling and 3D convolutions
    lead to single moments and pixels.

    Args:
        in_channels: Channels of f_d.
        future: Poses to predict, of which every `stride`-th is rendered; a multiple of it.
        canvas: How poses are rendered.
        noise_channels: Dimension Z of the noise, may be 0.
        keypoints: Joints K of a pose.
        width: Channels inside.
        steps: Time steps of f_d that are kept.

    Raises:
        ValueError: `future` is no multiple of the stride.
    """

    def __init__(
        self,
        in_channels: int,
        future: int,
        canvas: Canvas,
        noise_channels: int = 16,
        keypoints: int = 17,
        width: int = 32,
        steps: int = 4,
    ) -> None:
        super().__init__()
        if future % canvas.stride:
            raise ValueError(f"{future} future poses are no multiple of the heat maps' stride {canvas.stride}")
        self.canvas, self.moments = canvas, future // canvas.stride
        self.noise_channels, self.width, self.steps = noise_channels, width, steps
        coarse = math.ceil(self.moments / 2 ** (HALVINGS - 1))
        self.start = nn.Conv2d(in_channels * steps + noise_channels, width * coarse, 3, padding=1, bias=False)
        layers: list[nn.Module] = [nn.BatchNorm3d(width), nn.ReLU(inplace=True)]
        for i in range(HALVINGS):
            layers += [
                nn.Upsample(scale_factor=(2 if i else 1, 2, 2)),
                Conv3d(width, width, 3, padding=1, bias=False),
            ]
            layers += [nn.BatchNorm3d(width), nn.ReLU(inplace=True)]
        last = Conv3d(width, keypoints, 3, padding=1, bias=False)  # softmax would cancel a bias
        nn.init.zeros_(last.weight)  # for the reason given in PoseDecoder
        self.layers = nn.Sequential(*layers, last)

    def forward(self, features: Tensor, poses: Tensor, noise: Tensor | None = None) -> Tensor:
        """Predict.

        Args:
            features: f_d (N, in_channels, t, size/8, size/8).
            poses: Past poses (N, T, K, 3), used for the last seen positions only.
            noise: (N, Z); None draws from N(0, 1) in training and takes zeros in evaluation.

        Returns:
            Volumes (N, K, future/stride, size, size), for every joint; each map sums to 2πσ².
        """
        h, w = features.shape[-2:]
        kept = F.adaptive_avg_pool3d(features, (self.steps, h, w)).flatten(1, 2)
        noise = draw_noise(features, self.noise_channels, self.training) if noise is None else noise
        start = self.start(torch.cat([kept, noise[:, :, None, None].expand(-1, -1, h, w)], 1))
        change = self.layers(start.unflatten(1, (self.width, -1)))[:, :, : self.moments]
        logits = change + self.canvas.exponent(last_seen(poses))[:, :, None]
        maps: Tensor = self.canvas.mass * logits.flatten(3).softmax(3).view_as(logits)
        return maps

    def target(self, future: Tensor) -> Tensor:
        """What the prediction is to be: (N, future, K, 3) → volumes with peaks of 1, meaningless where not visible."""
        points = self.canvas.future(future)[..., :2]
        return self.canvas.render(torch.cat([points, torch.ones_like(points[..., :1])], -1))

    def distance(self, predicted: Tensor, target: Tensor, visible: Tensor) -> Tensor:
        """Squared error of the maps of visible joints, each over that of two Gaussians which do not overlap.

            mean_{visible} Σ_pixels (v − g)² / (2πσ²)

        A mean over pixels would be near 0 whatever is predicted, since the maps are: so it is 0 for a right peak and 1
        for one that misses, whatever `size` and `sigma`. For a Gaussian that is d pixels off it is 1 − exp(−d²/(4σ²)).

        Args:
            predicted: (N, K, t, size, size).
            target: Likewise (`target`).
            visible: (N, future, K) bool, all poses and not only those that are rendered.

        Returns:
            Scalar ≥ 0; 0, still with a gradient function, when nothing is visible.
        """
        error = (predicted - target).square().sum((-2, -1)) / self.canvas.mass
        weight = self.canvas.future(visible).transpose(1, 2).to(error.dtype)
        return (error * weight).sum() / mean(weight.sum()).clamp(min=1)  # over all processes, as in gan_losses

    def coordinates(self, predicted: Tensor, poses: Tensor) -> Tensor:
        """x, y (N, future, K, 2) of a prediction, interpolated between its moments and the last seen positions."""
        known = torch.cat([last_seen(poses)[:, None], self.canvas.read(predicted)], 1)
        length = self.moments * self.canvas.stride + 1
        dense = F.interpolate(known.flatten(2).transpose(1, 2), length, mode="linear", align_corners=True)
        return dense[..., 1:].transpose(1, 2).unflatten(2, known.shape[2:])  # type: ignore[no-any-return]


class HeatmapDiscriminator(nn.Module):
    """3D convolutions over past and future joined on the time axis; a logit for every 4 moments × 8 × 8 pixels.

    Args:
        canvas: How poses are rendered.
        keypoints: Joints K of a pose.
        width: Channels of the first layer, doubled twice.
        spectral: Spectral normalisation (Miyato et al. 2018). There is no other norm.
    """

    def __init__(self, canvas: Canvas, keypoints: int = 17, width: int = 32, spectral: bool = False) -> None:
        super().__init__()
        self.canvas = canvas
        layers: list[nn.Module] = []
        for i, (inputs, outputs) in enumerate(pairwise((keypoints, width, 2 * width, 4 * width))):
            convolution = Conv3d(inputs, outputs, 3, stride=(min(i, 1) + 1, 2, 2), padding=1)
            layers += [spectral_norm(convolution) if spectral else convolution, nn.LeakyReLU(0.2, inplace=True)]
        head = nn.Conv3d(4 * width, 1, 1)
        self.layers = nn.Sequential(*layers, spectral_norm(head) if spectral else head)

    def forward(self, past: Tensor, future: Tensor, visible: Tensor) -> Tensor:
        """Logits (N, ⌈t/4⌉, size/8, size/8) of a past and a future of t moments together; arguments as for `join`."""
        return self.judge(self.join(past, future, visible))

    def join(self, past: Tensor, future: Tensor, visible: Tensor) -> Tensor:
        """Past and future on one time axis, as `judge` takes them.

        Args:
            past: Poses (N, T, K, 3).
            future: Volumes (N, K, t, size, size), real or predicted.
            visible: (N, T_future, K) of the real future, bool or confidence, by which the maps are multiplied. Hidden
                joints are thus empty in real and predicted futures alike; otherwise the empty maps of missing joints
                alone would betray the real ones.

        Returns:
            (N, K, ⌈T/stride⌉ + t, size, size).
        """
        shown = self.canvas.future(visible).transpose(1, 2).to(future.dtype)[..., None, None]
        return torch.cat([self.canvas.render(self.canvas.past(past)), future * shown], 2)

    def judge(self, joined: Tensor) -> Tensor:
        """(N, K, t, size, size) → logits (N, ⌈t/4⌉, size/8, size/8)."""
        logits: Tensor = self.layers(joined)
        return logits[:, 0]
