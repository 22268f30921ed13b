"""Clip encoders by name: what `model.backbone` (params/backbone/) makes."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, Final

from csvr.context.backbone import CONVOLUTIONS, ResNet3D
from csvr.context.c3d import C3D
from csvr.context.s3d import S3D
from csvr.errors import UserError, closest

ClipEncoder = ResNet3D | C3D | S3D
"""Clips (N, 3, T, H, W) → feature map (N, out_channels, t, h, w), not negative."""

RESNETS: Final = tuple(CONVOLUTIONS)
OTHERS: Final[dict[str, type[C3D] | type[S3D]]] = {"c3d": C3D, "s3d": S3D}


def clip_encoder(backbone: Mapping[str, Any]) -> ClipEncoder:
    """The clip encoder of the parameters `model.backbone`.

    Args:
        backbone: `kind` (r3d if it is not there), and arguments of that network.

    Raises:
        UserError: There is no such kind, or it has no such argument; the closest one is named.
        ValueError: The network refuses a value.
    """
    kind = backbone.get("kind", "r3d")
    if kind not in (*RESNETS, *OTHERS):
        raise UserError(f"model.backbone.kind = {kind}: {closest(str(kind), sorted((*RESNETS, *OTHERS)))}")
    make = OTHERS.get(kind, ResNet3D)
    known = {*inspect.signature(make).parameters, "kind"}
    for key in backbone:
        if key not in known:
            raise UserError(f"model.backbone.{key}: {kind} has no such parameter; {closest(str(key), sorted(known))}")
    if kind in OTHERS:
        return make(**{key: value for key, value in backbone.items() if key != "kind"})
    return make(**backbone)
