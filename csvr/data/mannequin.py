"""The embedded data set: real video files of an articulated figure, in UCF101's own layout.

Twelve classes in the three groups of the paper's Figure 4:

- motion: told apart only by how the arms move; scenes and clothing come from one common pool;
- context: the same neutral motions; told apart only by the objects and texture of the scene;
- both: a direction of waving and a scene that takes turns with one of the common pool; each alone leaves two classes.

A group (g01 …) is one scene instance, one body and one set of clothes; it never crosses train and test.
Test groups come first and hold a single clip, training groups hold several.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from csvr.data import figure, motions, scenes, shards, video
from csvr.files import sha256


@dataclass(frozen=True)
class Action:
    """One class: its group in Figure 4, its motion, its scene (None: from the common pool)."""

    group: str
    motion: str
    scene: str | None = None


ACTIONS: dict[str, Action] = {
    "ArmsBackwardFast": Action("motion", "arms backward fast"),
    "ArmsBackwardSlow": Action("motion", "arms backward slow"),
    "ArmsForwardFast": Action("motion", "arms forward fast"),
    "ArmsForwardSlow": Action("motion", "arms forward slow"),
    "AtBeach": Action("context", "neutral", "beach"),
    "AtCity": Action("context", "neutral", "city"),
    "AtForest": Action("context", "neutral", "forest"),
    "AtKitchen": Action("context", "neutral", "kitchen"),
    "WavesBackwardGym": Action("both", "waves backward", "gym"),
    "WavesBackwardPond": Action("both", "waves backward", "pond"),
    "WavesForwardGym": Action("both", "waves forward", "gym"),
    "WavesForwardPond": Action("both", "waves forward", "pond"),
}


@dataclass(frozen=True)
class Clip:
    """One video of the data set."""

    action: str
    group: int
    clip: int
    train: bool

    @property
    def name(self) -> str:
        """UCF101's naming: v_Class_gNN_cNN."""
        return f"v_{self.action}_g{self.group:02d}_c{self.clip:02d}"


def clips(test_groups: int, train_groups: int, clips_per_train_group: int) -> list[Clip]:
    """All clips of the data set, test groups first, in the order of the classes."""
    result = []
    for action in ACTIONS:
        result += [Clip(action, group, 1, False) for group in range(1, test_groups + 1)]
        result += [
            Clip(action, group, clip, True)
            for group in range(test_groups + 1, test_groups + train_groups + 1)
            for clip in range(1, clips_per_train_group + 1)
        ]
    return result


def render(clip: Clip, seed: int, frames: int, size: int) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """One video and its ground truth.

    Returns:
        RGB frames, uint8, shape (frames, size, size, 3), and keypoints in pixels, shape (frames, 17, 2).
    """
    action = ACTIONS[clip.action]
    number = list(ACTIONS).index(clip.action)
    shared = np.random.default_rng([seed, number, clip.group])
    rng = np.random.default_rng([seed, number, clip.group, clip.clip])

    body, look = figure.Body.sample(shared), _clothes(shared)
    common = str(shared.choice(scenes.POOL))
    kinds = [action.scene or common] + [common] * (action.group == "both")
    canvas, horizon = scenes.draw_scene(kinds, shared)
    height = rng.uniform(50, 68) * size / 128
    angles, sink = motions.motion(action.motion, frames, rng)
    t = np.linspace(-1, 1, frames)
    jitter = rng.normal(0, 0.4, (frames, 2))
    feet = rng.uniform(0.86, 0.95) * size
    pelvis = np.stack(
        [
            size / 2 + rng.uniform(-0.11, 0.11) * size + rng.uniform(-0.05, 0.05) * size * t,
            feet - height * (1 - body.hip_y) + height * sink,
        ],
        axis=1,
    )
    points = figure.keypoints(angles, body, pelvis + jitter, height)

    background = _camera(canvas, horizon, frames, size, jitter, rng)
    gain = rng.uniform(0.8, 1.2) + rng.uniform(-0.2, 0.2) * t
    noise = rng.uniform(2, 4)
    images = np.empty((frames, size, size, 3), np.uint8)
    for k in range(frames):
        figure.draw(background[k], points[k], height, look, body)
        grain = noise * rng.standard_normal((size, size, 1), dtype=np.float32)
        images[k] = np.clip(background[k] * np.float32(gain[k]) + grain, 0, 255)
    return images, points


