"""I-frames: the pictures of a compressed video that are coded without reference to others.

An I-frame here is a frame whose picture type is I; in codecs without picture types, a key frame; where there is none at
all, the first frame. A key frame (random access point) is always one; with H.264's open GOPs some I-frames are no key
frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from csvr.data import video
from csvr.data.video import is_iframe, opened, resized

# What the decoder may skip so that exactly the I pictures remain. Measured on real files: decoders of the
# first group honour "NONINTRA"; those of the second ignore it (only B pictures go), but their key frames are
# their I pictures. Any other codec is decoded in full.
_SKIP = dict.fromkeys(("h264", "hevc", "av1", "libdav1d"), "NONINTRA") | dict.fromkeys(
    ("mpeg4", "mpeg1video", "mpeg2video", "msmpeg4v3", "msmpeg4v2", "h263", "flv1", "vp8"), "NONKEY"
)


@dataclass(frozen=True)
class IFrames:
    """The I-frames of one video, in display order.

    Attributes:
        images: RGB, upright, uint8, shape (n, h, w, 3).
        index: Position of each among all frames of the video, int32, shape (n,).
        time: Presentation time in seconds, float64, shape (n,).
    """

    images: NDArray[np.uint8]
    index: NDArray[np.int32]
    time: NDArray[np.float64]


class _Picture(NamedTuple):
    """What is kept of a decoded frame: its time by the file's clock and in seconds, and its scaled image."""

    pts: int | None
    time: float | None
    image: video.Frames


_Scale = Callable[[av.VideoFrame], _Picture]


def read_iframes(
    path: Path,
    short_side: int,
    aspect: float | None = None,
    frames: int | None = None,
    key_frames: int | None = None,
) -> IFrames:
    """The I-frames of `path`.

    Args:
        path: Video file.
        short_side: Pixels of the stored images' shorter side.
        aspect: Width by height to which they are stretched; None keeps the video's.
        frames: How many frames the video has by its index, so that it is known to decode without an error. Then the
            I-frames alone are decoded, where the codec allows it; without it, all frames are, and damage is found.
        key_frames: How many of them are key frames by its index. Then these alone are read, where the container has an
            index that tells which they are.

    Raises:
        UserError: As `video.frames`.
    """

    def scaled(frame: av.VideoFrame) -> _Picture:
        """As soon as it is decoded: the caches still have it, and memory need not hold all at full size."""
        return _Picture(frame.pts, frame.time, resized(frame, short_side, aspect))

    fast = _fast(path, frames, key_frames, scaled) if frames else None
    found = sorted(fast or _complete(path, scaled), key=lambda item: item[0])
    if not found:
        found = [(0, scaled(next(video.frames(path))))]
    return IFrames(
        images=np.stack([picture.image for _, picture in found]),
        index=np.array([index for index, _ in found], np.int32),
        time=np.array([np.nan if picture.time is None else picture.time for _, picture in found], np.float64),
    )


def _complete(path: Path, scaled: _Scale) -> Iterator[tuple[int, _Picture]]:
    """Index and picture of each I-frame, by a full decode."""
    return ((index, scaled(frame)) for index, frame in enumerate(video.frames(path)) if is_iframe(frame))


def _fast(path: Path, frames: int, key_frames: int | None, scaled: _Scale) -> list[tuple[int, _Picture]] | None:
    """The same, decoding I pictures alone; None where that would not be certain to be the same."""
    with opened(path) as (container, stream):
        skip = _SKIP.get(stream.codec_context.name)
        if skip is None:
            return None
        if places := _places(stream, frames, key_frames):
            return _key_frames(container, stream, places, scaled)
        stream.codec_context.skip_frame = skip  # type: ignore[assignment]
        return _of_all_packets(container, stream, frames, scaled)


def _places(stream: VideoStream, frames: int, key_frames: int | None) -> dict[int, int]:
    """Time of storage of each I picture by its position, from the container's index; empty where it can't be certain.

    In MPEG-4 Part 2 key frames are the I pictures, and these are all when they are as many as the whole video has.
    Entries are in the order of storage, in which a decoder shows pictures unless it is to expect B pictures. Where it
    learns of these on the way, it shows one picture twice: then entries are not as many as the `frames`.
    """
    context, entries = stream.codec_context, stream.index_entries
    if context.name != "mpeg4" or context.has_b_frames or len(entries) != frames:
        return {}
    places = {position: entry.timestamp for position, entry in enumerate(entries) if entry.is_keyframe}
    return places if len(places) == key_frames else {}


def _key_frames(
    container: InputContainer, stream: VideoStream, places: Mapping[int, int], scaled: _Scale
) -> list[tuple[int, _Picture]] | None:
    """Read what lies at some places alone; None unless each is one I picture."""
    found: list[tuple[int, _Picture]] = []
    for position, time in places.items():
        try:
            container.seek(time, stream=stream)
            packet = next(container.demux(stream))
            decoded = stream.decode(packet)
        except av.FFmpegError:  # in its order the file can be read
            return None
        if packet.dts != time or len(decoded) != 1 or not is_iframe(decoded[0]):
            return None
        found.append((position, scaled(decoded[0])))
    return found


def _of_all_packets(
    container: InputContainer, stream: VideoStream, frames: int, scaled: _Scale
) -> list[tuple[int, _Picture]] | None:
    """Read everything, and give the decoder what it does not skip.

    The position of a frame follows from the presentation times of all packets; it is not certain when a packet has
    none, when not every packet is one of the `frames`, or when the stream does not start with a key frame (a decoder
    then drops what it can't reconstruct).
    """
    times: list[int | None] = []
    found: list[_Picture] = []
    for packet in container.demux(stream):
        if packet.size and not packet.is_discard:
            if not times and not packet.is_keyframe:
                return None
            times.append(packet.pts)
        found += (scaled(frame) for frame in stream.decode(packet) if is_iframe(frame))
    position = {pts: index for index, pts in enumerate(sorted({pts for pts in times if pts is not None}))}
    if not len(times) == len(position) == frames or any(picture.pts not in position for picture in found):
        return None
    return [(position[picture.pts], picture) for picture in found if picture.pts is not None]
