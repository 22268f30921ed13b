"""Motions of the embedded data set, as joint angles over time.

The four motion-group classes send both hands round the same loop, starting anywhere on it: forward or
backward, slowly or fast. At any one frame the phase is uniform in every class, so a single pose says
nothing; only how it changes does. The same holds for waving, forward or backward, round a smaller loop
above the shoulders. All are symmetric under a left–right flip.
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
        kind: "neutral", or an arm motion: "arms" (with "forward" or "backward", "slow" or "fast") or "waves" (with
            "forward" or "backward").
        frames: Number of frames, T.
        rng: Draws tempo, phase, amplitude and what the rest of the body does.

    Returns:
        The angles, and how far the pelvis sinks, shape (T,), as a fraction of the standing height.
    """
    t = np.arange(frames, dtype=float)
    rest, sink = _legs(t, rng)
    if kind == "neutral":
        tempo, phase = rng.uniform(0.15, 0.35), rng.uniform(0, 2 * np.pi)
        swing = rng.uniform(0.1, 0.3) * np.sin(tempo * t + phase)
        hang = rng.uniform(0.1, 0.5, 2)
        bend = rng.uniform(0.0, 0.6, 2)
        left, right = (hang[0] + swing, np.full_like(t, bend[0])), (hang[1] - swing, np.full_like(t, bend[1]))
    else:
        left, right = _arms(kind, t, rng)
    return replace(rest, left_shoulder=left[0], left_elbow=left[1], right_shoulder=right[0], right_elbow=right[1]), sink


# Middle of the upper arm's and the forearm's direction, and how far they swing about it, in radians.
LOOPS = {
    "arms": ((1.25, 1.5), (2.0, 2.3), (0.75, 0.95)),
    "waves": ((2.0, 2.2), (2.7, 2.9), (0.5, 0.65)),
}
# Radians a frame: a turn in 26 to 42 frames, in 11 to 14; waving in 16 to 21.
TEMPOS = {"slow": (0.15, 0.24), "fast": (0.44, 0.58)}


def _arms(kind: str, t: Array, rng: np.random.Generator) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """(shoulder, elbow) angles of the left and the right arm, each on its kind's loop."""
    loop, direction, *tempo = kind.split()
    low, high = TEMPOS[tempo[0]] if tempo else (0.3, 0.4)
    sign = {"forward": 1, "backward": -1}[direction]
    phase = sign * rng.uniform(low, high) * t + rng.uniform(0, 2 * np.pi)
    upper, fore = (rng.uniform(*bounds) for bounds in LOOPS[loop][:2])
    reach = rng.uniform(*LOOPS[loop][2], 2)

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
