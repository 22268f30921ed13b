"""How near generated clips are to real ones, beside the last frame repeated."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from csvr.data.batches import Features
from csvr.errors import UserError
from csvr.evaluation.features import BATCH
from csvr.evaluation.finetune import Classifier
from csvr.evaluation.frechet import frechet_distance
from csvr.evaluation.fvd import Extract
from csvr.evaluation.judge import JudgeEncoder, judge_features
from csvr.evaluation.pretext import centre_views, psnr
from csvr.generation.tganv2 import real_pyramid
from csvr.pretrain.model import CSVR

KINDS: Final = ("generated", "repeated")


def ssim(generated: Tensor, real: Tensor) -> Tensor:
    """Structural similarity (Wang et al. 2004) of clips (N, 3, T, H, W) in −1 … 1: (N,), at most 1, mean over frames.

    torchmetrics' with its defaults: the paper's Gaussian window of 11 × 11 with σ = 1.5, K₁ = 0.01 and K₂ = 0.03, at
    every pixel, with images reflected at their borders (which are much of a small image). Of images in 0 … 1, since it
    depends on where black is. H and W must be at least 6. In float32, which float64 changed by 10⁻⁶ on real clips and
    made twelve times slower.
    """
    from torchmetrics.functional.image import structural_similarity_index_measure  # seconds to import

    fake, true = (((clip + 1) / 2).transpose(1, 2).flatten(0, 1) for clip in (generated, real))
    each: Any = structural_similarity_index_measure(fake, true, data_range=1.0, reduction="none")
    similarity: Tensor = each.unflatten(0, (len(generated), -1)).mean(1)
    return similarity


@torch.inference_mode()
def clip_quality(
    model: CSVR, judge: Classifier, features: Features, videos: list[str], fvd: Extract | None
) -> dict[str, Any]:
    """Quality of both generators on the middle clip of each video, at their own resolution.

    Args:
        model: With a generating branch, in evaluation mode.
        judge: The supervised network (see `csvr.evaluation.judge`).
        features: Stored clips and poses.
        videos: Names.
        fvd: Features for a Fréchet video distance, see `csvr.evaluation.fvd`.

    Returns:
        `generated` and `repeated` (the last frame that the networks see, repeated), each with `clip` (reconstruction)
        and `future` (prediction): mean `psnr` in dB, mean `ssim`, `frechet` distance from the real clips in the
        judge's features, and `fvd` if there is such a network. `clips` counted, `dimension` of the judge's features.

    Raises:
        UserError: The networks generate at another resolution than the judge's.
    """
    assert model.video is not None and isinstance(judge.encoders, JudgeEncoder)
    size = model.video.sizes[-1]
    if judge.encoders.size != size:
        raise UserError(f"the networks generate {size} pixels, but the judge was trained on {judge.encoders.size}")
    near: dict[tuple[str, str, str], list[Tensor]] = {}
    spaces = {"frechet": lambda clips: judge_features(judge, clips)} | ({"fvd": fvd} if fvd else {})
    found: dict[tuple[str, str, str], list[NDArray[np.float64]]] = {}
    for first in range(0, len(videos), BATCH):
        views = centre_views(features, videos[first : first + BATCH])
        maps = model.encoders(views.clip, views.poses)
        (seen,) = real_pyramid(views.clip, [size], [torch.arange(views.clip.shape[2])])
        for name, generator in model.video.generators.items():
            fake = generator(maps.get("f_i", maps["f_s"]))
            (real,) = real_pyramid(getattr(views, name), [size], fake.frames)
            clips = {"generated": fake.clips[0], "repeated": seen[:, :, -1:].expand_as(real), "real": real}
            for kind in KINDS:
                near.setdefault((kind, name, "psnr"), []).append(psnr(clips[kind], real))
                near.setdefault((kind, name, "ssim"), []).append(ssim(clips[kind], real))
            for space, extract in spaces.items():
                for kind, clip in clips.items():
                    found.setdefault((kind, name, space), []).append(extract(clip))
    result: dict[str, Any] = {kind: {name: {} for name in model.video.NAMES} for kind in KINDS}
    for (kind, name, measure), parts in near.items():
        result[kind][name][measure] = round(float(torch.cat(parts).mean()), 6)
    for kind in KINDS:
        for name in model.video.NAMES:
            for space in spaces:
                pair = [np.concatenate(found[which, name, space]) for which in (kind, "real")]
                result[kind][name][space] = round(frechet_distance(*pair), 6)
    dimension = found["real", "clip", "frechet"][0].shape[1]
    return result | {"clips": len(videos), "dimension": dimension}
