"""Scenes of the embedded data set: what recurs tells the class, everything else is redrawn.

A scene kind is told by its objects and texture (umbrellas and waves, firs, tiles and shelves, windows …).
Number, place, scale and light of the objects are drawn anew for every instance, and the colours of each
object for itself, so that colour and layout say nothing about the kind, and little about the instance once
the camera has moved on: what stays in view all the time is the kind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Color = tuple[int, int, int]
CANVAS = (208, 480)  # height, width in pixels: room for a 128-pixel camera to pan, tilt and zoom
STRETCHES = ((35, 60), (55, 90))  # columns of the one and of the other kind, where a scene has two


def palette(rng: np.random.Generator, count: int = 4) -> list[Color]:
    """`count` random RGB colours whose luminances are spread, so that shapes stay visible in gray."""
    luminance = rng.permutation(np.linspace(45, 215, count))
    chroma = rng.normal(0, 40, (count, 3))
    chroma -= chroma @ np.array([[0.299], [0.587], [0.114]])  # leave the luminance alone
    rgb = np.clip(luminance[:, None] + chroma, 0, 255).astype(int)
    return [(int(r), int(g), int(b)) for r, g, b in rgb]


def draw_scene(kinds: Sequence[str], rng: np.random.Generator) -> tuple[Image, int]:
    """One instance of a scene.

    Args:
        kinds: One or two keys of `SCENES`; stretches of two take turns along the canvas.
        rng: Source of everything that varies.

    Returns:
        RGB canvas, uint8, shape (208, 480, 3), and the row of its horizon.
    """
    height, width = CANVAS
    horizon = int(height * rng.uniform(0.45, 0.6))
    canvas = np.empty((height, width, 3), np.uint8)
    canvas[:horizon], canvas[horizon:] = palette(rng, 2)
    canvas = _light(canvas, rng)
    _clutter(canvas, rng)
    drawn = [canvas.copy() for _ in kinds]
    for kind, image in zip(kinds, drawn, strict=True):
        SCENES[kind](image, rng, horizon)
    turn, x = int(rng.integers(len(kinds))), 0
    while x < width:
        end = x + int(rng.uniform(*STRETCHES[turn]))
        canvas[:, x:end] = drawn[turn][:, x:end]
        turn, x = (turn + 1) % len(kinds), end
    return _light(canvas, rng), horizon


def _clutter(canvas: Image, rng: np.random.Generator) -> None:
    """Small shapes that every kind shares."""
    height, width = CANVAS
    for _ in range(rng.integers(16, 32)):
        x, y, size = int(rng.integers(width)), int(rng.integers(height)), int(rng.integers(2, 7))
        (color,) = palette(rng, 1)
        if rng.random() < 0.5:
            cv2.rectangle(canvas, (x, y), (x + size, y + size), color, -1)
        else:
            cv2.line(canvas, (x, y), (x + int(rng.integers(-14, 15)), y + int(rng.integers(-14, 15))), color, 1)


def _light(canvas: Image, rng: np.random.Generator) -> Image:
    """Brightness that changes smoothly over the canvas (±35 %)."""
    height, width = CANVAS
    angle, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.35)
    y, x = np.mgrid[0 : height / width : height * 1j, 0 : 1 : width * 1j]
    waves = rng.uniform(0.5, 1.5)
    gain = 1 + strength * np.sin(2 * np.pi * waves * (x * np.cos(angle) + y * np.sin(angle)) + rng.uniform(0, 6))
    lit: Image = np.clip(canvas * gain[..., None], 0, 255).astype(np.uint8)
    return lit


def _spread(rng: np.random.Generator, low: int, high: int) -> list[int]:
    """Between `low` and `high` x positions, roughly evenly spread over the canvas."""
    count = int(rng.integers(low, high + 1))
    step = CANVAS[1] / count
    return [int((i + rng.uniform(0.15, 0.85)) * step) for i in range(count)]


def _beach(canvas: Image, rng: np.random.Generator, horizon: int) -> None:
    x = np.arange(CANVAS[1])
    for k in range(rng.integers(4, 7)):
        y = horizon - 22 + k * int(rng.integers(9, 13)) + 4.5 * np.sin(x / rng.uniform(5, 7) + rng.uniform(0, 6))
        (color,) = palette(rng, 1)
        cv2.polylines(canvas, [np.stack([x, y], 1).astype(np.int32)], False, color, 3, cv2.LINE_AA)
    for cx in _spread(rng, 8, 11):
        r, top, colors = int(rng.uniform(22, 31)), int(horizon - rng.uniform(-5, 45)), palette(rng)
        cv2.line(canvas, (cx, top), (cx, top + int(1.8 * r)), colors[2], 2, cv2.LINE_AA)
        for sector in range(6):
            start = 180 + 30 * sector
            cv2.ellipse(canvas, (cx, top), (r, r), 0, start, start + 30, colors[sector % 2], -1, cv2.LINE_AA)


def _forest(canvas: Image, rng: np.random.Generator, horizon: int) -> None:
    for cx in _spread(rng, 13, 18):
        base, size, colors = int(horizon + rng.uniform(-8, 28)), rng.uniform(1.1, 1.5), palette(rng)
        cv2.rectangle(canvas, (cx - 2, base - 6), (cx + 2, base), colors[2], -1)
        for level in range(4):
            w, y = (17 - 3.2 * level) * size, base - 5 - level * 14 * size
            tip = np.array([[cx - w, y], [cx + w, y], [cx, y - 22 * size]], np.int32)
            cv2.fillPoly(canvas, [tip], colors[level % 2], cv2.LINE_AA)
            cv2.polylines(canvas, [tip], True, colors[3], 1, cv2.LINE_AA)


def _kitchen(canvas: Image, rng: np.random.Generator, horizon: int) -> None:
    step, (color,) = int(rng.uniform(15, 20)), palette(rng, 1)
    for x in range(int(rng.integers(step)), CANVAS[1], step):
        cv2.line(canvas, (x, 0), (x, horizon), color, 2)
    for y in range(int(rng.integers(step)), horizon, step):
        cv2.line(canvas, (0, y), (CANVAS[1], y), color, 2)
    for cx in _spread(rng, 7, 10):
        y, half, colors = int(horizon - rng.uniform(15, 70)), int(rng.uniform(18, 26)), palette(rng)
        cv2.rectangle(canvas, (cx - half, y), (cx + half, y + 4), colors[3], -1)
        for x in range(cx - half + 2, cx + half - 6, 9):
            tall = int(rng.uniform(8, 16))
            cv2.rectangle(canvas, (x, y - tall), (x + 6, y - 1), colors[int(rng.integers(2))], -1)
            cv2.rectangle(canvas, (x + 1, y - tall - 2), (x + 5, y - tall), colors[3], -1)


def _city(canvas: Image, rng: np.random.Generator, horizon: int) -> None:
    for cx in _spread(rng, 11, 14):
        half, top = int(rng.uniform(17, 25)), int(horizon - rng.uniform(45, 95))
        wall, window = palette(rng, 2)
        cv2.rectangle(canvas, (cx - half, top), (cx + half, horizon), wall, -1)
        pitch = int(rng.uniform(11, 14))
        for y in range(top + 4, horizon - 5, pitch + 1):
            for x in range(cx - half + 3, cx + half - 3, pitch):
                cv2.rectangle(canvas, (x, y), (x + pitch - 6, y + pitch - 5), window, -1)
    (color,) = palette(rng, 1)
    for x in range(0, CANVAS[1], 22):
        cv2.line(canvas, (x, horizon + 18), (x + 11, horizon + 18), color, 2)


def _park(canvas: Image, rng: np.random.Generator, horizon: int) -> None:
    for cx in _spread(rng, 10, 14):
        r, y, colors = int(rng.uniform(12, 20)), int(horizon - rng.uniform(20, 45)), palette(rng)
        cv2.line(canvas, (cx, y), (cx, horizon + 5), colors[3], 4)
        cv2.circle(canvas, (cx, y), r, colors[0], -1, cv2.LINE_AA)
        cv2.circle(canvas, (cx - r // 3, y - r // 3), r // 3, colors[2], -1, cv2.LINE_AA)


def _gym(canvas: Image, rng: np.random.Generator, horizon: int) -> None:
    (color,) = palette(rng, 1)
    for y in range(int(rng.integers(10, 25)), horizon, int(rng.uniform(18, 26))):
        cv2.line(canvas, (0, y), (CANVAS[1], y), color, 3)
    for cx in _spread(rng, 9, 13):
        y, half, colors = int(horizon + rng.uniform(-40, 30)), int(rng.uniform(13, 20)), palette(rng)
        cv2.line(canvas, (cx - half, y), (cx + half, y), colors[3], 4)
        for x in (cx - half, cx + half):
            cv2.rectangle(canvas, (x - 5, y - 12), (x + 5, y + 12), colors[0], -1)


def _pitch(canvas: Image, rng: np.random.Generator, horizon: int) -> None:
    for cx in _spread(rng, 5, 6):
        half, top, colors = int(rng.uniform(26, 38)), int(horizon - rng.uniform(35, 50)), palette(rng)
        for k in range(-half, half + 1, 6):
            cv2.line(canvas, (cx + k, top), (cx + int(0.8 * k), horizon), colors[0], 1, cv2.LINE_AA)
        for y in range(top, horizon, 6):
            cv2.line(canvas, (cx - half, y), (cx + half, y), colors[0], 1)
        goal = np.array([[cx - half, horizon], [cx - half, top], [cx + half, top], [cx + half, horizon]], np.int32)
        cv2.polylines(canvas, [goal], False, colors[1], 3)
        cv2.ellipse(canvas, (cx, horizon + 30), (60, 14), 0, 0, 360, colors[2], 2, cv2.LINE_AA)


def _pond(canvas: Image, rng: np.random.Generator, horizon: int) -> None:
    for cx in _spread(rng, 10, 14):
        y, colors = int(horizon + rng.uniform(2, 45)), palette(rng)
        for ring in range(1, 4):
            cv2.ellipse(canvas, (cx, y), (8 * ring, 4 * ring), 0, 0, 360, colors[0], 2, cv2.LINE_AA)
    for cx in _spread(rng, 22, 34):
        tall, colors = int(rng.uniform(22, 50)), palette(rng)
        cv2.line(canvas, (cx, horizon), (cx + int(rng.integers(-4, 5)), horizon - tall), colors[1], 2, cv2.LINE_AA)
        cv2.ellipse(canvas, (cx, horizon - tall), (3, 9), 0, 0, 360, colors[2], -1, cv2.LINE_AA)


SCENES: dict[str, Callable[[Image, np.random.Generator, int], None]] = {
    "beach": _beach,
    "forest": _forest,
    "kitchen": _kitchen,
    "city": _city,
    "park": _park,
    "gym": _gym,
    "pitch": _pitch,
    "pond": _pond,
}
POOL = ("park", "pitch")
"""Kinds shared by all classes that the scene must not tell apart."""
