"""The articulated figure of the embedded data set: joint angles → 17 COCO keypoints → pixels.

The figure faces the camera. An angle of 0 lets a limb hang straight down; positive angles turn it
outwards, on the person's own side, so that left–right symmetric motions have equal angles.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import cv2
import numpy as np
from numpy.typing import NDArray

from csvr.pose.skeleton import KEYPOINTS

Color = tuple[int, int, int]
_SHIFT = 4  # fractional bits of cv2 drawing coordinates: 1/16 pixel


@dataclass(frozen=True)
class Angles:
    """Joint angles in radians, each an array of shape (T,); `lean` and `tilt` are positive to the image's right."""

    left_shoulder: NDArray[np.float64]
    left_elbow: NDArray[np.float64]
    right_shoulder: NDArray[np.float64]
    right_elbow: NDArray[np.float64]
    left_hip: NDArray[np.float64]
    left_knee: NDArray[np.float64]
    right_hip: NDArray[np.float64]
    right_knee: NDArray[np.float64]
    lean: NDArray[np.float64]
    tilt: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.lean)

    @classmethod
    def zeros(cls, frames: int) -> Angles:
        """All limbs hanging, for `frames` frames."""
        return cls(**{f.name: np.zeros(frames) for f in fields(cls)})


@dataclass(frozen=True)
class Body:
    """Proportions as fractions of the standing height."""

    head: float = 0.068  # radius
    shoulder_y: float = 0.185
    shoulder_width: float = 0.115  # half
    hip_y: float = 0.50
    hip_width: float = 0.07  # half
    upper_arm: float = 0.175
    forearm: float = 0.165
    thigh: float = 0.245
    shin: float = 0.235

    @classmethod
    def sample(cls, rng: np.random.Generator, spread: float = 0.06) -> Body:
        """Every proportion scaled by an independent factor in 1 ± `spread`."""
        return cls(**{f.name: f.default * rng.uniform(1 - spread, 1 + spread) for f in fields(cls)})  # type: ignore[operator]


@dataclass(frozen=True)
class Look:
    """Colours (RGB, 0–255) and limb thicknesses (fractions of the height) of one figure."""

    skin: Color = (224, 172, 140)
    hair: Color = (60, 40, 30)
    shirt: Color = (200, 60, 60)
    sleeve: Color = (200, 60, 60)
    trousers: Color = (50, 60, 110)
    shoes: Color = (30, 30, 30)
    outline: Color = (20, 20, 20)
    arm: float = 0.05
    leg: float = 0.068
    hand: float = 0.032  # radius
    outline_width: float = 0.012
    long_sleeves: bool = True
    stripes: bool = field(default=False)


def keypoints(
    angles: Angles, body: Body, pelvis: NDArray[np.float64], height: NDArray[np.float64] | float
) -> NDArray[np.float64]:
    """Forward kinematics.

    Args:
        angles: T frames of joint angles.
        body: Proportions.
        pelvis: Middle of the hips in pixels, shape (T, 2), x to the right and y down.
        height: Standing height in pixels, scalar or shape (T,).

    Returns:
        COCO keypoints in pixels, shape (T, 17, 2), in the order of `csvr.pose.skeleton.KEYPOINTS`.
    """
    h = np.broadcast_to(np.asarray(height, dtype=float), (len(angles),))[:, None]
    pelvis = np.asarray(pelvis, dtype=float)

    def direction(angle: NDArray[np.float64], side: int) -> NDArray[np.float64]:
        return np.stack([side * np.sin(angle), np.cos(angle)], axis=-1)

    up = np.stack([np.sin(angles.lean), -np.cos(angles.lean)], axis=-1)  # pelvis → neck
    across = np.stack([-up[:, 1], up[:, 0]], axis=-1)  # towards the image's right
    head_up = np.stack([np.sin(angles.lean + angles.tilt), -np.cos(angles.lean + angles.tilt)], axis=-1)
    head_across = np.stack([-head_up[:, 1], head_up[:, 0]], axis=-1)
    neck = pelvis + up * h * (body.hip_y - body.shoulder_y)
    head = neck + head_up * h * (body.shoulder_y - body.head - 0.012)
    r = h * body.head
    points = {
        "nose": head - head_up * 0.15 * r,
        "left_eye": head + head_across * 0.38 * r + head_up * 0.2 * r,
        "right_eye": head - head_across * 0.38 * r + head_up * 0.2 * r,
        "left_ear": head + head_across * 0.92 * r,
        "right_ear": head - head_across * 0.92 * r,
    }
    for name, side in (("left", 1), ("right", -1)):  # the person's left is the image's right
        shoulder = neck + side * across * h * body.shoulder_width
        upper = getattr(angles, f"{name}_shoulder")
        elbow = shoulder + direction(upper, side) * h * body.upper_arm
        lower = upper + getattr(angles, f"{name}_elbow")
        hip = pelvis + side * across * h * body.hip_width
        thigh = getattr(angles, f"{name}_hip")
        knee = hip + direction(thigh, side) * h * body.thigh
        shin = thigh + getattr(angles, f"{name}_knee")
        points |= {
            f"{name}_shoulder": shoulder,
            f"{name}_elbow": elbow,
            f"{name}_wrist": elbow + direction(lower, side) * h * body.forearm,
            f"{name}_hip": hip,
            f"{name}_knee": knee,
            f"{name}_ankle": knee + direction(shin, side) * h * body.shin,
        }
    return np.stack([points[name] for name in KEYPOINTS], axis=1)


