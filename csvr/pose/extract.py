"""Poses of one person in every frame of many videos, found by OpenPifPaf.

What is not found is not made up: a missing joint, or a frame without anybody, is (0, 0, 0).
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csvr.data.ahead import ahead
from csvr.data.extraction import Video, extract_videos
from csvr.data.video import frames, to_rgb, upright_size
from csvr.errors import UserError
from csvr.pose.detector import Detector, Person, load
from csvr.pose.skeleton import OKS_SIGMAS

log = logging.getLogger(__name__)

Frames = NDArray[np.uint8]
Detect = Callable[[Sequence[Frames]], list[list[Person]]]


@dataclass(frozen=True)
class Settings:
    """Parameters of the extraction; see params/pose_extraction/rendered.yaml.

    Attributes:
        checkpoint: Path, or a name that OpenPifPaf publishes.
        sha256: Hash that the checkpoint must have; None for published names alone.
        stride: Every `stride`-th frame is looked at, from the first.
        long_edge: Frames whose longer side exceeds this are scaled down to it first, in pixels.
        batch: Frames that go through the network together.
        continuity: Similarity (0–1, see `similarity`) from which on a candidate is taken for the person of
            the last frame. 1.1 switches tracking off: the most confident person is taken in each frame.
        decoder: Thresholds, see `csvr.pose.detector.set_thresholds`.
    """

    checkpoint: str
    sha256: str | None
    stride: int
    long_edge: int
    batch: int
    continuity: float
    decoder: Mapping[str, float | bool]

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Settings:
        """Checked parameters.

        Raises:
            UserError: A parameter is missing, unknown or out of range.
        """
        if wrong := sorted({f.name for f in fields(cls)} ^ set(params)):
            raise UserError(f"poses: parameters missing or unknown: {', '.join(wrong)}")
        settings = cls(**params)
        if min(settings.stride, settings.batch) < 1 or settings.long_edge < 32:
            raise UserError("poses: stride and batch must be at least 1, long_edge at least 32")
        return settings


@dataclass(frozen=True)
class VideoPoses:
    """Poses of one video.

    Attributes:
        poses: x, y in pixels of the upright video and confidence, shape (T, 17, 3); missing = (0, 0, 0).
        frame: Number of each looked-at frame in the video, shape (T,).
        size: Width and height of the upright video in pixels, shape (2,).
    """

    poses: NDArray[np.float32]
    frame: NDArray[np.int32]
    size: NDArray[np.int32]

    @property
    def detection_rate(self) -> float:
        """Share of the looked-at frames in which somebody was found."""
        return float((self.poses[..., 2] > 0).any(axis=1).mean())


def similarity(last: NDArray[np.float32], candidate: NDArray[np.float32]) -> float:
    """Object keypoint similarity of two poses, over the keypoints that both have; 0 when they share none.

    Args:
        last: The pose to continue, shape (17, 3); the area is that of its keypoints' box.
        candidate: Shape (17, 3).
    """
    both = (last[:, 2] > 0) & (candidate[:, 2] > 0)
    if not both.any():
        return 0.0
    area = float(np.prod(np.ptp(last[last[:, 2] > 0, :2], axis=0))) + np.spacing(1)
    squared = ((last[both, :2] - candidate[both, :2]) ** 2).sum(axis=1)
    return float(np.exp(-squared / (2 * area * (2 * OKS_SIGMAS[both]) ** 2)).mean())


def follow(people: Sequence[Sequence[Person]], continuity: float) -> NDArray[np.float32]:
    """One person through a video, chosen greedily frame by frame.

    The candidate most similar to the last pose chosen (however long ago) is taken if its similarity is at
    least `continuity`; else the most confident candidate, with whom tracking starts anew.

    Args:
        people: Detections of each frame.
        continuity: See `Settings`.

    Returns:
        Shape (T, 17, 3); zeros where nobody was found.
    """
    poses = np.zeros((len(people), 17, 3), dtype=np.float32)
    last: NDArray[np.float32] | None = None
    for k, candidates in enumerate(people):
        if not candidates:
            continue
        chosen = max(candidates, key=lambda person: person.score)
        if last is not None and len(candidates) > 1:
            scores = [similarity(last, person.points) for person in candidates]
            best = int(np.argmax(scores))
            if scores[best] >= continuity:
                chosen = candidates[best]
        poses[k] = last = chosen.points
    return poses


def _batches(path: Path, settings: Settings) -> Iterator[tuple[list[int], list[Frames], tuple[int, int]]]:
    """Frame numbers, upright RGB frames of shape (h, w, 3) and the video's (width, height), a batch at a time."""
    numbers: list[int] = []
    images: list[Frames] = []
    size, shape = (0, 0), (0, 0)
    for number, frame in enumerate(frames(path)):
        if number == 0:
            size = upright_size(frame)
            scale = min(1.0, settings.long_edge / max(size))
            shape = (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))
        if number % settings.stride:
            continue
        numbers.append(number)
        images.append(to_rgb(frame, *shape))
        if len(images) == settings.batch:
            yield numbers, images, size
            numbers, images = [], []
    if images:
        yield numbers, images, size


