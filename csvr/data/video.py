"""Reading and writing video files with PyAV."""

from __future__ import annotations

import errno
import os
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import PictureType
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from csvr.errors import UserError
from csvr.files import part_of, writing

Frames = NDArray[np.uint8]
CONTAINERS: Final = (
    "avi", "mov", "matroska", "mpeg", "mpegts", "mpegvideo", "asf", "flv", "ogg", "m4v", "h264", "hevc", "ivf", "dv",
    "mxf",
)  # fmt: skip
"""FFmpeg's names of the file formats that are opened, whatever the suffix."""
MIN_SIDE: Final = 16
"""Pixels of the smallest picture's shorter side."""
MAX_ASPECT: Final = 8
"""Longest picture's longer side, in shorter ones: scaled to a given short side, such pictures would fill the memory."""
ENOUGH: Final = 1 << 30
"""Bytes: where as many are free, there is memory for any picture and what belongs to it."""
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
    part = part_of(path)
    try:
        with writing(path), av.open(str(part), "w", options={"fflags": "+bitexact"}) as container:
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
    """All frames of a video, in display order: the one way in which any part of csvr decodes a whole video.

    So all agree on how many frames there are, and which files are refused. Of several video streams it is the first
    that is no cover picture. Frames have the times that they have: nothing is dropped or doubled for a constant rate.

    Raises:
        UserError: No such file, or one that is no video; a frame is damaged, even if the decoder can conceal it; more
            than a tenth of the announced time is missing at the end; pictures are tiny, very long, or change their
            size. The message is one line that starts with the path.
    """
    ends: dict[int, int] = {}  # of the last packet of each stream, in its own unit
    size, count, pixels = (0, 0), 0, None
    with opened(path) as (container, stream):
        for packet in container.demux():
            time = packet.dts if packet.pts is None else packet.pts
            if time is not None and packet.size:
                after = time + (packet.duration or 0)
                ends[packet.stream.index] = max(after, ends.get(packet.stream.index, after))
            if packet.stream.index != stream.index:  # packet.stream_index is wrong for the last, empty ones
                continue
            try:
                decoded = stream.decode(packet)
            except av.EOFError:
                continue  # a decoder that is asked for more than it has
            except MemoryError:
                raise
            except av.FFmpegError as error:
                raise UserError(f"{path}: unreadable (damaged after {count} frames: {_reason(error)})") from error
            for frame in decoded:
                if frame.is_corrupt or packet.is_corrupt:
                    raise UserError(f"{path}: unreadable (damaged: frame {count} is not whole)")
                if (shown := upright_size(frame)) != size:
                    _check_size(path, shown, size, count)
                    size = shown
                if (now := (frame.format.name, frame.colorspace, frame.color_range)) != pixels:
                    pixels = now
                    _require_colours(path, frame)
                yield frame
                count += 1
        announced = _announced(container, stream)
        units = {s.index: float(s.time_base) for s in container.streams if s.time_base}
    if not count:
        raise UserError(f"{path}: unreadable (no frame could be decoded)")
    seconds = max((end * units.get(index, 0.0) for index, end in ends.items()), default=0.0)
    if seconds < 0.9 * announced:
        raise UserError(
            f"{path}: unreadable (breaks off: {count} frames, {seconds:.2f} of the announced {announced:.2f} seconds)"
        )


def _require_colours(path: Path, frame: av.VideoFrame) -> None:
    """Damaged headers have colours that nothing converts. What else goes wrong, who converts the frame will tell."""
    try:
        to_rgb(frame, MIN_SIDE, MIN_SIDE)
    except OSError as error:
        if error.errno == errno.EOPNOTSUPP:
            raise UserError(f"{path}: unreadable ({_reason(error)})") from error


def _check_size(path: Path, size: tuple[int, int], last: tuple[int, int], count: int) -> None:
    """Of the first frame (`count` 0), or of one that is not as large as the `last`."""
    text, before = (f"{width} × {height}" for width, height in (size, last))
    if count:
        raise UserError(f"{path}: unreadable (its size changes from {before} to {text} at frame {count})")
    if min(size) < MIN_SIDE or max(size) > MAX_ASPECT * min(size):
        raise UserError(
            f"{path}: unreadable ({text} pixels: each side needs {MIN_SIDE}, and at most {MAX_ASPECT} times the other)"
        )


def rate(path: Path) -> Fraction:
    """Frames a second as the file says, fit for an encoder's clock; 25 if it says nothing.

    Raises:
        UserError: As `opened`.
    """
    with opened(path) as (_, stream):
        found = stream.average_rate
    # MPEG-4 knows no finer clock than 1/65535 s.
    return Fraction(found).limit_denominator(1001) if found else Fraction(25)