def draw(image: NDArray[np.uint8], points: NDArray[np.float64], height: float, look: Look, body: Body) -> None:
    """Draw one figure into `image` in place.

    Args:
        image: RGB, shape (H, W, 3), contiguous uint8.
        points: Keypoints of this frame in pixels, shape (17, 2).
        height: Standing height in pixels.
        look: Colours and thicknesses.
        body: Proportions (only the head's radius is used).
    """
    p = dict(zip(KEYPOINTS, points, strict=True))
    edge = max(look.outline_width * height, 0.0)

    def fixed(point: NDArray[np.float64]) -> tuple[int, int]:
        return int(round(point[0] * (1 << _SHIFT))), int(round(point[1] * (1 << _SHIFT)))

    def limb(a: str, b: str, color: Color, width: float) -> None:
        # OpenCV's thick antialiased lines have round ends, as limbs should.
        for extra, c in ((2 * edge, look.outline), (0.0, color)):
            thickness = max(1, round(width * height + extra))
            cv2.line(image, fixed(p[a]), fixed(p[b]), c, thickness, cv2.LINE_AA, _SHIFT)

    def disc(center: NDArray[np.float64], radius: float, color: Color) -> None:
        cv2.circle(image, fixed(center), max(1, int(round(radius * (1 << _SHIFT)))), color, -1, cv2.LINE_AA, _SHIFT)

    for side in ("left", "right"):
        limb(f"{side}_knee", f"{side}_ankle", look.trousers, look.leg * 0.8)
        limb(f"{side}_hip", f"{side}_knee", look.trousers, look.leg)
        disc(p[f"{side}_ankle"], 0.034 * height, look.shoes)
    torso = np.array(
        [fixed(p[n]) for n in ("left_shoulder", "left_hip", "right_hip", "right_shoulder")], dtype=np.int32
    )
    cv2.polylines(image, [torso], True, look.outline, max(1, round(0.04 * height + 2 * edge)), cv2.LINE_AA, _SHIFT)
    cv2.fillPoly(image, [torso], look.shirt, cv2.LINE_AA, _SHIFT)
    cv2.polylines(image, [torso], True, look.shirt, max(1, round(0.04 * height)), cv2.LINE_AA, _SHIFT)
    if look.stripes:
        for t in (0.3, 0.6):
            left, right = (p[f"{s}_shoulder"] * (1 - t) + p[f"{s}_hip"] * t for s in ("left", "right"))
            cv2.line(image, fixed(left), fixed(right), look.trousers, max(1, round(0.02 * height)), cv2.LINE_AA, _SHIFT)

    head = (p["left_ear"] + p["right_ear"]) / 2
    neck = (p["left_shoulder"] + p["right_shoulder"]) / 2
    cv2.line(image, fixed(head), fixed(neck), look.skin, max(1, round(0.05 * height)), cv2.LINE_AA, _SHIFT)
    radius = body.head * height
    disc(head, radius + edge, look.outline)
    disc(head, radius, look.hair)
    down = p["nose"] - (p["left_eye"] + p["right_eye"]) / 2
    disc(head + down * 0.55, radius * 0.82, look.skin)
    for eye in ("left_eye", "right_eye"):
        disc(p[eye], max(0.6, 0.16 * radius), look.outline)
    disc(p["nose"], max(0.5, 0.14 * radius), tuple(c // 2 for c in look.skin))  # type: ignore[arg-type]

    for side in ("left", "right"):
        limb(f"{side}_shoulder", f"{side}_elbow", look.sleeve, look.arm)
        limb(f"{side}_elbow", f"{side}_wrist", look.sleeve if look.long_sleeves else look.skin, look.arm * 0.85)
        disc(p[f"{side}_wrist"], look.hand * height + edge, look.outline)
        disc(p[f"{side}_wrist"], look.hand * height, look.skin)
