"""Videos to measure on: real ones where they lie beside the repository, and codings of them as data sets have them."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from csvr.data import mannequin, video
from tests.bench.figures import Bench

UCF101, KINETICS = (320, 240), (340, 256)
"""Width and height of most of their videos (Kinetics: of its usual copy, 256 pixels high)."""
FPS = 25


@cache
def images(real: Path, count: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Frames of a real clip, or drawn ones where that is not there: RGB, uint8, shape (count, h, w, 3)."""
    if (clip := real / "cleaning_pool.mp4").exists():
        found = [f.to_ndarray(format="rgb24") for f in video.frames(clip)]
    else:
        found = list(mannequin.render(mannequin.Clip("AtCity", 1, 1, True), 1, min(count, 300), 256)[0])
    # Forth and back, so that there is no cut where it begins again.
    forth_and_back = [*found, *found[-2:0:-1]]
    return np.stack(
        [cv2.resize(forth_and_back[k % len(forth_and_back)], size, interpolation=cv2.INTER_AREA) for k in range(count)]
    )


def encoded(
    bench: Bench, name: str, codec: str, gop: int, size: tuple[int, int], count: int, b_frames: int = 0,
    options: dict[str, str] | None = None,
) -> Path:  # fmt: skip
    """A video of `count` frames in the scratch folder, made once.

    Args:
        bench: Says where that is, and where the real clips are.
        name: File; the suffix names the container.
        codec: FFmpeg's name of the encoder.
        gop: Longest distance between I-frames.
        size: Width and height.
        count: Frames.
        b_frames: Most B-frames between two reference frames.
        options: Of the encoder.
    """
    path = bench.scratch / "videos" / name
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"part_{name}")
    with av.open(str(part), "w") as container:
        stream = container.add_stream(codec, rate=FPS)
        stream.width, stream.height, stream.pix_fmt, stream.time_base = *size, "yuv420p", Fraction(1, FPS)
        stream.gop_size, stream.max_b_frames, stream.options = gop, b_frames, options or {}
        for image in images(bench.real, count, size):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    part.rename(path)
    return path


def drawn(folder: Path, count: int, frames: int = 40, size: int = 128) -> list[Path]:
    """Videos of the embedded data set, as it is made by default; made once."""
    paths = []
    classes = list(mannequin.ACTIONS)
    for k in range(count):
        path = folder / f"v_{classes[k % len(classes)]}_g{k // len(classes) + 1:02d}_c01.avi"
        if not path.exists():
            clip = mannequin.Clip(classes[k % len(classes)], k // len(classes) + 1, 1, True)
            video.encode(path, mannequin.render(clip, 2617, frames, size)[0], 15, 12, 2, 10)
        paths.append(path)
    return paths
