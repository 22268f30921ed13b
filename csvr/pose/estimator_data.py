"""Rendered training images of the pose estimator: articulated figures under broad domain randomisation.

The figure's geometry and drawing are `csvr.data.figure`'s; everything else (backgrounds, clothing, proportions,
poses, image corruption) is drawn here, wider than any data set is expected to be, and shares neither seed nor
scene code with the embedded data set. Image `i` of seed `s` depends on `(s, i)` alone, so that a resumed
training sees the images that an uninterrupted one would have seen.
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from csvr.data.figure import Angles, Body, Color, Look, draw, keypoints
from csvr.pose.skeleton import MIRROR

SIZE = 128
"""Side of every rendered image in pixels: the frame size of the embedded data set."""

VISIBLE = 2.0
"""COCO's visibility flag of a labelled, visible keypoint (0 = not labelled)."""


@dataclass(frozen=True)
class Sample:
    """One image.

    Attributes:
        image: RGB, shape (SIZE, SIZE, 3), uint8.
        points: Shape (17, 3): x, y in pixels and COCO visibility, all 0 when nobody is in the image;
            a keypoint outside the image has visibility 0.
    """

    image: NDArray[np.uint8]
    points: NDArray[np.float64]


def render(seed: int, index: int, empty: float = 0.04) -> Sample:
    """Image `index` of seed `seed`.

    Args:
        seed: Seed of the whole series.
        index: Number of the image, from 0.
        empty: Share of images without a person.
    """
    rng = np.random.default_rng((seed, index))
    image = _background(rng)
    points = np.zeros((17, 3))
    if rng.random() >= empty:
        height = float(rng.uniform(60, 110))
        body = _body(rng)
        xy = _placed(keypoints(_pose(rng), body, np.zeros((1, 2)), height)[0], height, rng)
        image = _clothed(image, xy, height, body, rng)
        points = np.concatenate([xy, np.full((17, 1), VISIBLE)], axis=1)
        points[((xy < 0) | (xy > SIZE - 1)).any(axis=1), 2] = 0
    return Sample(_camera(image, rng), points)


def augment(sample: Sample, rng: np.random.Generator) -> Sample:
    """A new view of `sample`: mirrored in half of the cases, moved, turned, scaled and re-coloured a little.

    Mirroring swaps left and right keypoints. Borders are reflected, so part of a figure may appear twice at the
    very edge; keypoints that leave the image become invisible.
    """
    image: NDArray[Any] = sample.image
    points = sample.points.copy()
    if rng.random() < 0.5:
        image = image[:, ::-1]
        points = points[MIRROR]
        points[:, 0] = SIZE - 1 - points[:, 0]
    center = (SIZE - 1) / 2
    turn: NDArray[Any] = cv2.getRotationMatrix2D((center, center), rng.normal(0, 4), float(rng.uniform(0.88, 1.12)))
    turn[:, 2] += rng.uniform(-8, 8, 2)
    image = cv2.warpAffine(np.ascontiguousarray(image), turn, (SIZE, SIZE), borderMode=cv2.BORDER_REFLECT_101)
    points[:, :2] = points[:, :2] @ turn[:, :2].T + turn[:, 2]
    points[((points[:, :2] < 0) | (points[:, :2] > SIZE - 1)).any(axis=1), 2] = 0
    points[points[:, 2] == 0] = 0
    gain = rng.uniform(0.8, 1.2) * rng.uniform(0.94, 1.06, 3)
    light = np.clip(np.arange(256)[:, None] * gain + rng.uniform(-15, 15), 0, 255).astype(np.uint8)
    return Sample(np.asarray(cv2.LUT(image, light.reshape(1, 256, 3)), dtype=np.uint8), points)


def _color(rng: np.random.Generator) -> Color:
    """Any colour, dark to bright and grey to saturated (a uniform RGB draw is seldom saturated or dark)."""
    rgb = colorsys.hsv_to_rgb(rng.random(), rng.random() ** 0.7, rng.uniform(0.05, 1.0))
    return int(rgb[0] * 255), int(rgb[1] * 255), int(rgb[2] * 255)


def _near(color: Color, rng: np.random.Generator, spread: float) -> Color:
    r, g, b = (int(np.clip(c + rng.normal(0, spread), 0, 255)) for c in color)
    return r, g, b


def _body(rng: np.random.Generator) -> Body:
    """Proportions; a limb is now and then foreshortened, as one that points at the camera would be."""
    body = Body.sample(rng, spread=0.12)
    for limb in ("upper_arm", "forearm", "thigh", "shin"):
        if rng.random() < 0.1:
            body = replace(body, **{limb: getattr(body, limb) * rng.uniform(0.45, 1.0)})
    return body


