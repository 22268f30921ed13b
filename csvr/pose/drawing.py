"""A video with the poses found in it drawn on it, and its I-frames marked: to look at before hours are spent."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from csvr.data.video import frames, is_iframe, rate, to_rgb, upright_size
from csvr.files import part_of
from csvr.pose.detector import Detector, load
from csvr.pose.extract import Settings, VideoPoses, video_poses
from csvr.pose.skeleton import KEYPOINTS, LIMBS

Image = NDArray[np.uint8]
# Okabe and Ito's colours, apart for colour-blind viewers: left, right, and what is neither.
LEFT, RIGHT, MIDDLE, MARK = (0, 114, 178), (213, 94, 0), (0, 158, 115), (240, 228, 66)
SMALLEST: Final = 360  # pixels of the shorter side that lines and letters are readable at


def show(video: Path, settings: Settings, output: Path, device: str = "cpu") -> VideoPoses:
    """Find the poses of a video and write it with them.

    Args:
        video: File.
        settings: Parameters of the extraction.
        output: MP4 file (H.264), written atomically.
        device: Where the network runs.

    Raises:
        UserError: The video can't be decoded, or the checkpoint is refused.
    """
    checkpoint = load(settings.checkpoint, settings.sha256)
    found = video_poses(video, Detector(checkpoint.net, settings.decoder, device), settings)
    write(output, drawn(video, found), rate(video))
    return found


def drawn(video: Path, found: VideoPoses) -> Iterator[Image]:
    """All frames of a video, RGB, with the last pose found and, on I-frames, a frame around them."""
    pose = np.zeros((17, 3), np.float32)
    poses = dict(zip(found.frame.tolist(), found.poses, strict=True))
    for number, frame in enumerate(frames(video)):
        size = upright_size(frame)
        scale = max(1.0, SMALLEST / min(size))
        # Even sides, as H.264 wants.
        width, height = (2 * round(side * scale / 2) for side in size)
        image = np.ascontiguousarray(to_rgb(frame, width, height))
        pose = poses.get(number, pose)
        at = pose * (width / size[0], height / size[1], 1)
        skeleton(image, at)
        people = f"{int((pose[:, 2] > 0).sum())} joints" if pose[:, 2].any() else "nobody found"
        label(image, f"frame {number}, {people}", (8, height - 10))
        if is_iframe(frame):
            cv2.rectangle(image, (0, 0), (width - 1, height - 1), MARK, max(6, height // 60))
            label(image, "I-frame", (12, 30), MARK)
        yield image


def skeleton(image: Image, pose: NDArray[Any]) -> None:
    """Draw one pose into an image: (17, 3), x, y in pixels and confidence; what has none is left out."""
    thick = max(2, image.shape[0] // 180)
    for one, other in LIMBS:
        a, b = KEYPOINTS.index(one), KEYPOINTS.index(other)
        if pose[a, 2] > 0 and pose[b, 2] > 0:
            sides = {name.split("_")[0] for name in (one, other)}
            colour = LEFT if sides == {"left"} else RIGHT if sides == {"right"} else MIDDLE
            cv2.line(image, _pixel(pose[a]), _pixel(pose[b]), colour, thick, cv2.LINE_AA)
    for joint in pose[pose[:, 2] > 0]:
        cv2.circle(image, _pixel(joint), thick + 1, (255, 255, 255), -1, cv2.LINE_AA)


def label(image: Image, text: str, at: tuple[int, int], colour: tuple[int, int, int] = (255, 255, 255)) -> None:
    """Write text that is readable on any ground."""
    size = max(0.5, image.shape[0] / 900)
    for ink, thick in (((0, 0, 0), 4), (colour, 1)):
        cv2.putText(image, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, ink, thick, cv2.LINE_AA)


def write(path: Path, images: Iterator[Image], fps: Fraction) -> None:
    """Write RGB images as H.264 in MP4, which browsers play; atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = part_of(path)
    try:
        with av.open(str(part), "w", format="mp4", options={"movflags": "+faststart"}) as container:
            stream: Any = container.add_stream("libx264", rate=fps, options={"crf": "20", "preset": "veryfast"})
            stream.pix_fmt = "yuv420p"
            for number, image in enumerate(images):
                if number == 0:
                    stream.height, stream.width = image.shape[:2]
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            container.mux(stream.encode())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _pixel(point: NDArray[Any]) -> tuple[int, int]:
    return round(float(point[0])), round(float(point[1]))
