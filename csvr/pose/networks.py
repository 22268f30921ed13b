"""Networks of the pose branch by name: what `model.pose` (params/pose/) makes."""

from __future__ import annotations

from typing import Any, Final

from csvr.errors import UserError
from csvr.pose.gan import PoseDecoder, PoseDiscriminator, PoseEncoder
from csvr.pose.heatmaps import Canvas, HeatmapDecoder, HeatmapDiscriminator, HeatmapEncoder

KINDS: Final = ("heatmaps", "coordinates")
Params = dict[str, Any]
Encoder = PoseEncoder | HeatmapEncoder
"""Past poses (N, T, K, 3) → f_d (N, out_channels, t) or (N, out_channels, t, h, w)."""
Decoder = PoseDecoder | HeatmapDecoder
"""f_d and past poses → the future in the kind's own form, with which `target`, `distance` and `coordinates` work."""
Discriminator = PoseDiscriminator | HeatmapDiscriminator
"""Past poses, a future in that form, and which joints of it are visible → logits."""


def pose_encoder(pose: Params) -> Encoder:
    """The pose encoder of the parameters `model.pose`.

    Args:
        pose: `kind` (heatmaps if it is not there) and what that kind takes.

    Raises:
        UserError: There is no such kind.
        ValueError: A network refuses a value.
    """
    if _kind(pose) == "coordinates":
        return PoseEncoder(**pose["encoder"])
    return HeatmapEncoder(Canvas(**pose["heatmaps"]), **pose["encoder"])


def pose_gan(pose: Params, motion_channels: int, future: int) -> tuple[Decoder, Discriminator]:
    """Decoder and discriminator of the parameters `model.pose`.

    Args:
        pose: As for `pose_encoder`, with which it is to share its parameters.
        motion_channels: Channels of f_d.
        future: Poses to predict.

    Raises:
        UserError: There is no such kind.
        ValueError: A network refuses a value.
    """
    if _kind(pose) == "coordinates":
        decoder = PoseDecoder(motion_channels, future, error=pose["error"], **pose["decoder"])
        return decoder, PoseDiscriminator(**pose["discriminator"])
    canvas = Canvas(**pose["heatmaps"])
    return HeatmapDecoder(motion_channels, future, canvas, **pose["decoder"]), HeatmapDiscriminator(
        canvas, **pose["discriminator"]
    )


def _kind(pose: Params) -> str:
    kind = str(pose.get("kind", KINDS[0]))
    if kind not in KINDS:
        raise UserError(f"model.pose.kind = {kind}: there are {', '.join(KINDS)}")
    return kind