def _pose(rng: np.random.Generator) -> Angles:
    """One frame of angles: every limb position a front view can show, everyday ones more often."""

    def arm() -> tuple[float, float]:
        shoulder = rng.uniform(-0.7, 3.6) if rng.random() < 0.75 else rng.normal(0.15, 0.15)
        kind = rng.random()
        if kind < 0.35:
            elbow = rng.normal(0, 0.15)
        elif kind < 0.8:
            elbow = rng.uniform(-0.4, 2.5)
        else:  # forearm in front of the torso or the head
            elbow = rng.uniform(-2.4, -0.3)
        return float(shoulder), float(elbow)

    def leg() -> tuple[float, float]:
        kind = rng.random()
        if kind < 0.35:
            return float(rng.normal(0.05, 0.08)), float(rng.normal(0, 0.08))
        hip = rng.uniform(-0.35, 1.7)
        knee = -hip * rng.uniform(0.4, 1.8) if kind < 0.75 else rng.uniform(-1.5, 0.6)
        return float(hip), float(knee)

    arms, legs = [arm(), arm()], [leg(), leg()]
    for pair in (arms, legs):
        if rng.random() < 0.4:  # both sides alike, as in jumping jacks and squats
            pair[1] = (pair[0][0] + float(rng.normal(0, 0.06)), pair[0][1] + float(rng.normal(0, 0.06)))
    lean = rng.normal(0, 0.1) if rng.random() < 0.8 else rng.uniform(-0.7, 0.7)
    values = (*arms[0], *arms[1], *legs[0], *legs[1], float(lean), float(rng.normal(0, 0.15)))
    return Angles(*(np.array([value]) for value in values))


def _placed(points: NDArray[np.float64], height: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """`points` (17, 2) moved to a random place: wholly inside if they fit, at times cut by the border."""
    margin = -0.08 * height if rng.random() < 0.12 else 0.05 * height
    low, high = points.min(axis=0) - margin, points.max(axis=0) + margin
    slack = SIZE - 1 - (high - low)
    return np.asarray(points - low + np.where(slack > 0, rng.random(2), 0.5) * slack)


def _clothed(
    image: NDArray[np.uint8], points: NDArray[np.float64], height: float, body: Body, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """`image` with one figure of random look drawn into it."""
    shirt = _color(rng)
    skin_tone = rng.uniform(0.25, 1.0)
    skin = _near((int(245 * skin_tone), int(195 * skin_tone), int(160 * skin_tone)), rng, 14)
    outline = _near((20, 20, 20), rng, 18) if rng.random() < 0.75 else _color(rng)
    look = Look(
        skin=skin,
        hair=_near((60, 40, 30), rng, 40) if rng.random() < 0.7 else _color(rng),
        shirt=shirt,
        sleeve=shirt if rng.random() < 0.7 else _color(rng),
        trousers=_color(rng),
        shoes=_color(rng),
        outline=outline,
        arm=float(rng.uniform(0.034, 0.066)),
        leg=float(rng.uniform(0.048, 0.088)),
        hand=float(rng.uniform(0.022, 0.044)),
        outline_width=float(rng.uniform(0.0, 0.02)),
        long_sleeves=bool(rng.random() < 0.6),
        stripes=bool(rng.random() < 0.25),
    )
    figure = image.copy()
    draw(figure, points, height, look, body)
    if rng.random() < 0.3:  # cloth is no flat colour: multiply a soft texture in
        shade = _noise(rng, int(rng.integers(6, 40)))[..., None] * rng.uniform(0.05, 0.3) + 1
        changed = (figure != image).any(axis=2, keepdims=True)
        figure[:] = np.where(changed, np.clip(figure * shade, 0, 255), figure)
    return figure


def _noise(rng: np.random.Generator, cells: int) -> NDArray[np.float32]:
    """Smooth noise in about ±1, shape (SIZE, SIZE), with `cells` cells a side."""
    coarse = rng.uniform(-1, 1, (cells, cells)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC), dtype=np.float32)


def _background(rng: np.random.Generator) -> NDArray[np.uint8]:
    """A scene without people, RGB uint8 of shape (SIZE, SIZE, 3)."""
    first, second = (np.array(_color(rng), dtype=np.float32) for _ in range(2))
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32) / SIZE - 0.5
    ramp = np.clip((x * np.cos(angle) + y * np.sin(angle)) * rng.uniform(0.3, 8) + 0.5, 0, 1)[..., None]
    canvas = first * (1 - ramp) + second * ramp
    if rng.random() < 0.4:  # stripes, checks
        wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) * rng.uniform(15, 160) + rng.uniform(0, 6))
        if rng.random() < 0.5:
            wave = wave * np.sin((x * np.sin(angle) - y * np.cos(angle)) * rng.uniform(15, 160))
        if rng.random() < 0.5:
            wave = np.sign(wave)
        canvas += wave[..., None] * rng.uniform(-60, 60, 3).astype(np.float32)
    for cells in rng.integers(3, 64, rng.integers(0, 4)):
        color = rng.normal(0, 1, 3).astype(np.float32) if rng.random() < 0.4 else np.ones(3, np.float32)
        canvas += _noise(rng, int(cells))[..., None] * color * rng.uniform(3, 45)
    image: NDArray[np.uint8] = np.clip(canvas, 0, 255).astype(np.uint8)
    for _ in range(int(rng.integers(0, 16))):
        _object(image, rng)
    return image