def _clothes(rng: np.random.Generator) -> figure.Look:
    """Random clothes from the one pool that every class shares."""

    def color() -> figure.Color:
        return tuple(int(v) for v in rng.integers(25, 231, 3))  # type: ignore[return-value]

    shade = rng.uniform(0.55, 1.1)
    shirt = color()
    return figure.Look(
        skin=tuple(int(min(255, v * shade)) for v in (226, 178, 148)),  # type: ignore[arg-type]
        hair=color(),
        shirt=shirt,
        sleeve=shirt if rng.random() < 0.6 else color(),
        trousers=color(),
        shoes=color(),
        long_sleeves=bool(rng.random() < 0.6),
        stripes=bool(rng.random() < 0.3),
    )


def _camera(
    canvas: NDArray[np.uint8],
    horizon: int,
    frames: int,
    size: int,
    jitter: NDArray[np.float64],
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """The scene as seen by a camera that pans 100 to 240 canvas pixels sideways, tilts and zooms by 0.8 to 1.25."""
    height, width = canvas.shape[:2]
    t = np.linspace(0, 1, frames)
    zoom = rng.uniform(0.8, 1.25) * (1 - t) + rng.uniform(0.8, 1.25) * t
    half = size / (2 * zoom) * (128 / size)  # half the window, in canvas pixels
    pan = rng.uniform(100, 240) * rng.choice([-1, 1])
    middle = width / 2 + pan * (t - 0.5) + rng.uniform(-60, 60)
    x = np.clip(middle, half, width - half)
    y = np.clip(horizon + rng.uniform(-25, 15) * (1 - t) + rng.uniform(-25, 15) * t, half, height - half)
    result = np.empty((frames, size, size, 3), np.uint8)
    for k in range(frames):
        scale = size / (2 * half[k])
        matrix = np.array(
            [[scale, 0, size / 2 - scale * x[k] + jitter[k, 0]], [0, scale, size / 2 - scale * y[k] + jitter[k, 1]]]
        )
        result[k] = cv2.warpAffine(canvas, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return result


def _write(job: tuple[Clip, Path, dict[str, Any]]) -> tuple[str, NDArray[np.float32], str]:
    """Render and encode one clip: its name, keypoints and the file's SHA-256."""
    clip, root, params = job
    cv2.setNumThreads(1)
    images, points = render(clip, params["seed"], params["frames"], params["size"])
    path = root / "videos" / clip.action / f"{clip.name}.avi"
    video.encode(path, images, params["fps"], params["gop"], params["b_frames"], params["quality"])
    return clip.name, points.astype(np.float32), sha256(path)


def generate(root: Path, params: dict[str, Any], workers: int) -> dict[str, Any]:
    """Write the whole data set under `root`.

    `videos/<Class>/v_*.avi`, `splits/{classInd,trainlist01,testlist01}.txt` as UCF101 has them, and
    `keypoints.safetensors` with the ground truth: (frames, 17, 2) pixels a video.

    Args:
        root: Destination folder.
        params: The `dataset.generate` section of params.yaml.
        workers: Processes.

    Returns:
        A summary: number of videos, and one SHA-256 over all of them.
    """
    todo = clips(params["test_groups"], params["train_groups"], params["clips_per_train_group"])
    # Not forked: what FFmpeg's threads hold at that moment would be held in the children for ever.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        done = list(pool.map(_write, [(clip, root, params) for clip in todo], chunksize=8))
    shards.write(root / "keypoints.safetensors", {name: points for name, points, _ in done}, {"unit": "pixel"})

    splits = root / "splits"
    splits.mkdir(parents=True, exist_ok=True)
    index = {action: k for k, action in enumerate(ACTIONS, start=1)}
    (splits / "classInd.txt").write_text("".join(f"{k} {action}\n" for action, k in index.items()))
    (splits / "trainlist01.txt").write_text(
        "".join(f"{c.action}/{c.name}.avi {index[c.action]}\n" for c in todo if c.train)
    )
    (splits / "testlist01.txt").write_text("".join(f"{c.action}/{c.name}.avi\n" for c in todo if not c.train))
    digest = hashlib.sha256("".join(sha for _, _, sha in done).encode()).hexdigest()
    return {"videos": len(todo), "sha256": digest}
