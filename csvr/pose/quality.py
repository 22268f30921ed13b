"""How far estimated poses are from true ones, and predicted ones from estimated ones: PCK, OKS, MPJPE.

Shapes: N poses (frames, or frames × horizons flattened) of K = 17 COCO keypoints. An estimated keypoint with
confidence 0 is missing and counts as wrong in PCK and as 0 in OKS; MPJPE is over the keypoints that are there, so
read it beside `found`. A predicted pose (`future_errors`) has all keypoints, but is scored on those only which were
estimated in the future. Formulas checked against hand-computed cases and loops in tests/pose/test_quality.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from csvr.pose.skeleton import KEYPOINTS, OKS_SIGMAS

Floats = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]
BOX_SHARE = 0.53
"""Of a box around keypoints, how much COCO's customary stand-in takes for a person's area."""
ALPHA = 0.1
"""PCK's tolerance of predicted poses."""


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

    The mean over keypoints of their `similarity`, with s² the person's area. Rendered figures have no segment area: s²
    is 0.53 × the area of the true keypoints' box, COCO's customary stand-in. A missing keypoint counts 0, as in COCO,
    where it lies far away at (0, 0).
    """
    area = BOX_SHARE * boxes(truth).prod(axis=1, keepdims=True)
    return np.asarray((similarity(distances(predicted, truth), area) * present).mean(axis=1))


def similarity(distance: Floats, area: Floats) -> NDArray[np.float64]:
    """COCO's similarity of each keypoint, exp(-d² / (2 s² (2 σ)²)): d (..., 17), s² (..., 1 or 17) → (..., 17)."""
    variance = (2 * OKS_SIGMAS) ** 2
    return np.asarray(np.exp(-(distance**2) / (2 * variance * area + np.spacing(1))))


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


def future_errors(predicted: Floats, target: Floats, past: Floats) -> dict[str, NDArray[np.float64]]:
    """Predicted future poses against the estimated ones, on the keypoints that were estimated.

    Coordinates are those of `csvr.data.augment.normalise_poses`: the longer side of the person's box in the past is 2.
    One scale holds for a whole clip, that of its past: a future in which few keypoints were found, or in which the
    person turns aside, has a small box of its own, beside which every error would be large.

    Args:
        predicted: x, y, shape (N, T, 17, 2), finite.
        target: x, y, confidence of the future, shape (N, T, 17, 3); confidence 0 = not estimated.
        past: Likewise, shape (N, T', 17, 3).

    Returns:
        Arrays whose means are the measures, and which are empty when nothing is visible:
        `mpjpe`: distance of each visible keypoint, (V,), in halves of the box's longer side;
        `pck@0.1`: whether that is at most 0.1 × the longer side, 0 or 1, (V,);
        `oks`: mean similarity of the visible keypoints of each pose that has any, (P,), with s² = 0.53 × the area of
        the box around the past's visible keypoints. Where that area is 0, only exact keypoints count.
    """
    visible, seen = target[..., 2] > 0, past[..., 2:] > 0
    distance = distances(predicted, target[..., :2])
    low = np.where(seen, past[..., :2], np.inf).min((1, 2))
    high = np.where(seen, past[..., :2], -np.inf).max((1, 2))
    # Of a past without any keypoint the box is empty, not infinite.
    area = BOX_SHARE * np.where(np.isfinite(high), high - np.where(np.isfinite(low), low, 0), 0).prod(1)
    similar = similarity(distance, area[:, None, None])
    count = visible.sum(2)
    return {
        "mpjpe": distance[visible],
        f"pck@{ALPHA}": np.asarray(distance[visible] <= ALPHA * 2, dtype=np.float64),
        "oks": (similar * visible).sum(2)[count > 0] / count[count > 0],
    }