def _object(image: NDArray[np.uint8], rng: np.random.Generator) -> None:
    """Draw one random thing into `image`; thick lines with discs at their ends imitate limbs and hands."""
    color = _near((220, 170, 140), rng, 35) if rng.random() < 0.15 else _color(rng)
    kind = int(rng.integers(0, 7))
    x, y = (int(v) for v in rng.integers(-10, SIZE + 10, 2))
    extent = int(rng.integers(3, 45))
    thickness = -1 if rng.random() < 0.75 else int(rng.integers(1, 4))
    if kind == 0:
        other = (x + extent, y + int(rng.integers(3, 70)))
        cv2.rectangle(image, (x, y), other, color, thickness, cv2.LINE_AA)
    elif kind == 1:
        axes = (extent // 2 + 1, int(rng.integers(2, 22)))
        cv2.ellipse(image, (x, y), axes, float(rng.uniform(0, 180)), 0, 360, color, thickness, cv2.LINE_AA)
    elif kind == 2:
        corners = (np.array([x, y]) + rng.integers(-extent, extent + 1, (int(rng.integers(3, 6)), 2))).astype(np.int32)
        cv2.fillPoly(image, [corners], color, cv2.LINE_AA)
    elif kind == 3:
        end = (x + int(rng.integers(-40, 41)), y + int(rng.integers(-40, 41)))
        width = int(rng.integers(1, 9))
        if rng.random() < 0.5:
            cv2.line(image, (x, y), end, _near((20, 20, 20), rng, 20), width + 2, cv2.LINE_AA)
        cv2.line(image, (x, y), end, color, width, cv2.LINE_AA)
        if rng.random() < 0.5:
            cv2.circle(image, end, int(rng.integers(2, 7)), _color(rng), -1, cv2.LINE_AA)
    elif kind == 4:  # a tree: trunk and crown
        cv2.rectangle(image, (x, y), (x + int(rng.integers(2, 8)), y + 50), _near((95, 65, 40), rng, 20), -1)
        cv2.circle(image, (x + 3, y), int(rng.integers(6, 22)), color, -1, cv2.LINE_AA)
    elif kind == 5:  # a row of the same outlined thing: windows, weights, heads in a crowd
        radius, edge = int(rng.integers(2, 12)), _near((20, 20, 20), rng, 20)
        for step in range(int(rng.integers(2, 9))):
            at = (x + int(step * radius * 2.6), y)
            for r, c in ((radius + 1, edge), (radius, color)):
                if extent % 2:
                    cv2.circle(image, at, r, c, -1, cv2.LINE_AA)
                else:
                    cv2.rectangle(image, (at[0] - r, at[1] - r), (at[0] + r, at[1] + r), c, -1)
    else:  # a grid of lines: fence, window
        gap = int(rng.integers(4, 16))
        for step in range(0, extent + 1, gap):
            cv2.line(image, (x + step, y), (x + step, y + extent), color, 1, cv2.LINE_AA)
            cv2.line(image, (x, y + step), (x + extent, y + step), color, 1, cv2.LINE_AA)


def _camera(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """What lens, sensor and codec do: blur, gain, gamma, noise, chroma subsampling and block artefacts."""
    out: NDArray[Any] = image.astype(np.float32)
    if rng.random() < 0.45:
        out = cv2.GaussianBlur(out, (0, 0), float(rng.uniform(0.3, 1.2)))
    if rng.random() < 0.15:  # a picture that was smaller once
        small = int(rng.integers(72, SIZE))
        out = cv2.resize(cv2.resize(out, (small, small), interpolation=cv2.INTER_AREA), (SIZE, SIZE))
    out = 255 * (np.clip(out, 0, 255) / 255) ** rng.uniform(0.75, 1.35)
    out = (out - 128) * rng.uniform(0.6, 1.2) + 128 + rng.uniform(-25, 25)
    if rng.random() < 0.85:
        out += rng.standard_normal(out.shape, dtype=np.float32) * rng.uniform(0, 8)
    result: NDArray[Any] = np.clip(out, 0, 255).astype(np.uint8)
    if rng.random() < 0.75:
        bgr = cv2.cvtColor(result, cv2.COLOR_RGB2BGR)
        coded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 96))])[1]
        decoded: Any = cv2.imdecode(coded, cv2.IMREAD_COLOR)
        result = cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)
    return np.asarray(result, dtype=np.uint8)
