"""How well the networks do what they were pretrained for: predict future poses, reconstruct and predict clips."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from csvr.data.augment import centre_crop, hold_missing, normalise_poses, to_unit
from csvr.data.batches import Features, uniform_starts
from csvr.evaluation.features import BATCH, CPU
from csvr.generation.tganv2 import real_pyramid
from csvr.pose import quality
from csvr.pretrain.model import CSVR
from csvr.pretrain.views import Views


def centre_views(features: Features, videos: list[str], device: torch.device = CPU) -> Views:
    """The clip of each video that, with its future, lies in the middle; centre crop, no augmentation, no I-frames."""
    span = features.shape.span
    where = [(v, uniform_starts(features.length(v), 2 * span, 1)[0]) for v in videos]
    clip, future = (torch.stack([features.images(v, s + later) for v, s in where]).to(device) for later in (0, span))
    poses, future_poses = (
        torch.stack([features.keypoints(v, s + later) for v, s in where]).to(device) for later in (0, span)
    )
    return Views(
        clip=centre_crop(to_unit(clip), features.shape.crop),
        future=centre_crop(to_unit(future), features.shape.crop),
        poses=hold_missing(normalise_poses(poses, poses)),
        future_poses=normalise_poses(future_poses, poses),
        iframes=clip.new_empty(0),
        owner=clip.new_empty(0),
    )


def psnr(generated: Tensor, real: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB of clips (N, 3, T, H, W) in −1 … 1: (N,), larger is better."""
    error = (generated - real).square().flatten(1).mean(1)
    return 10 * torch.log10(4 / error)


def pose_guesses(views: Views) -> dict[str, Tensor]:
    """What one would say of the future without any network: x, y (N, T', K, 2) by name.

    "repeat": the last pose, a missing joint where it was last seen. "velocity": each joint goes on as from the last
    pose but one to the last.
    """
    last, before = views.poses[:, -1:, :, :2], views.poses[:, -2:-1, :, :2]
    steps = torch.arange(1, views.future_poses.shape[1] + 1, device=last.device)[:, None, None]
    return {"repeat": last.expand_as(views.future_poses[..., :2]), "velocity": last + steps * (last - before)}


@torch.inference_mode()
def pretext_quality(
    model: CSVR, features: Features, videos: list[str], device: torch.device = CPU
) -> dict[str, dict[str, float]]:
    """Quality of the predictions of each branch that the model has.

    Args:
        model: In evaluation mode, on `device`.
        features: Stored clips and poses.
        videos: Names; of each the middle clip counts.
        device: Where the networks are.

    Returns:
        `pose`: of the predicted future joints beside the estimated ones (`csvr.pose.quality.future_errors`) the mean
        distance (`mpjpe`, in halves of the longer side of the person's box during the clip), PCK (`pck@0.1`) and `oks`;
        and each of the last pose repeated (`mpjpe_repeat`, …) and of constant velocity (`mpjpe_velocity`, …). What has
        no visible joint to be measured on is left out. `generation`: PSNR in dB of the reconstructed clip
        (`psnr_clip`) and of the predicted future (`psnr_future`) at the generators' resolution, beside that of the last
        frame repeated (`psnr_repeat`).
    """
    found: dict[str, dict[str, list[NDArray[np.floating[Any]]]]] = {}
    for first in range(0, len(videos), BATCH):
        views = centre_views(features, videos[first : first + BATCH], device)
        maps = model.encoders(views.clip, views.poses)
        if model.pose is not None:
            guesses = {"": model.pose.predict(maps["f_d"], views.poses)}
            guesses |= {f"_{name}": guess for name, guess in pose_guesses(views).items()}
            target, past = views.future_poses.cpu().numpy(), views.poses.cpu().numpy()
            for suffix, guess in guesses.items():
                for name, values in quality.future_errors(guess.cpu().numpy(), target, past).items():
                    found.setdefault("pose", {}).setdefault(f"{name}{suffix}", []).append(values)
        if model.video is not None:
            kept = found.setdefault("generation", {})
            for name, generator in model.video.generators.items():
                fake = generator(maps.get("f_i", maps["f_s"]))
                (real,) = real_pyramid(getattr(views, name), model.video.sizes[-1:], fake.frames)
                kept.setdefault(f"psnr_{name}", []).append(psnr(fake.clips[0], real).cpu().numpy())
            (shown,) = real_pyramid(views.clip, model.video.sizes[-1:], fake.frames)
            kept.setdefault("psnr_repeat", []).append(psnr(shown[:, :, -1:].expand_as(real), real).cpu().numpy())
    joined = {branch: {name: np.concatenate(p) for name, p in kinds.items()} for branch, kinds in found.items()}
    return {
        branch: {name: round(float(values.mean()), 6) for name, values in kinds.items() if len(values)}
        for branch, kinds in joined.items()
    }