@contextmanager
def opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """An open file and its first video stream that is no cover picture, which decodes with one thread.

    Raises:
        UserError: No such file, or one that is no video, or can't be read; also from inside the `with` block.
    """
    _require_file(path)
    # "file:": a colon in a name is no protocol. The lists: a text file must not make FFmpeg open other files or hosts.
    options = {"format_whitelist": ",".join(CONTAINERS), "protocol_whitelist": "file"}
    try:
        # "replace": titles and the like are in any encoding, and of no matter.
        container = av.open(f"file:{path}", options=options, metadata_errors="replace")
    except (av.error.InvalidDataError, av.error.ArgumentError) as error:
        reason = "no video, or one whose header or index is missing or damaged"
        raise UserError(f"{path}: unreadable ({reason})") from error
    except MemoryError as error:
        raise _of_memory(path, error) from error
    except (av.FFmpegError, OSError) as error:
        raise UserError(f"{path}: unreadable ({_reason(error)})") from error
    with container:
        stream = next((s for s in container.streams.video if not s.disposition & Disposition.attached_pic), None)
        if stream is None:
            raise UserError(f"{path}: unreadable (no video stream)")
        stream.thread_count = 1  # processes, not threads, make this parallel
        try:
            yield container, stream
        except MemoryError as error:
            raise _of_memory(path, error) from error
        except (av.FFmpegError, OSError) as error:
            raise UserError(f"{path}: unreadable ({_reason(error)})") from error


def _of_memory(path: Path, error: MemoryError) -> Exception:
    """The error itself where memory is limited or short: nothing is wrong with the video. Else what is wrong with it.

    FFmpeg says the same of a damaged header with an absurd size.
    """
    limited = resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY
    if limited or os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") < ENOUGH:
        return error
    return UserError(f"{path}: unreadable (damaged: it asks for more memory than a video can need)")


def _require_file(path: Path) -> None:
    """Raise a UserError unless `path` is a file with something in it; pipes are never opened, as that may not end."""
    if printable(path) != str(path):
        raise UserError(f"{printable(path)}: unreadable (its name is not UTF-8; rename it)")
    try:
        mode = path.stat()
    except FileNotFoundError as error:
        reason = f"missing (a link to {os.readlink(path)}, which is not there)" if path.is_symlink() else "missing"
        raise UserError(f"{path}: {reason}") from error
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: unreadable ({_reason(error)})") from error
    if not stat.S_ISREG(mode.st_mode):
        kind = "folder" if stat.S_ISDIR(mode.st_mode) else "pipe or device"
        raise UserError(f"{path}: unreadable (a {kind}, not a file)")
    if not mode.st_size:
        raise UserError(f"{path}: unreadable (0 bytes)")


def printable(path: Path | str) -> str:
    """A path as text that can be written anywhere: bytes that are not UTF-8 appear as \\x…"""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _announced(container: InputContainer, stream: VideoStream) -> float:
    """Seconds that the file is to have by its own header; 0 where that is not known."""
    if container.format.name == "avi":  # without its index, FFmpeg estimates the duration
        return float(stream.frames / stream.average_rate) if stream.average_rate else 0.0
    return (container.duration or 0) / 1e6


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def is_iframe(frame: av.VideoFrame) -> bool:
    """Whether the picture type is I; codecs that have no types count by key frames."""
    return bool(frame.pict_type == PictureType.I or (frame.pict_type == PictureType.NONE and frame.key_frame))


def upright_size(frame: av.VideoFrame) -> tuple[int, int]:
    """Width and height of the frame as it is to be shown."""
    return (frame.height, frame.width) if _quarter_turns(frame) % 2 else (frame.width, frame.height)


def _quarter_turns(frame: av.VideoFrame) -> int:
    """By how many right angles the file says that the frame must be turned, counter-clockwise."""
    return round(frame.rotation / 90)


def to_rgb(frame: av.VideoFrame, width: int, height: int) -> Frames:
    """The frame upright, as RGB, scaled by averaging over areas: uint8, shape (height, width, 3)."""
    turns = _quarter_turns(frame)
    if turns % 2:
        width, height = height, width
    # Otherwise as many threads as there are cores, which cost more than they give: processes make this parallel.
    rgb = _reformatter.reformat(frame, width, height, "rgb24", interpolation="AREA", threads=1)
    return np.rot90(np.asarray(rgb.to_ndarray(), dtype=np.uint8), turns)


def resized(frame: av.VideoFrame, short_side: int, aspect: float | None = None) -> Frames:
    """The frame upright, as RGB, with its shorter side scaled to `short_side` pixels, uint8, shape (h, w, 3).

    Args:
        frame: Of any size.
        short_side: Pixels.
        aspect: Width by height to which the frame is stretched; None keeps its own.
    """
    sides = (aspect, 1.0) if aspect else upright_size(frame)
    width, height = (max(short_side, round(side * short_side / min(sides))) for side in sides)
    return to_rgb(frame, width, height)
