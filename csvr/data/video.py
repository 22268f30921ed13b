"""Reading and writing video files with PyAV."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from av.video.frame import PictureType
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from csvr.errors import UserError

Frames = NDArray[np.uint8]
_reformatter = VideoReformatter()  # one for all frames: setting up a conversion takes longer than converting


def encode(path: Path, frames: Frames, fps: int, gop: int, b_frames: int = 2, quality: int = 8) -> None:
    """Write `frames` as MPEG-4 Part 2 (the codec of UCF101) in the container that the suffix names.

    The same frames give the same bytes: one thread, no encoder version or date in the file.

    Args:
        path: Written atomically.
        frames: RGB, uint8, shape (T, H, W, 3), even H and W.
        fps: Frames a second.
        gop: Longest distance between I-frames, in frames.
        b_frames: Most B-frames between two reference frames.
        quality: Quantiser, 1 (best) to 31.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        with av.open(str(part), "w", options={"fflags": "+bitexact"}) as container:
            stream = container.add_stream("mpeg4", rate=fps)
            stream.height, stream.width = frames.shape[1:3]
            stream.pix_fmt = "yuv420p"
            context = stream.codec_context
            context.gop_size, context.max_b_frames, context.thread_count = gop, b_frames, 1
            context.options = {"flags": "+bitexact", "qmin": str(quality), "qmax": str(quality)}
            for image in frames:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            container.mux(stream.encode())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def frames(path: Path) -> Iterator[av.VideoFrame]:
    """All frames of the first video stream, in display order.

    Raises:
        UserError: The file can't be opened, has no video stream, or breaks off in the middle.
    """
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise UserError(f"{path}: no video stream")
            container.streams.video[0].thread_count = 1  # processes, not threads, make this parallel
            yield from container.decode(video=0)
    except (av.FFmpegError, OSError) as error:
        raise UserError(f"{path}: can't be decoded ({error})") from error


def picture_type(frame: av.VideoFrame) -> str:
    """ "I", "P", "B" …: how the picture is coded."""
    return PictureType(frame.pict_type).name


def to_rgb(frame: av.VideoFrame, width: int, height: int) -> Frames:
    """The frame as RGB, scaled by averaging over areas: uint8, shape (height, width, 3)."""
    rgb = _reformatter.reformat(frame, width, height, "rgb24", interpolation="AREA")
    return np.asarray(rgb.to_ndarray(), dtype=np.uint8)


def resized(frame: av.VideoFrame, short_side: int, aspect: float | None = None) -> Frames:
    """The frame as RGB with its shorter side scaled to `short_side` pixels, uint8, shape (h, w, 3).

    Args:
        frame: Of any size.
        short_side: Pixels.
        aspect: Width by height to which the frame is stretched; None keeps its own.
    """
    sides = (aspect, 1.0) if aspect else (frame.width, frame.height)
    width, height = (max(short_side, round(side * short_side / min(sides))) for side in sides)
    return to_rgb(frame, width, height)