def video_poses(path: Path, detect: Detect, settings: Settings, threaded: bool = False) -> VideoPoses:
    """The poses of one person in a video.

    Args:
        path: Video file.
        detect: Finds people in a batch of frames, e.g. a `Detector`.
        settings: Parameters.
        threaded: Whether a thread decodes the next frames while people are found in these.

    Raises:
        UserError: As `video.frames`.
    """
    numbers: list[int] = []
    people: list[list[Person]] = []
    size, shape = (0, 0), (1, 1)
    batches = _batches(path, settings)
    for more, images, size in ahead(batches) if threaded else batches:  # noqa: B007 (size is the same in all)
        numbers += more
        people += detect(images)
        shape = (images[0].shape[1], images[0].shape[0])
    poses = follow(people, settings.continuity)
    found = poses[..., 2] > 0
    factor = np.array(size, dtype=np.float32) / np.array(shape, dtype=np.float32)
    # Pixel centres are at whole numbers, so scaling is about (-0.5, -0.5), the image's corner.
    poses[..., :2] = np.where(found[..., None], (poses[..., :2] + 0.5) * factor - 0.5, 0)
    return VideoPoses(poses, np.array(numbers, dtype=np.int32), np.array(size, dtype=np.int32))


def extract(
    videos: Sequence[Video], settings: Settings, output: Path, identity: Mapping[str, Any], about: Mapping[str, Any],
    device: str = "cpu", name: str = "poses", file: Callable[[Video], Path] = lambda video: video.path,
) -> dict[str, Any]:  # fmt: skip
    """Find the poses of `videos` and write them as one shard.

    Arrays: `<name>` (T, 17, 3) float32, `<name>/frame` (T,) int32, `<name>/size` (2,) int32; see `VideoPoses`.

    Args:
        videos: Name and file of each video.
        settings: Parameters.
        output: Shard file (safetensors), written when all videos are done; see `extract_videos`.
        identity: What the poses depend on.
        about: Goes into the header, which also gets checkpoint, sha256, videos, detection_rate (by video) and
            warnings (videos in which nobody was found).
        device: Where the network runs.
        name: What is done, for the log.
        file: The file to read of a video.

    Returns:
        videos, frames, detection_rate (over all frames) and warnings.

    Raises:
        UserError: Names are not unique, the checkpoint is refused, or videos can't be used (all are named).
    """
    if twice := sorted(key for key, count in Counter(video.name for video in videos).items() if count > 1):
        raise UserError(f"videos of the same name: {', '.join(twice)}")
    checkpoint = load(settings.checkpoint, settings.sha256)
    detect = Detector(checkpoint.net, settings.decoder, device)

    def poses(video: Video) -> tuple[Mapping[str, NDArray[Any]], tuple[int, float]]:
        # So that neither other shards nor a killed job's second start make other poses.
        detect.forget()
        # On a CPU the other cores have jobs of their own.
        found = video_poses(file(video), detect, settings, threaded=device != "cpu")
        if not found.detection_rate:
            log.warning("%s", nobody(video.path, len(found.frame)))
        arrays = {video.name: found.poses, f"{video.name}/frame": found.frame, f"{video.name}/size": found.size}
        return arrays, (len(found.frame), found.detection_rate)

    def nobody(path: Path, frames: int) -> str:
        return f"{path}: nobody was found in any of {frames} frames"

    def summary(notes: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "detection_rate": {video: rate for video, (_, rate) in notes.items()},
            "warnings": [nobody(v.path, notes[v.name][0]) for v in videos if not notes[v.name][1]],
        }

    made = {"checkpoint": checkpoint.name, "sha256": checkpoint.sha256}
    notes = extract_videos(name, videos, poses, output, [dict(identity), made], {**about, **made}, summary)
    total = sum(frames for frames, _ in notes.values())
    return {
        "videos": len(videos),
        "frames": total,
        "detection_rate": sum(frames * rate for frames, rate in notes.values()) / max(total, 1),
        "warnings": summary(notes)["warnings"],
    }
