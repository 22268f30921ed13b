"""Motions of the embedded data set, as joint angles over time.

The four motion-group classes send both hands round the same loop, starting anywhere on it: forward,
backward, back and forth over a part of it, or with pauses. At any one frame the phase is uniform in every
class, so a single pose says nothing; only how it changes does. All are symmetric under a left–right flip.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from csvr.data.figure import Angles

Array = NDArray[np.float64]


def motion(kind: str, frames: int, rng: np.random.Generator) -> tuple[Angles, Array]:
    """One performance of a motion.

    Args:
        kind: "neutral", "jacks", "squats", or an arm motion: "forward", "backward", "reversing", "pausing".
        frames: Number of frames, T.
        rng: Draws tempo, phase, amplitude and what the rest of the body does.

    Returns:
        The angles, and how far the pelvis sinks, shape (T,), as a fraction of the standing height.
    """
    t = np.arange(frames, dtype=float)
    if kind in ("jacks", "squats"):
        return _pattern(kind, t, rng)
    rest, sink = _legs(t, rng)
    if kind == "neutral":
        tempo, phase = rng.uniform(0.15, 0.35), rng.uniform(0, 2 * np.pi)
        swing = rng.uniform(0.1, 0.3) * np.sin(tempo * t + phase)
        hang = rng.uniform(0.1, 0.5, 2)
        bend = rng.uniform(0.0, 0.6, 2)
        left, right = (hang[0] + swing, np.full_like(t, bend[0])), (hang[1] - swing, np.full_like(t, bend[1]))
    else:
        left, right = _arms(kind, t, rng)
    return replace(
        rest, left_shoulder=left[0], left_elbow=left[1], right_shoulder=right[0], right_elbow=right[1]
    ), sink


def _arms(kind: str, t: Array, rng: np.random.Generator) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """(shoulder, elbow) angles of the left and the right arm, each on the common loop."""
    tempo = rng.uniform(0.3, 0.45)  # radians a frame: a turn in 14 to 21 frames
    sign = {"forward": 1, "backward": -1}.get(kind, rng.choice([-1, 1]))
    if kind == "reversing":  # back and forth over the same loop
        period = rng.uniform(7, 10)
        turn = tempo * period * np.abs((t / period + rng.uniform(0, 2)) % 2 - 1)
    elif kind == "pausing":  # goes on and stands still by turns
        period = rng.uniform(9, 12)
        part = t / period + rng.uniform(0, 1)
        turn = 1.6 * tempo * period * (np.floor(part) * 0.5 + np.minimum(part % 1, 0.5))
    else:
        turn = tempo * t
    phase = sign * turn + rng.uniform(0, 2 * np.pi)
    upper, fore = rng.uniform(1.25, 1.5), rng.uniform(2.0, 2.3)
    reach = rng.uniform(0.75, 0.95, 2)

    def arm(lag: float) -> tuple[Array, Array]:
        # The forearm's direction trails the upper arm's by a quarter turn, so the hand runs round an open loop.
        shoulder = upper + reach[0] * np.cos(phase + lag)
        return shoulder, fore + reach[1] * np.sin(phase + lag) - shoulder

    return arm(0.0), arm(rng.normal(0, 0.25))


def _legs(t: Array, rng: np.random.Generator) -> tuple[Angles, Array]:
    """What legs and trunk do while the arms perform: drawn independently of the class."""
    tempo, phase = rng.uniform(0.2, 0.6), rng.uniform(0, 2 * np.pi)
    wave = np.sin(tempo * t + phase)
    amount = rng.uniform(0.0, 0.3)
    stance = rng.uniform(0.05, 0.22)
    sink = rng.uniform(0.0, 0.05) * (1 + np.sin(tempo * t + rng.uniform(0, 2 * np.pi)))
    angles = replace(
        Angles.zeros(len(t)),
        left_hip=stance + amount * np.maximum(wave, 0),
        left_knee=-0.8 * amount * np.maximum(wave, 0) - stance * 0.6,
        right_hip=stance + amount * np.maximum(-wave, 0),
        right_knee=-0.8 * amount * np.maximum(-wave, 0) - stance * 0.6,
        lean=rng.uniform(-0.1, 0.1) + 0.07 * np.sin(rng.uniform(0.1, 0.3) * t + rng.uniform(0, 2 * np.pi)),
        tilt=rng.uniform(-0.1, 0.1) + 0.1 * np.sin(rng.uniform(0.1, 0.3) * t + rng.uniform(0, 2 * np.pi)),
    )
    return angles, sink


def _pattern(kind: str, t: Array, rng: np.random.Generator) -> tuple[Angles, Array]:
    """Whole-body patterns with a pose set of their own: jumping jacks and squats."""
    phase = rng.uniform(0.35, 0.6) * t + rng.uniform(0, 2 * np.pi)
    open_ = (1 - np.cos(phase)) / 2  # 0 … 1
    rest, _ = _legs(t, rng)
    if kind == "jacks":
        top, legs = rng.uniform(1.9, 2.5), rng.uniform(0.25, 0.45)
        arm = 0.15 + top * open_
        return (
            replace(
                rest, left_shoulder=arm, right_shoulder=arm, left_elbow=0.2 * open_, right_elbow=0.2 * open_,
                left_hip=0.05 + legs * open_, right_hip=0.05 + legs * open_,
                left_knee=np.zeros_like(t), right_knee=np.zeros_like(t),
            ),
            -0.03 * open_,
        )  # fmt: skip
    depth, arms = rng.uniform(0.7, 1.05), rng.uniform(0.9, 1.5)
    bend = depth * open_
    reach = 0.2 + arms * open_
    return (
        replace(
            rest, left_shoulder=reach, right_shoulder=reach, left_elbow=0.3 + 0 * t, right_elbow=0.3 + 0 * t,
            left_hip=0.1 + bend, right_hip=0.1 + bend, left_knee=-0.1 - 1.35 * bend, right_knee=-0.1 - 1.35 * bend,
        ),
        0.22 * bend,
    )  # fmt: skip
