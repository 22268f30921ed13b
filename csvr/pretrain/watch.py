"""Trainings that go wrong with finite numbers: the loss explodes, features collapse, a discriminator wins."""

from __future__ import annotations

import logging
import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

log = logging.getLogger(__name__)
ROWS: Final = 3
"""So many records in a row are no accident."""
CHANCE: Final = {"nonsaturating": 2 * math.log(2), "lsgan": 0.25, "hinge": 2.0}
"""Loss of a discriminator that can't tell; that of wgan_gp has no such level."""


@dataclass(frozen=True)
class Limits:
    """The parameters `pretrain.watch`.

    Attributes:
        explode: The loss explodes when it is more than this many times its median so far.
        collapse: Contrastive features collapse when their spread is below this share of what it is at most: embeddings
            all over the sphere in C dimensions have a standard deviation of 1/√C in each.
        won: A discriminator has won when its loss is below this share of that of one that can't tell.
    """

    explode: float
    collapse: float
    won: float


class Watch:
    """What went wrong in a training, told once each, when it was so in `ROWS` records in a row.

    Args:
        params: Parameters as `CSVR` takes them, and `pretrain`.
    """

    def __init__(self, params: Mapping[str, Any]) -> None:
        model = params["model"]
        self.warnings: dict[str, str] = {}
        """By kind: from which step on, and what was seen there."""
        self._limits, self._warm = Limits(**params["pretrain"]["watch"]), params["pretrain"]["warmup"]
        self._most = model["context"]["head"]["out_channels"] ** -0.5
        self._chance = {
            "pose_discriminator": CHANCE.get(model["pose"]["gan"]),
            # One of the clip, one of its future.
            "video_discriminator": 2 * CHANCE[gan] if (gan := model["generation"]["gan"]) in CHANCE else None,
        }
        self._losses: list[float] = []
        self._running: dict[str, int] = {}

    def see(self, step: int, row: Mapping[str, float], tell: bool = True) -> None:
        """Look at one record of the loss terms, after `step` steps.

        Args:
            step: Steps done.
            row: Means of the loss terms.
            tell: Whether to log what goes wrong; False for what an earlier process saw.
        """
        found = self._wrong(row) if step > self._warm else {}
        self._losses.append(row["loss"])
        self._running = {kind: self._running.get(kind, 0) + 1 for kind in found}
        for kind, text in found.items():
            if self._running[kind] == ROWS and kind not in self.warnings:
                self.warnings[kind] = f"{kind} at step {step}: {text}"
                if tell:
                    log.warning("%s", self.warnings[kind])

    def _wrong(self, row: Mapping[str, float]) -> dict[str, str]:
        found: dict[str, str] = {}
        if self._losses:
            usual = statistics.median(map(abs, self._losses))
            if row["loss"] > self._limits.explode * usual:
                found["exploding loss"] = (
                    f"{row['loss']:.4g} is more than {self._limits.explode:g} times its median so far, {usual:.4g}; "
                    "try a lower pretrain.lr, or pretrain.clip_gradient"
                )
        if "context_spread" in row and row["context_spread"] < self._limits.collapse * self._most:
            found["collapsed context features"] = (
                f"their standard deviation is {row['context_spread']:.2g}, of at most {self._most:.2g}: clips are "
                "hardly told apart; try another model.context.temperature or a larger pretrain.batch"
            )
        for name, chance in self._chance.items():
            if chance is not None and name in row and row[name] < self._limits.won * chance:
                branch = name.removesuffix("_discriminator")
                found[f"{branch} discriminator has won"] = (
                    f"its loss is {row[name]:.2g}, of {chance:.3g} if it could not tell: it teaches no more; try a "
                    "lower pretrain.discriminator_lr"
                )
        return found
