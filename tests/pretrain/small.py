"""A very small CSVR, and random clips for it."""

from pathlib import Path
from typing import Any

import numpy as np

from csvr.data import shards

VIDEOS = [f"v{k}" for k in range(6)]
SHAPE = {"frames": 4, "stride": 2, "crop": 28, "iframe_window": 8, "iframe_inside": True}

COMMON = {
    "encoder": {"width": 8, "out_channels": 8}, "decoder": {"noise_channels": 2, "width": 8},
    "discriminator": {"width": 4}, "gan": "nonsaturating", "penalty": 10.0, "adversarial": 0.1, "reconstruction": 1.0,
}  # fmt: skip
CANVAS = {"size": 16, "sigma": 1.0, "extent": 1.5, "stride": 2}
POSE: dict[str, dict[str, Any]] = {
    "coordinates": COMMON | {"kind": "coordinates", "error": "smooth_l1"},
    "heatmaps": COMMON | {"kind": "heatmaps", "heatmaps": CANVAS},
}


def with_pose(kind: str, pose: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """The same with pose networks of this kind, and `pose` changed of their parameters."""
    return params(model=params()["model"] | {"pose": POSE[kind] | (pose or {})}, **changes)


def params(**changes: Any) -> dict[str, Any]:
    """Parameters of a very small CSVR."""
    return {
        "clip": SHAPE,
        "augment": {
            "area": [0.5, 1.0], "colour": 0.5, "permute": 0.5, "clip_gray": 0.3, "iframe_gray": 1.0, "invert": 0.5,
        },
        "model": {
            "backbone": {"width": 4, "blocks": [1, 1], "stem_stride": [2, 2, 2]},
            "pose": POSE["coordinates"],
            "context": {
                "iframe": {"width": 4, "blocks": [1]}, "head": {"hidden": 8, "out_channels": 8},
                "temperature": 0.1, "symmetric": True,
            },
            "integration": {"mode": "adain_mask"},
            "generation": {
                "generator": {"clstm_channels": 8, "channels": [8, 4], "time": "inject"},
                "discriminator": {"width": 4, "blocks": 2}, "gan": "nonsaturating", "adversarial": 0.1,
                "reconstruction": 1.0, "penalty": 0.5, "penalty_every": 2, "clips": 2,
            },
        },
        "pretrain": {
            "steps": 6, "batch": 3, "lr": 1e-3, "warmup": 2, "discriminator_lr": 1e-3, "checkpoint_every": 2,
            "log_every": 1, "precision": "32-true", "accumulate": 1, "clip_gradient": None, "average": None,
            "channels_last": False, "compile": False, "keep_last": 1, "keep_best": False,
            "watch": {"explode": 10.0, "collapse": 0.1, "won": 0.05},
        },
        "sigma_v": 1.0, "sigma_p": 1.0, "sigma_c": 1.0, "pose_input": True,
    } | changes  # fmt: skip


def write_features(folder: Path) -> None:
    """Shards `clips`, `poses` and `iframes` of VIDEOS."""
    rng = np.random.default_rng(0)
    clips, poses, iframes = {}, {}, {}
    for name in VIDEOS:
        clips[name] = rng.integers(0, 256, (20, 32, 36, 3), dtype=np.uint8)
        keypoints = rng.uniform(0, 32, (20, 17, 3)).astype(np.float32)
        keypoints[rng.random((20, 17)) < 0.1] = 0
        poses |= {name: keypoints, f"{name}/frame": np.arange(20, dtype=np.int32)}
        iframes |= {name: clips[name][[0, 12]], f"{name}/index": np.array([0, 12], np.int32)}
    for stem, arrays in (("clips", clips), ("poses", poses), ("iframes", iframes)):
        shards.write(folder / stem, arrays, {"run_id": stem})
