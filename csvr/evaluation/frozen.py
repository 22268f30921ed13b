"""Frozen features of all videos: computed once, for probes, retrieval and figures."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from csvr.data import shards
from csvr.data.batches import Features
from csvr.errors import UserError
from csvr.evaluation.features import untrained_integration, video_features
from csvr.pretrain.model import Encoders


@dataclass(frozen=True)
class Frozen:
    """Features of videos.

    Attributes:
        videos: Their names; those that some split tests come first.
        values: By name of the feature, float32 (videos, channels); those as if nobody had been found are of tested
            videos only.
    """

    videos: list[str]
    values: dict[str, NDArray[np.float32]]

    @functools.cached_property
    def rows(self) -> dict[str, int]:
        """Row of each video in the values, by name."""
        return {video: row for row, video in enumerate(self.videos)}

    def of(self, names: list[str], videos: list[str]) -> NDArray[np.float64]:
        """Features of these names side by side: (videos, channels of all)."""
        rows = [self.rows[video] for video in videos]
        return np.concatenate([self.values[name][rows].astype(np.float64) for name in names], 1)

    def write(self, path: Path, header: Mapping[str, Any]) -> None:
        """As a shard, with more to say of it in its header."""
        shards.write(path, self.values, dict(header) | {"videos": self.videos})

    @classmethod
    def read(cls, path: Path, names: list[str]) -> tuple[Frozen, dict[str, Any]]:
        """What `write` wrote, of these names, and the header.

        Raises:
            UserError: Not readable, or there are no such features.
        """
        stored = shards.Shards([path])
        missing = [name for name in names if name not in stored]
        if missing:
            raise UserError(f"{path}: no features {', '.join(missing)}; they are computed for evaluate.probe")
        header = stored.headers[path]
        return cls(header["videos"], {name: stored[name] for name in names}), header


def compute(encoders: Encoders, features: Features, splits: list[Any], params: dict[str, Any]) -> Frozen:
    """Features of the videos of all splits, and of tested ones as if nobody had been found if that is asked.

    Args:
        encoders: In evaluation mode.
        features: Stored clips and poses.
        splits: Tables with the columns video and split (`index.each_split`).
        params: Effective parameters.
    """
    settings, first = params["evaluate"], splits[0]
    tested = list(dict.fromkeys(video for rows in splits for video in rows.video[rows.split == "test"]))
    known = set(tested)
    others = list(dict.fromkeys(video for rows in splits for video in rows.video if video not in known))
    control = untrained_integration(encoders, params["model"], features, first.video[first.split == "train"].tolist())
    parts = [
        video_features(encoders, control, features, tested, settings["clips"], no_pose=settings["no_pose_test"]),
        video_features(encoders, control, features, others, settings["clips"]) if others else {},
    ]
    values = {name: torch.cat([part[name] for part in parts if name in part]).numpy() for name in parts[0]}
    return Frozen(tested + others, values)
