"""The supervised clip encoder in whose features generated clips are compared with real ones.

It is trained with all training labels, at the generators' resolution, once a data set, and serves to measure and for
nothing else: no pretrained network sees its labels, features or gradients.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from csvr.context.backbone import pool
from csvr.data import shards
from csvr.data.batches import Features
from csvr.errors import UserError
from csvr.evaluation.finetune import Classifier, train_classifier
from csvr.generation.tganv2 import real_pyramid
from csvr.pretrain.model import Encoders

Params = dict[str, Any]


def resolution(generator: Params) -> int:
    """Height and width in pixels of what the generators of `model.generation.generator` make in the end."""
    return int(generator["start_size"] * 2 ** len(generator["channels"]))


class JudgeEncoder(Encoders):
    """A clip encoder that sees clips as sharp as the generators can make them: average-pooled to `size`.

    Args:
        model: `backbone`, the clip encoder of the pretrained networks, and `generation.generator`.
    """

    def __init__(self, model: Params) -> None:
        super().__init__(model, motion=False)
        self.size = resolution(model["generation"]["generator"])

    def forward(self, clip: Tensor, poses: Tensor, integrated: int | None = None) -> dict[str, Tensor]:
        """Clips (N, 3, T, k·size, k·size) in −1 … 1 → f_s (N, C, t, h, w); nothing else is looked at."""
        (pooled,) = real_pyramid(clip, [self.size], [torch.arange(clip.shape[2])])
        return super().forward(pooled, poses)


def train_judge(features: Features, train: tuple[list[str], Any], params: Params) -> Classifier:
    """Train from scratch on all labelled videos.

    Args:
        features: Stored clips and poses.
        train: Training videos and their classes, (N,).
        params: `model` (see `JudgeEncoder`), `augment.area` and `clip_judge`: its settings and `seed`.

    Returns:
        In evaluation mode.
    """
    # There is no pretrained part to be gentler with.
    settings = params["clip_judge"] | {"per_class": None, "encoder_lr_factor": 1.0}
    area = (float(params["augment"]["area"][0]), float(params["augment"]["area"][1]))
    return train_classifier(
        JudgeEncoder(params["model"]), ["f_s"], features, train, settings, area, params["clip_judge"]["seed"]
    )


def load_judge(path: Path) -> tuple[Classifier, dict[str, Any]]:
    """The network that `python -m csvr.clip_judge` wrote, in evaluation mode, and its header.

    Raises:
        UserError: Unreadable, or no such file.
    """
    header = shards.header(path)
    try:
        params, classes = header["params"], header["classes"]
        model = Classifier(JudgeEncoder(params["model"]), ["f_s"], len(classes), params["clip_judge"]["dropout"])
        stored = shards.Shards([path])
        model.load_state_dict({name: torch.from_numpy(stored[name]) for name in stored})
    except (KeyError, TypeError, RuntimeError) as error:
        # The first line: torch lists all that does not fit.
        raise UserError(
            f"{path}: not what csvr.clip_judge writes ({str(error).splitlines()[0]}); "
            f"run snakemake --cores 8 {path} --forcerun clip_judge"
        ) from error
    return model.eval(), header


@torch.inference_mode()
def judge_features(judge: Classifier, clips: Tensor) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Pooled features of clips (N, 3, T, size, size) in −1 … 1: (N, C)."""
    maps = judge.encoders(clips, clips.new_empty(0))
    return pool(maps["f_s"]).double().numpy()
