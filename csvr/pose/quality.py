"""How far predicted poses are from true ones: PCK, OKS, MPJPE and the detection rate.

Shapes: N poses (frames, or frames × horizons flattened) of K = 17 COCO keypoints. A predicted keypoint with
confidence 0 is missing and counts as wrong in PCK and as 0 in OKS; MPJPE is over the keypoints that are there, so
read it beside `found`. Formulas checked against hand-computed cases and loops in tests/pose/test_quality.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from csvr.pose.skeleton import KEYPOINTS, OKS_SIGMAS

Floats = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]


def boxes(truth: Floats) -> NDArray[np.float64]:
    """Width and height of the box around all keypoints: (N, 17, 2) → (N, 2), in the unit of `truth`."""
    return np.asarray(np.ptp(np.asarray(truth, dtype=np.float64), axis=1))


def distances(predicted: Floats, truth: Floats) -> NDArray[np.float64]:
    """Euclidean distance of each keypoint: (N, 17, 2) and (N, 17, 2) → (N, 17)."""
    offset = np.asarray(predicted, dtype=np.float64) - np.asarray(truth, dtype=np.float64)
    return np.asarray(np.linalg.norm(offset, axis=-1))


def correct(predicted: Floats, truth: Floats, present: Mask, alpha: float) -> Mask:
    """Whether each keypoint is right: there, and no farther off than `alpha` × the longer side of the true box.

    Args:
        predicted: x, y, shape (N, 17, 2).
        truth: x, y in the same unit, shape (N, 17, 2).
        present: Which predicted keypoints exist, shape (N, 17).
        alpha: Tolerance, e.g. 0.1 for PCK@0.1.

    Returns:
        Shape (N, 17). Its mean is PCK@alpha, its mean over axis 0 PCK a keypoint.
    """
    limit = alpha * boxes(truth).max(axis=1, keepdims=True)
    return np.asarray((distances(predicted, truth) <= limit) & present)


def oks(predicted: Floats, truth: Floats, present: Mask) -> NDArray[np.float64]:
    """COCO's object keypoint similarity of each pose: (N, 17, 2), (N, 17, 2), (N, 17) → (N,), between 0 and 1.

    The mean over keypoints of exp(-d² / (2 s² (2 σ)²)), with s² the person's area. Rendered figures have no
    segment area: s² is 0.53 × the area of the true keypoints' box, COCO's customary stand-in. A missing keypoint
    counts 0, as in COCO, where it lies far away at (0, 0).
    """
    area = 0.53 * boxes(truth).prod(axis=1, keepdims=True)
    variance = (2 * OKS_SIGMAS) ** 2
    similarity = np.exp(-(distances(predicted, truth) ** 2) / (2 * variance * area + np.spacing(1)))
    return np.asarray((similarity * present).mean(axis=1))


def mpjpe(predicted: Floats, truth: Floats, present: Mask) -> float:
    """Mean distance of the keypoints that are there, in units of the longer side of the true box.

    Args:
        predicted: Shape (N, 17, 2).
        truth: Shape (N, 17, 2).
        present: Shape (N, 17).

    Returns:
        The mean, NaN when no keypoint is there.
    """
    relative = distances(predicted, truth) / boxes(truth).max(axis=1, keepdims=True)
    return float(relative[present].mean()) if present.any() else float("nan")


def summary(poses: Floats, truth: Floats, alphas: tuple[float, ...] = (0.05, 0.1, 0.2)) -> dict[str, Any]:
    """Every measure of a set of poses, as plain JSON types.

    Args:
        poses: x, y, confidence, shape (N, 17, 3); confidence 0 = missing.
        truth: x, y, shape (N, 17, 2).
        alphas: Tolerances of PCK.

    Returns:
        frames; detected (share of frames with any keypoint); found (share of keypoints there); oks; mpjpe;
        and for each alpha "pck@alpha" and "pck@alpha by keypoint", a mapping from keypoint name to share.
        Rates are None when there are no frames.
    """
    points, present = poses[..., :2], np.asarray(poses[..., 2] > 0)
    if not len(poses):
        return {"frames": 0, "detected": None, "found": None, "oks": None, "mpjpe": None}
    error = mpjpe(points, truth, present)
    result: dict[str, Any] = {
        "frames": len(poses),
        "detected": float(present.any(axis=1).mean()),
        "found": float(present.mean()),
        "oks": float(oks(points, truth, present).mean()),
        "mpjpe": error if np.isfinite(error) else None,
    }
    for alpha in alphas:
        right = correct(points, truth, present, alpha)
        result[f"pck@{alpha}"] = float(right.mean())
        result[f"pck@{alpha} by keypoint"] = dict(zip(KEYPOINTS, right.mean(axis=0).tolist(), strict=True))
    return result
