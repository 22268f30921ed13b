"""Features of whole videos: the mean over uniformly placed clips of the pooled feature maps."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from csvr.context.backbone import pool
from csvr.data.augment import centre_crop, hold_missing, normalise_poses, to_unit
from csvr.data.batches import Features, uniform_starts
from csvr.integration.layer import IntegrationLayer
from csvr.pretrain.model import Encoders

BATCH = 24
"""Videos at a time."""
CPU = torch.device("cpu")
NO_POSE = "_no_pose"
"""Ends the name of a feature that was computed as if nobody had been found."""


def device_of(network: nn.Module) -> torch.device:
    """Where a network computes."""
    return next(network.parameters()).device


def load_clips(features: Features, videos: list[str], clips: int, device: torch.device = CPU) -> tuple[Tensor, Tensor]:
    """Test clips of some videos, on `device`: `clips` at the mid-points of equal slots, centre crop.

    Returns:
        Clips (V·clips, 3, T, H, W) in −1 … 1 and normalised poses (V·clips, T', 17, 3), video by video.
    """
    span = features.shape.span
    where = [(v, s) for v in videos for s in uniform_starts(features.length(v), span, clips)]
    images = torch.stack([features.images(v, s) for v, s in where]).to(device)
    poses = torch.stack([features.keypoints(v, s) for v, s in where]).to(device)
    return centre_crop(to_unit(images), features.shape.crop), hold_missing(normalise_poses(poses, poses))


@torch.inference_mode()
def video_features(
    encoders: Encoders,
    control: IntegrationLayer | None,
    features: Features,
    videos: list[str],
    clips: int,
    no_pose: bool = False,
) -> dict[str, Tensor]:
    """Pooled features of each video, computed where the encoders are.

    Args:
        encoders: In evaluation mode.
        control: Untrained integration layer (see `untrained_integration`) for the read-out f_i_untrained.
        features: Stored clips and poses.
        videos: Names.
        clips: Clips a video.
        no_pose: Whether to compute f_d_no_pose and f_i_no_pose as well: of the same clips, all keypoints missing.

    Returns:
        f_s, and with a pose encoder f_d, f_i and f_i_untrained: float32, (videos, channels), on the CPU.
    """
    device = device_of(encoders)
    found: dict[str, list[Tensor]] = {}
    for first in range(0, len(videos), BATCH):
        some = videos[first : first + BATCH]
        clip, poses = load_clips(features, some, clips, device)
        maps = encoders(clip, poses)
        maps.pop("mask", None)
        if control is not None:
            maps["f_i_untrained"], _ = control(maps["f_s"], maps["f_d"])
        if no_pose and encoders.pose is not None and encoders.integration is not None:
            # The same for all clips, so once: 0 is where a missing joint is put, and its confidence.
            nobody = encoders.pose(torch.zeros_like(poses[:1]))
            maps[f"f_d{NO_POSE}"] = nobody.expand(len(clip), *nobody.shape[1:])
            maps[f"f_i{NO_POSE}"], _ = encoders.integration(maps["f_s"], maps[f"f_d{NO_POSE}"])
        for name, value in maps.items():
            found.setdefault(name, []).append(pool(value).unflatten(0, (len(some), clips)).mean(1).cpu())
    return {name: torch.cat(parts) for name, parts in found.items()}


def untrained_integration(
    encoders: Encoders, model: dict[str, Any], features: Features, videos: list[str]
) -> IntegrationLayer | None:
    """The control for f_i: a fresh integration layer for the same trained encoders; None without a pose encoder.

    Its normalisation statistics are those of `videos`, as a trained layer's would be, so that only the training
    of the layer is missing. Reported beside f_i, for a feature that holds both cues may owe it to the architecture.
    """
    if encoders.pose is None:
        return None
    device = device_of(encoders)
    layer = IntegrationLayer(encoders.backbone.out_channels, encoders.pose.out_channels, **model["integration"])
    layer.to(device)
    for norm in (layer.motion_norm, layer.static_norm):
        norm.momentum = None  # type: ignore[assignment]  # plain average over all batches
    with torch.inference_mode():
        for first in range(0, len(videos), BATCH):
            clip, poses = load_clips(features, videos[first : first + BATCH], 1, device)
            layer(encoders.backbone(clip), encoders.pose(poses))
    return layer.eval()
