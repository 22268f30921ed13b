"""Random views of clips and I-frames, on whole batches.

Drawing and applying are apart: processes that share a batch draw all of it, and apply what concerns their clips.

The contrast between a clip and its I-frames is only worth solving when colour does not solve it: both get
their own crop and their own strong colour change (channel permutation, mixing, gain and bias, gray).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from csvr.pose.skeleton import MIRROR


def to_unit(images: Tensor) -> Tensor:
    """uint8 0…255 → float −1…1."""
    return images.float().div_(127.5).sub_(1)


@dataclass(frozen=True)
class Crops:
    """A resized crop and flip for each of N samples, in `grid_sample`'s units.

    Attributes:
        scale_x, scale_y: Part of the image's width and height that is kept; scale_x is negative where flipped, (N,).
        x, y: Centre, −1 … 1, (N,).
    """

    scale_x: Tensor
    scale_y: Tensor
    x: Tensor
    y: Tensor

    @property
    def flip(self) -> Tensor:
        """Which samples are mirrored, bool (N,)."""
        return self.scale_x < 0

    def take(self, rows: Tensor | slice) -> Crops:
        """Those of some samples."""
        return Crops(*(value[rows] for value in (self.scale_x, self.scale_y, self.x, self.y)))

    def apply(self, images: Tensor, size: int) -> Tensor:
        """(n, 3, ..., h, w) → (n, 3, ..., size, size), the same crop for all frames; n ≤ N, the first samples."""
        n = len(images)
        if not n:  # which grid_sample refuses
            return images.new_zeros(*images.shape[:-2], size, size)
        scale_x, scale_y, x, y = (v[:n].to(images.device) for v in (self.scale_x, self.scale_y, self.x, self.y))
        # As `affine_grid` without rotation, which takes as long as the sampling.
        centres = (2 * torch.arange(size, device=images.device) + 1) / size - 1
        columns, rows = (scale[:, None] * centres + at[:, None] for scale, at in ((scale_x, x), (scale_y, y)))
        grid = torch.stack(torch.broadcast_tensors(columns[:, None, :], rows[:, :, None]), -1)
        flat = images.flatten(1, -3)
        cropped: Tensor = F.grid_sample(flat, grid, padding_mode="border", align_corners=False)
        whole: Tensor = cropped.unflatten(1, images.shape[1:-2])  # type: ignore[no-untyped-call]
        return whole


def random_crops(
    n: int, size: tuple[int, int], area: tuple[float, float], generator: torch.Generator | None = None
) -> Crops:
    """Draw n crops and flips.

    Args:
        n: Samples.
        size: Height and width of the images, in pixels.
        area: Range of the cropped part of the largest centred square's area.
        generator: Of the random numbers; torch's own if None.
    """
    rand, (height, width) = partial(torch.rand, generator=generator), size
    side = torch.empty(n).uniform_(*area, generator=generator).sqrt() * min(size)
    x = (rand(n) * 2 - 1) * (width - side) / width
    y = (rand(n) * 2 - 1) * (height - side) / height
    flip = rand(n) < 0.5
    return Crops(side / width * torch.where(flip, -1, 1), side / height, x, y)


def centre_crop(images: Tensor, size: int) -> Tensor:
    """The largest centred square, resized: (N, 3, ..., h, w) → (N, 3, ..., size, size)."""
    n, (h, w) = len(images), images.shape[-2:]
    side, zero = torch.full((n,), float(min(h, w))), torch.zeros(n)
    return Crops(side / w, side / h, zero, zero).apply(images, size)


@dataclass(frozen=True)
class Colours:
    """A change of colour for each of N samples: mix @ rgb + bias, of colours in −1 … 1.

    Attributes:
        mix: (N, 3, 3).
        bias: (N, 3, 1).
    """

    mix: Tensor
    bias: Tensor

    def take(self, rows: Tensor | slice) -> Colours:
        """Those of some samples."""
        return Colours(self.mix[rows], self.bias[rows])

    def apply(self, images: Tensor) -> Tensor:
        """Images (n, 3, ...) in 0 … 255 → in −1 … 1, changed and clamped; n ≤ N, the first samples."""
        mix, bias = (value[: len(images)].to(images.device) for value in (self.mix, self.bias))
        mix, bias = mix / 127.5, bias - mix.sum(2, keepdim=True)  # instead of a pass over all images
        return torch.baddbmm(bias, mix, images.flatten(2)).clamp_(-1, 1).view_as(images)


def random_colours(
    n: int, strength: float, permute: float, gray: float, invert: float, generator: torch.Generator | None = None
) -> Colours:
    """Draw n changes of colour.

    Args:
        n: Samples.
        strength: Spread of gain, bias and channel mixing; 0 leaves them.
        permute: Probability of a random permutation of the channels.
        gray: Probability of gray.
        invert: Probability of the negative, so that not even light and dark tell a scene.
        generator: Of the random numbers; torch's own if None.
    """
    rand, eye = partial(torch.rand, generator=generator), torch.eye(3)
    mix = torch.where(rand(n, 1, 1) < permute, eye[rand(n, 3).argsort(1)], eye)
    mix = mix + strength * 0.5 * (rand(n, 3, 3) - 0.5)
    luma = torch.tensor([0.299, 0.587, 0.114]).expand(3, 3)
    mix = torch.where(rand(n, 1, 1) < gray, luma, mix)
    mix = mix * (1 + strength * (rand(n, 1, 1) - 0.5))
    mix = torch.where(rand(n, 1, 1) < invert, -mix, mix)
    return Colours(mix, strength * 0.5 * (rand(n, 3, 1) - 0.5))


def flip_poses(poses: Tensor, flip: Tensor) -> Tensor:
    """Mirror centred poses (N, T, 17, 2 or more) where `flip` (N,) is true: x changes sign, left and right swap."""
    mirrored = poses[:, :, MIRROR].clone()
    mirrored[..., 0] *= -1
    return torch.where(flip.to(poses.device)[:, None, None, None], mirrored, poses)


def normalise_poses(poses: Tensor, reference: Tensor) -> Tensor:
    """Centre and scale poses by the person's box over `reference`, so that place and size in the image say nothing.

    Args:
        poses: (N, T, 17, 3): x, y in pixels, confidence; 0 where missing.
        reference: Poses (N, T', 17, 3) whose visible joints give centre and scale (the past).

    Returns:
        (N, T, 17, 3): x and y in units of half the box's longer side, confidence unchanged, missing joints (0, 0, 0).
        A clip in which nobody was found stays all zero.
    """
    seen = reference[..., 2:] > 0
    low = torch.where(seen, reference[..., :2], torch.inf).flatten(1, 2).amin(1)
    high = torch.where(seen, reference[..., :2], -torch.inf).flatten(1, 2).amax(1)
    found = torch.isfinite(low).all(1)[:, None]
    low, high = torch.where(found, low, 0), torch.where(found, high, 2)
    centre = ((low + high) / 2)[:, None, None]
    half = ((high - low).amax(1) / 2).clamp(min=1)[:, None, None, None]
    visible = (poses[..., 2:] > 0) & found[:, None, None]
    return torch.cat([(poses[..., :2] - centre) / half * visible, poses[..., 2:] * visible], -1)


def hold_missing(poses: Tensor) -> Tensor:
    """Give missing joints the position where they were last seen (before that: first seen); confidence stays 0.

    The stored poses mark a missing joint as (0, 0, 0). Fed to a convolution as it is, each gap is a jump to the
    origin that drowns the motion: with 3 % of the joints missing, a supervised classifier of the embedded arm
    motions fell from 0.96 to 0.80. The networks still see which joints are held, by their confidence.

    Args:
        poses: (N, T, K, 3).

    Returns:
        Likewise; joints never seen in a clip stay (0, 0, 0).
    """
    seen = poses[..., 2] > 0
    time = torch.arange(poses.shape[1], device=poses.device)[None, :, None].expand_as(seen)
    latest = torch.where(seen, time, -1).cummax(1).values
    first = seen.int().argmax(1, keepdim=True)
    source = torch.where(latest < 0, first, latest)[..., None].expand(-1, -1, -1, 2)
    return torch.cat([poses[..., :2].gather(1, source), poses[..., 2:]], -1)
