"""Features of whole videos: the mean over uniformly placed clips of the pooled feature maps."""

from __future__ import annotations

import torch
from torch import Tensor

from csvr.context.backbone import pool
from csvr.data.augment import centre_crop, hold_missing, normalise_poses, to_unit
from csvr.data.batches import Features, uniform_starts
from csvr.integration.layer import IntegrationLayer
from csvr.pretrain.model import Encoders


def load_clips(features: Features, videos: list[str], clips: int) -> tuple[Tensor, Tensor]:
    """Test clips of some videos: `clips` at the mid-points of equal slots, centre crop.

    Returns:
        Clips (V·clips, 3, T, H, W) in −1 … 1 and normalised poses (V·clips, T', 17, 3), video by video.
    """
    span = features.shape.span
    where = [(v, s) for v in videos for s in uniform_starts(features.length(v), span, clips)]
    images = torch.stack([features.images(v, s) for v, s in where])
    poses = torch.stack([features.keypoints(v, s) for v, s in where])
    return centre_crop(to_unit(images), features.shape.crop), hold_missing(normalise_poses(poses, poses))


@torch.inference_mode()
def video_features(
    encoders: Encoders, features: Features, videos: list[str], clips: int, batch: int
) -> dict[str, Tensor]:
    """Pooled features of each video.

    Args:
        encoders: In evaluation mode.
        features: Stored clips and poses.
        videos: Names.
        clips: Clips a video.
        batch: Videos at a time.

    Returns:
        f_s, and with a pose encoder f_d and f_i: float32, (videos, channels).
    """
    found: dict[str, list[Tensor]] = {}
    for first in range(0, len(videos), batch):
        some = videos[first : first + batch]
        maps = encoders(*load_clips(features, some, clips))
        for name in ("f_s", "f_d", "f_i"):
            if name in maps:
                found.setdefault(name, []).append(pool(maps[name]).unflatten(0, (len(some), clips)).mean(1))
    return {name: torch.cat(parts) for name, parts in found.items()}


def untrained_integration(encoders: Encoders, model: dict[str, object], features: Features, videos: list[str]) -> Encoders:
    """The control for f_i: the same trained encoders under a fresh integration layer.

    Its normalisation statistics are those of `videos`, as a trained layer's would be, so that only the training
    of the layer is missing. Reported beside f_i, for a feature that holds both cues may owe it to the architecture.
    """
    if encoders.integration is None or encoders.pose is None:
        raise ValueError("the encoders have no integration layer")
    fresh = IntegrationLayer(encoders.backbone.out_channels, encoders.pose.out_channels, **model["integration"])  # type: ignore[arg-type]
    for norm in (fresh.motion_norm, fresh.static_norm):
        norm.momentum = None  # cumulative average over all batches
    fresh.train()
    with torch.inference_mode():
        for first in range(0, len(videos), 24):
            clip, poses = load_clips(features, videos[first : first + 24], 1)
            fresh(encoders.backbone(clip), encoders.pose(poses))
    fresh.eval()
    control = Encoders.__new__(Encoders)
    torch.nn.Module.__init__(control)
    control.backbone, control.pose, control.integration = encoders.backbone, encoders.pose, fresh
    return control.eval()
