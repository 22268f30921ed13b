"""Scenes of the embedded data set: what recurs tells the class, everything else is redrawn.

A scene kind is told by its objects and texture (umbrellas and waves, firs, tiles and shelves, windows …).
Palette, number, place, scale and light of the objects are drawn anew for every instance, so that colour
and layout say nothing about the kind.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Color = tuple[int, int, int]
CANVAS = (176, 300)  # height, width in pixels: room for a 128-pixel camera to pan and zoom


def palette(rng: np.random.Generator, count: int = 6) -> list[Color]:
    """`count` random RGB colours whose luminances are spread, so that shapes stay visible in gray."""
    luminance = rng.permutation(np.linspace(45, 215, count))
    chroma = rng.normal(0, 40, (count, 3))
    chroma -= chroma @ np.array([[0.299], [0.587], [0.114]])  # leave the luminance alone
    rgb = np.clip(luminance[:, None] + chroma, 0, 255).astype(int)
    return [(int(r), int(g), int(b)) for r, g, b in rgb]


def draw_scene(kind: str, rng: np.random.Generator) -> Image:
    """One instance of a scene kind.

    Args:
        kind: A key of `SCENES`.
        rng: Source of everything that varies.

    Returns:
        RGB canvas, uint8, shape (176, 300, 3).
    """
    height, width = CANVAS
    colors = palette(rng)
    canvas = np.empty((height, width, 3), np.uint8)
    horizon = int(height * rng.uniform(0.45, 0.7))
    canvas[:horizon], canvas[horizon:] = colors[0], colors[1]
    _clutter(canvas, rng, colors)
    SCENES[kind](canvas, rng, colors[2:], horizon)
    return _light(canvas, rng)


def _clutter(canvas: Image, rng: np.random.Generator, colors: list[Color]) -> None:
    """Small shapes that every kind shares."""
    height, width = CANVAS
    for _ in range(rng.integers(8, 18)):
        x, y, size = int(rng.integers(width)), int(rng.integers(height)), int(rng.integers(2, 7))
        color = colors[rng.integers(len(colors))]
        if rng.random() < 0.5:
            cv2.rectangle(canvas, (x, y), (x + size, y + size), color, -1)
        else:
            cv2.line(canvas, (x, y), (x + int(rng.integers(-14, 15)), y + int(rng.integers(-14, 15))), color, 1)


def _light(canvas: Image, rng: np.random.Generator) -> Image:
    """A smooth gradient of brightness over the canvas (±25 %)."""
    height, width = CANVAS
    angle, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0.05, 0.25)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    gain = 1 + strength * (x * np.cos(angle) + y * np.sin(angle))
    lit: Image = np.clip(canvas * gain[..., None], 0, 255).astype(np.uint8)
    return lit


def _spread(rng: np.random.Generator, low: int, high: int) -> list[int]:
    """Between `low` and `high` x positions, roughly evenly spread over the canvas."""
    count = int(rng.integers(low, high + 1))
    step = CANVAS[1] / count
    return [int((i + rng.uniform(0.15, 0.85)) * step) for i in range(count)]


def _beach(canvas: Image, rng: np.random.Generator, colors: list[Color], horizon: int) -> None:
    x = np.arange(CANVAS[1])
    for k in range(rng.integers(4, 7)):
        y = horizon - 22 + k * int(rng.integers(9, 13)) + 4.5 * np.sin(x / rng.uniform(5, 7) + rng.uniform(0, 6))
        cv2.polylines(canvas, [np.stack([x, y], 1).astype(np.int32)], False, colors[0], 3, cv2.LINE_AA)
    for cx in _spread(rng, 5, 7):
        r, top = int(rng.uniform(22, 31)), int(horizon - rng.uniform(-5, 45))
        cv2.line(canvas, (cx, top), (cx, top + int(1.8 * r)), colors[3], 2, cv2.LINE_AA)
        for sector in range(6):
            start = 180 + 30 * sector
            cv2.ellipse(canvas, (cx, top), (r, r), 0, start, start + 30, colors[1 + sector % 2], -1, cv2.LINE_AA)


def _forest(canvas: Image, rng: np.random.Generator, colors: list[Color], horizon: int) -> None:
    for cx in _spread(rng, 8, 11):
        base, size = int(horizon + rng.uniform(-8, 28)), rng.uniform(1.1, 1.5)
        color = colors[rng.integers(2)]
        cv2.rectangle(canvas, (cx - 2, base - 6), (cx + 2, base), colors[2], -1)
        for level in range(4):
            w, y = (17 - 3.2 * level) * size, base - 5 - level * 14 * size
            tip = np.array([[cx - w, y], [cx + w, y], [cx, y - 22 * size]], np.int32)
            cv2.fillPoly(canvas, [tip], color, cv2.LINE_AA)
            cv2.polylines(canvas, [tip], True, colors[3], 1, cv2.LINE_AA)


def _kitchen(canvas: Image, rng: np.random.Generator, colors: list[Color], horizon: int) -> None:
    step = int(rng.uniform(15, 20))
    for x in range(int(rng.integers(step)), CANVAS[1], step):
        cv2.line(canvas, (x, 0), (x, horizon), colors[0], 2)
    for y in range(int(rng.integers(step)), horizon, step):
        cv2.line(canvas, (0, y), (CANVAS[1], y), colors[0], 2)
    for cx in _spread(rng, 4, 6):
        y, half = int(horizon - rng.uniform(15, 70)), int(rng.uniform(18, 26))
        cv2.rectangle(canvas, (cx - half, y), (cx + half, y + 4), colors[3], -1)
        for x in range(cx - half + 2, cx + half - 6, 9):
            tall = int(rng.uniform(8, 16))
            cv2.rectangle(canvas, (x, y - tall), (x + 6, y - 1), colors[1 + int(rng.integers(2))], -1)
            cv2.rectangle(canvas, (x + 1, y - tall - 2), (x + 5, y - tall), colors[3], -1)


def _city(canvas: Image, rng: np.random.Generator, colors: list[Color], horizon: int) -> None:
    for cx in _spread(rng, 7, 9):
        half, top = int(rng.uniform(17, 25)), int(horizon - rng.uniform(45, 95))
        wall, window = (colors[0], colors[1]) if rng.random() < 0.5 else (colors[2], colors[3])
        cv2.rectangle(canvas, (cx - half, top), (cx + half, horizon), wall, -1)
        pitch = int(rng.uniform(11, 14))
        for y in range(top + 4, horizon - 5, pitch + 1):
            for x in range(cx - half + 3, cx + half - 3, pitch):
                cv2.rectangle(canvas, (x, y), (x + pitch - 6, y + pitch - 5), window, -1)
    for x in range(0, CANVAS[1], 22):
        cv2.line(canvas, (x, horizon + 18), (x + 11, horizon + 18), colors[3], 2)


def _park(canvas: Image, rng: np.random.Generator, colors: list[Color], horizon: int) -> None:
    for cx in _spread(rng, 6, 9):
        r, y = int(rng.uniform(12, 20)), int(horizon - rng.uniform(20, 45))
        cv2.line(canvas, (cx, y), (cx, horizon + 5), colors[3], 4)
        cv2.circle(canvas, (cx, y), r, colors[rng.integers(2)], -1, cv2.LINE_AA)
        cv2.circle(canvas, (cx - r // 3, y - r // 3), r // 3, colors[2], -1, cv2.LINE_AA)


def _gym(canvas: Image, rng: np.random.Generator, colors: list[Color], horizon: int) -> None:
    for y in range(int(rng.integers(10, 25)), horizon, int(rng.uniform(18, 26))):
        cv2.line(canvas, (0, y), (CANVAS[1], y), colors[0], 3)
    for cx in _spread(rng, 5, 8):
        y, half = int(horizon + rng.uniform(-30, 30)), int(rng.uniform(11, 17))
        cv2.line(canvas, (cx - half, y), (cx + half, y), colors[3], 3)
        for x in (cx - half, cx + half):
            cv2.rectangle(canvas, (x - 4, y - 9), (x + 4, y + 9), colors[1 + int(rng.integers(2))], -1)


def _pitch(canvas: Image, rng: np.random.Generator, colors: list[Color], horizon: int) -> None:
    for cx in _spread(rng, 3, 4):
        half, top = int(rng.uniform(26, 38)), int(horizon - rng.uniform(35, 50))
        for k in range(-half, half + 1, 6):
            cv2.line(canvas, (cx + k, top), (cx + int(0.8 * k), horizon), colors[0], 1, cv2.LINE_AA)
        for y in range(top, horizon, 6):
            cv2.line(canvas, (cx - half, y), (cx + half, y), colors[0], 1)
        goal = np.array([[cx - half, horizon], [cx - half, top], [cx + half, top], [cx + half, horizon]], np.int32)
        cv2.polylines(canvas, [goal], False, colors[1], 3)
    cv2.ellipse(canvas, (int(rng.integers(300)), horizon + 30), (60, 14), 0, 0, 360, colors[2], 2, cv2.LINE_AA)


def _pond(canvas: Image, rng: np.random.Generator, colors: list[Color], horizon: int) -> None:
    for cx in _spread(rng, 6, 9):
        y = int(horizon + rng.uniform(2, 45))
        for ring in range(1, 4):
            cv2.ellipse(canvas, (cx, y), (7 * ring, 3 * ring), 0, 0, 360, colors[0], 1, cv2.LINE_AA)
    for cx in _spread(rng, 14, 22):
        tall = int(rng.uniform(18, 40))
        cv2.line(canvas, (cx, horizon), (cx + int(rng.integers(-4, 5)), horizon - tall), colors[1], 1, cv2.LINE_AA)
        cv2.ellipse(canvas, (cx, horizon - tall), (2, 6), 0, 0, 360, colors[2], -1, cv2.LINE_AA)


SCENES: dict[str, Callable[[Image, np.random.Generator, list[Color], int], None]] = {
    "beach": _beach,
    "forest": _forest,
    "kitchen": _kitchen,
    "city": _city,
    "park": _park,
    "gym": _gym,
    "pitch": _pitch,
    "pond": _pond,
}
POOL = ("park", "gym", "pitch", "pond")
"""Kinds shared by all classes that the scene must not tell apart."""
