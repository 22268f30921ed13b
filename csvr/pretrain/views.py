"""From stored clips to the augmented tensors that one step trains on."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from csvr.data.augment import (
    Colours,
    Crops,
    flip_poses,
    hold_missing,
    normalise_poses,
    random_colours,
    random_crops,
)
from csvr.data.batches import Batch


class Views(NamedTuple):
    """What one step trains on.

    Attributes:
        clip: (N, 3, T, H, W) in −1 … 1: input of the clip encoder, and what the first generator reconstructs.
        future: What the second generator is to predict, likewise; only of the first clips, those that are generated.
        poses, future_poses: Normalised keypoints (N, T', 17, 3).
        iframes: (M, 3, H, W).
        owner: Clip of each I-frame, (M,).
        noise: Input of each generator that takes any (`CSVR.noise`); of pose, (N, Z).
    """

    clip: Tensor
    future: Tensor
    poses: Tensor
    future_poses: Tensor
    iframes: Tensor
    owner: Tensor
    noise: dict[str, Tensor] | None = None

    def part(self, k: int, parts: int) -> Views:
        """Clips k, k + parts, …, with what belongs to them."""
        if parts == 1:
            return self
        mine = self.owner % parts == k
        return Views(
            clip=self.clip[k::parts],
            future=self.future[k::parts],
            poses=self.poses[k::parts],
            future_poses=self.future_poses[k::parts],
            iframes=self.iframes[mine],
            owner=self.owner[mine] // parts,
            noise={name: value[k::parts] for name, value in (self.noise or {}).items()},
        )


def make_views(batch: Batch, augment: dict[str, Any], crop: int, generator: torch.Generator | None = None) -> Views:
    """Augment a batch, or a process's share of it as the whole would be.

    Clip and future share crop, flip and colour, and the poses their flip; each I-frame has its own crop, flip
    and colour, so that neither place nor palette gives its clip away. The generators' targets are the clip and
    the future as the encoder sees them.

    Args:
        batch: Stored clips.
        augment: The `augment` parameters.
        crop: Output height and width.
        generator: Of the random numbers; torch's own if None.
    """
    area = (float(augment["area"][0]), float(augment["area"][1]))
    size, (first, every) = (batch.clip.shape[-2], batch.clip.shape[-1]), batch.share

    def draw(total: int, gray: float, place: slice | Tensor) -> tuple[Crops, Colours]:
        crops = random_crops(total, size, area, generator)
        colours = random_colours(total, augment["colour"], augment["permute"], gray, augment["invert"], generator)
        return crops.take(place), colours.take(place)

    crops, colours = draw(batch.total[0], augment["clip_gray"], slice(first, None, every))
    iframe_crops, iframe_colours = draw(batch.total[1], augment["iframe_gray"], batch.iframe_place)
    # Past and future at once: these are many operations on little.
    both = normalise_poses(torch.cat([batch.poses, batch.future_poses], 1), batch.poses)
    poses, future_poses = flip_poses(both, crops.flip).split([batch.poses.shape[1], batch.future_poses.shape[1]], 1)
    return Views(
        clip=colours.apply(crops.apply(batch.clip.float(), crop)),
        future=colours.apply(crops.apply(batch.future.float(), crop)),
        poses=hold_missing(poses),
        future_poses=future_poses,
        iframes=iframe_colours.apply(iframe_crops.apply(batch.iframes.float(), crop)),
        owner=batch.owner,
    )
