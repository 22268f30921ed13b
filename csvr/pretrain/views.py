"""From stored clips to the augmented tensors that one step trains on."""

from __future__ import annotations

from typing import Any

from csvr.data.augment import flip_poses, hold_missing, normalise_poses, random_colour, random_crop, to_unit
from csvr.data.batches import Batch
from csvr.pretrain.model import Views


def make_views(batch: Batch, augment: dict[str, Any], crop: int, futures: int) -> Views:
    """Augment a batch.

    Clip and future share crop, flip and colour, and the poses their flip; each I-frame has its own crop, flip
    and colour, so that neither place nor palette gives its clip away. The generators' targets are the clip and
    the future as the encoder sees them.

    Args:
        batch: Stored clips.
        augment: The `augment` parameters.
        crop: Output height and width.
        futures: Of how many clips the future is wanted, from the first on.
    """
    area = (float(augment["area"][0]), float(augment["area"][1]))
    (clip, future), flip = random_crop([to_unit(batch.clip), to_unit(batch.future[:futures])], crop, area)
    colour, permute, invert = augment["colour"], augment["permute"], augment["invert"]
    clip, future = random_colour([clip, future], colour, permute, augment["clip_gray"], invert)
    cropped, _ = random_crop([to_unit(batch.iframes)], crop, area)
    (iframes,) = random_colour(cropped, colour, permute, augment["iframe_gray"], invert)
    return Views(
        clip=clip,
        future=future,
        poses=hold_missing(flip_poses(normalise_poses(batch.poses, batch.poses), flip)),
        future_poses=flip_poses(normalise_poses(batch.future_poses, batch.poses), flip),
        iframes=iframes,
        owner=batch.owner,
    )
