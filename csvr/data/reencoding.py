"""Re-encoding, for data sets whose own files hold hardly any I-frames.

UCF101's own files have about one key frame a video. CoViAR and, after it, CMD therefore re-encode them to MPEG-4 Part 2
with a group of pictures of 12 frames and no B-frames (`ffmpeg -c:v mpeg4 -q:v 1 -f rawvideo`), and read everything from
these. So does csvr: frames, I-frames and poses are those of the re-encoded video, which has the same number of frames.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from csvr.data import shards
from csvr.data.video import frames, rate, to_rgb, upright_size
from csvr.errors import UserError

CODECS: Final = ("mpeg4", "libx264")


@dataclass(frozen=True)
class Settings:
    """The parameters `dataset.iframes.reencode`.

    Attributes:
        codec: One of `CODECS`.
        gop: Frames from one I-frame to the next, exactly.
        quality: Quantiser of mpeg4 (1, the best, to 31), constant rate factor of libx264 (0 to 51).
        short_side: Shorter side in pixels, None to keep the size; odd sides become even in any case.
    """

    codec: str
    gop: int
    quality: int
    short_side: int | None

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Settings:
        """Checked parameters.

        Raises:
            UserError: One is missing, unknown or out of range.
        """
        if wrong := sorted({"codec", "gop", "quality", "short_side"} ^ set(params)):
            raise UserError(f"dataset.iframes.reencode: missing or unknown: {', '.join(wrong)}")
        settings = cls(**params)
        if settings.codec not in CODECS:
            raise UserError(f"dataset.iframes.reencode.codec = {settings.codec}: one of {', '.join(CODECS)}")
        if settings.gop < 1:
            raise UserError(f"dataset.iframes.reencode.gop = {settings.gop}: at least 1")
        return settings


def reencode(path: Path, settings: Settings) -> NDArray[np.uint8]:
    """A video with an I-frame every `settings.gop` frames, as the bytes of an MP4 file; the same ones every time.

    Its index lists every frame, so that I-frames are read alone (`csvr.data.iframes`).

    Raises:
        UserError: As `video.frames`.
    """
    target, reformatter, fps = io.BytesIO(), VideoReformatter(), rate(path)
    with av.open(target, "w", format="mp4", options={"fflags": "+bitexact"}) as container:
        stream: Any = None
        for number, frame in enumerate(frames(path)):
            if stream is None:
                stream = container.add_stream(settings.codec, rate=fps)
                stream.width, stream.height = _size(*upright_size(frame), settings.short_side)
                stream.pix_fmt = "yuv420p"
                stream.codec_context.gop_size, stream.codec_context.max_b_frames = settings.gop, 0
                stream.codec_context.thread_count = 1  # so that bytes don't depend on the machine
                stream.codec_context.options = _options(settings)
            if frame.rotation:
                upright = np.ascontiguousarray(to_rgb(frame, stream.width, stream.height))
                frame = av.VideoFrame.from_ndarray(upright, format="rgb24")
            image = reformatter.reformat(frame, stream.width, stream.height, "yuv420p", interpolation="AREA", threads=1)
            if image is frame:  # nothing to convert
                image = av.VideoFrame.from_ndarray(frame.to_ndarray(), format="yuv420p")
            # Else the encoder would take over where the original has its I-frames.
            image.pict_type = 0
            image.pts, image.time_base = number, 1 / fps
            container.mux(stream.encode(image))
        container.mux(stream.encode())
    return np.frombuffer(target.getvalue(), np.uint8)


@contextmanager
def opened(path: Path, index_sha256: str) -> Iterator[tuple[Reencoded, dict[str, Any]]]:
    """The re-encoded videos of a shard that `python -m csvr.reencode` wrote, and the parameters they were made with.

    Raises:
        UserError: It can't be read or was made from another index.
    """
    header = shards.header(path)
    if header.get("index_sha256") != index_sha256:
        raise UserError(
            f"{path}: made from an index with sha256 {header.get('index_sha256')}, but that of the data set is "
            f"{index_sha256} now; run snakemake --cores 8 {path} --forcerun reencode"
        )
    with tempfile.TemporaryDirectory(prefix="csvr-") as folder:
        yield Reencoded(path, Path(folder)), dict(header["params"])


class Reencoded:
    """Files of re-encoded videos, one at a time."""

    def __init__(self, shard: Path, folder: Path) -> None:
        self._shard, self._store, self._folder = shard, shards.Shards([shard]), folder

    def file(self, video: str) -> Path:
        """A file that lasts until the next one is asked for.

        Raises:
            UserError: The shard has no such video.
        """
        if video not in self._store:
            raise UserError(f"{self._shard}: has no video {video}; {shards.remedy(self._shard)}")
        path = self._folder / "video.mp4"
        path.write_bytes(self._store[video].tobytes())
        return path


def _size(width: int, height: int, short_side: int | None) -> tuple[int, int]:
    scale = short_side / min(width, height) if short_side else 1.0
    even = (max(2, 2 * round(side * scale / 2)) for side in (width, height))
    return next(even), next(even)


def _options(settings: Settings) -> dict[str, str]:
    # No I-frame where the picture changes: they are to be as far apart as asked for.
    if settings.codec == "mpeg4":
        quantiser = str(settings.quality)
        return {"flags": "+bitexact", "qmin": quantiser, "qmax": quantiser, "sc_threshold": "1000000000"}
    return {"crf": str(settings.quality), "sc_threshold": "0", "keyint_min": str(settings.gop), "preset": "medium"}
