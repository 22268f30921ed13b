"""From stored clips to the augmented tensors that one step trains on."""

from __future__ import annotations

from typing import Any

import torch

from csvr.data.augment import flip_poses, hold_missing, normalise_poses, random_colour, random_crop, to_unit
from csvr.data.batches import Batch
from csvr.pretrain.model import Views


def make_views(batch: Batch, augment: dict[str, Any], crop: int) -> Views:
    """Augment a batch.

    Clip and future share crop, flip and colour, and the poses their flip; each I-frame has its own crop, flip
    and colour, so that neither place nor palette gives its clip away. The generators' targets are the clip and
    the future as the encoder sees them.

    Args:
        batch: Stored clips.
        augment: The `augment` parameters.
        crop: Output height and width.
    """
    area = (float(augment["area"][0]), float(augment["area"][1]))
    (clip, future), flip = random_crop([to_unit(batch.clip), to_unit(batch.future)], crop, area)
    colour, permute, invert = augment["colour"], augment["permute"], augment["invert"]
    both = random_colour(torch.cat([clip, future], 2), colour, permute, augment["clip_gray"], invert)
    clip, future = both.split(clip.shape[2], 2)
    (iframes,), _ = random_crop([to_unit(batch.iframes)], crop, area)
    return Views(
        clip=clip,
        future=future,
        poses=hold_missing(flip_poses(normalise_poses(batch.poses, batch.poses), flip)),
        future_poses=flip_poses(normalise_poses(batch.future_poses, batch.poses), flip),
        iframes=random_colour(iframes, colour, permute, augment["iframe_gray"], invert),
        owner=batch.owner,
    )
