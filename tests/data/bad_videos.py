"""Kinds of broken and odd video files, and what makes them."""

import os
import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

FRAMES, HEIGHT, WIDTH = 24, 48, 64
Make = Callable[[Path], Path]
"""Writes a file into a folder and gives its path."""


def moving(frames: int = FRAMES, height: int = HEIGHT, width: int = WIDTH, channels: int = 3) -> np.ndarray:
    """Smooth colours that move, so that any codec keeps them."""
    y, x = np.mgrid[:height, :width]
    images = [
        np.stack([100 + 80 * np.sin(x / 9 + k / 4), 110 + 80 * np.sin(y / 8 + k / 5), 90 + x, 0 * x + 128], -1)
        for k in range(frames)
    ]
    return np.stack(images)[..., :channels].clip(0, 255).astype(np.uint8)


def write(
    path: Path, images: np.ndarray | None = None, codec: str = "mpeg4", pix_fmt: str = "yuv420p", gop: int = 6,
    b_frames: int = 0, times: list[int] | None = None, options: dict[str, str] | None = None,
    container: str | None = None, muxer: dict[str, str] | None = None,
) -> Path:  # fmt: skip
    """A video of 12 frames a second by any codec of FFmpeg's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    images = moving() if images is None else images
    with av.open(str(path), "w", format=container, options=muxer or {}) as file:
        stream = file.add_stream(codec, rate=12)
        stream.height, stream.width, stream.pix_fmt = *images.shape[1:3], pix_fmt
        context = stream.codec_context
        context.gop_size, context.max_b_frames, context.thread_count = gop, b_frames, 1
        # With many bits a packet, so that damage in it is likely to be noticed.
        context.options = {"libx264": {"preset": "ultrafast", "crf": "12"}, "mpeg4": {"qmin": "2", "qmax": "2"}}.get(
            codec, {}
        )
        context.options |= options or {}
        for k, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="rgba" if image.shape[-1] == 4 else "rgb24")
            if times:
                frame.pts, frame.time_base = times[k], Fraction(1, 12)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path


def h264(path: Path, **options: object) -> Path:
    return write(path, codec="libx264", **options)  # type: ignore[arg-type]


def packets(path: Path) -> list[tuple[int, int]]:
    """Position and size of each packet, in bytes."""
    with av.open(str(path)) as file:
        return [(packet.pos, packet.size) for packet in file.demux(video=0) if packet.size]


def cut(path: Path, inside: bool) -> Path:
    """Leave the first half of the packets, with or without half a packet more."""
    position, size = packets(path)[FRAMES // 2]
    path.write_bytes(path.read_bytes()[: position + (size // 2 if inside else 0)])
    return path


def damaged(path: Path, packet: int) -> Path:
    """Other bytes in the middle of a packet."""
    position, size = packets(path)[packet]
    content = bytearray(path.read_bytes())
    begin, length = position + size // 3, size // 3
    content[begin : begin + length] = np.random.default_rng(0).bytes(length)
    path.write_bytes(content)
    return path


def remuxed(source: Path, path: Path, edit: Callable[[int, av.Packet], bool]) -> Path:
    """The packets that `edit` wants to keep; it may change their times."""
    with av.open(str(source)) as old, av.open(str(path), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for k, packet in enumerate(p for p in old.demux(video=0) if p.size):
            if edit(k, packet):
                packet.stream = stream
                new.mux(packet)
    source.unlink()
    return path


def content(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def picture(suffix: str) -> bytes:
    return cv2.imencode(suffix, moving(1)[0])[1].tobytes()


def several(path: Path, *streams: str) -> Path:
    """A file of these streams: "sound", "cover", "video", or "large", a video of twice the size."""
    with av.open(str(path), "w") as file:
        found = []
        for kind in streams:
            codec, rate = {"sound": ("aac", 8000), "cover": ("png", 1)}.get(kind, ("mpeg4", 12))
            stream = file.add_stream(codec, rate=rate)
            if kind != "sound":
                factor = 2 if kind == "large" else 1
                stream.height, stream.width = factor * HEIGHT, factor * WIDTH
                stream.pix_fmt = "rgb24" if kind == "cover" else "yuv420p"
            if kind == "cover":
                stream.disposition = av.stream.Disposition.attached_pic
            found.append(stream)
        for kind, stream in zip(streams, found, strict=True):
            if kind == "sound":
                silence = np.zeros((1, 16000), np.float32)
                frames = [av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")]
                frames[0].sample_rate = 8000
            else:
                images = moving(1 if kind == "cover" else FRAMES, stream.height, stream.width)
                frames = [av.VideoFrame.from_ndarray(image, format="rgb24") for image in images]
            for frame in frames:
                file.mux(stream.encode(frame))
            file.mux(stream.encode())
    return path


def turned(path: Path) -> Path:
    """A display matrix that turns the picture clockwise by a right angle, as telephones write it."""
    data = bytearray(write(path).read_bytes())
    matrix = data.index(b"tkhd") + 4 + 40
    data[matrix : matrix + 36] = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, HEIGHT << 16, 0, 1 << 30)
    return content(path, bytes(data))


def changed_size(path: Path) -> Path:
    parts = [write(path, moving(8, *size), "libx264", container="h264").read_bytes() for size in ((48, 64), (64, 48))]
    return content(path, b"".join(parts))


def pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def link(path: Path, target: str) -> Path:
    path.symlink_to(target)
    return path


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def doubled(k: int, packet: av.Packet) -> bool:
    packet.pts = packet.dts = k // 2 * 83
    return True


IRREGULAR = [0, 1, 2, 5, 6, 7, 12, 13, 20, 21, 22, 30, 31, 32, 33, 34, 50, 51, 52, 53, 54, 55, 56, 57]

# What is refused: how to make it, and what is said about it (the path and a colon come before).
BROKEN: dict[str, tuple[Make, str]] = {
    "absent": (lambda d: d / "absent.avi", r"missing$"),
    "zero bytes": (lambda d: content(d / "zero.avi", b""), r"unreadable \(0 bytes\)"),
    "zeros": (lambda d: content(d / "zeros.avi", bytes(5000)), r"unreadable \(no video"),
    "text": (lambda d: content(d / "text.avi", b"no video at all\n" * 100), r"unreadable \(no video"),
    "web page": (lambda d: content(d / "page.mp4", b"<!DOCTYPE html><html>404</html>"), r"unreadable \(no video"),
    "playlist": (
        lambda d: content(d / "list.mp4", f"ffconcat version 1.0\nfile {write(d / 'x.avi').name}\n".encode()),
        r"unreadable \(no video",
    ),
    "picture": (lambda d: content(d / "picture.mp4", picture(".png")), r"unreadable \(no video"),
    "photograph": (lambda d: content(d / "photo.avi", picture(".jpg")), r"unreadable \(no video"),
    "sound only": (lambda d: several(d / "sound.mp4", "sound"), r"unreadable \(no video stream"),
    "sound and cover": (lambda d: several(d / "cover.mp4", "sound", "cover"), r"unreadable \(no video stream"),
    "no index (moov)": (lambda d: cut(h264(d / "moov.mp4"), True), r"no video, or one whose header or index"),
    "header only": (
        lambda d: content(d / "header.mkv", h264(d / "header.mkv").read_bytes()[:600]), r"unreadable \(no frame",
    ),
    "AVI header only": (lambda d: content(d / "header.avi", write(d / "header.avi").read_bytes()[:300]), "no video"),
    "AVI cut in a packet": (lambda d: cut(write(d / "in.avi"), True), r"unreadable \(damaged: frame 12"),
    "AVI cut between packets": (
        lambda d: cut(write(d / "between.avi"), False), r"breaks off: 12 frames, 1.00 of the announced 2.00 seconds",
    ),
    "MP4 cut in a packet": (
        lambda d: cut(h264(d / "in.mp4", muxer={"movflags": "faststart"}), True), r"unreadable \(damaged",
    ),
    "MP4 cut between packets": (
        lambda d: cut(h264(d / "between.mp4", muxer={"movflags": "faststart"}), False), r"breaks off: 12 frames",
    ),
    "MKV cut in a packet": (lambda d: cut(h264(d / "in.mkv"), True), r"breaks off: 12 frames"),
    "MKV cut between packets": (lambda d: cut(h264(d / "between.mkv"), False), r"breaks off: 12 frames"),
    "WebM cut between packets": (
        lambda d: cut(write(d / "between.webm", codec="libvpx-vp9"), False), r"breaks off: 12 frames",
    ),
    "MPEG-4 with a damaged packet": (lambda d: damaged(write(d / "damaged.avi"), 14), r"damaged: frame 14 is not"),
    "H.264 with a damaged packet": (lambda d: damaged(h264(d / "damaged.mp4"), 14), r"damaged: frame 14 is not"),
    "H.264 with a damaged key frame": (lambda d: damaged(h264(d / "key.mkv"), 12), r"damaged: frame 12 is not whole"),
    "changing size": (
        lambda d: changed_size(d / "changing.mpg"), r"its size changes from 64 × 48 to 48 × 64 at frame 8",
    ),
    "tiny picture": (lambda d: write(d / "tiny.avi", moving(4, 8, 8)), r"8 × 8 pixels: each side needs 16"),
    "ribbon": (lambda d: write(d / "ribbon.avi", moving(4, 16, 400)), r"400 × 16 pixels: .* at most 8 times"),
    "folder": (lambda d: folder(d / "folder.avi"), r"a folder, not a file"),
    "pipe": (lambda d: pipe(d / "pipe.avi"), r"a pipe or device, not a file"),
    "dangling link": (lambda d: link(d / "dangling.avi", "gone.avi"), r"missing \(a link to gone.avi"),
    "link to itself": (lambda d: link(d / "loop.avi", "loop.avi"), r"unreadable \(.*symbolic links\)"),
    "name not UTF-8": (lambda d: write(d / "x.avi").rename(d / os.fsdecode(b"caf\xe9.avi")), r"name is not UTF-8"),
}  # fmt: skip

# What is read: how to make it, and how many frames there are.
ODD: dict[str, tuple[Make, int]] = {
    "MP4 called .avi": (lambda d: h264(d / "x.mp4").rename(d / "mp4.avi"), FRAMES),
    "upper-case suffix": (lambda d: write(d / "x.avi").rename(d / "UPPER.AVI"), FRAMES),
    "blanks, #, &, brackets": (lambda d: write(d / "a [b] (c) #1 & d;e'f%20.avi"), FRAMES),
    "colon": (lambda d: write(d / "x.avi").rename(d / "http:x.avi"), FRAMES),
    "leading dash": (lambda d: write(d / "x.avi").rename(d / "-i.avi"), FRAMES),
    "letters of other scripts": (lambda d: write(d / "x.avi").rename(d / "Füße 舞.avi"), FRAMES),
    "link": (lambda d: link(d / "link.avi", str(write(d / "target.avi"))), FRAMES),
    "one frame": (lambda d: write(d / "one.avi", moving(1)), 1),
    "short": (lambda d: write(d / "short.avi", moving(3)), 3),
    "B-frames in AVI": (lambda d: write(d / "b.avi", b_frames=2), FRAMES),
    "H.264 in AVI": (lambda d: h264(d / "h264.avi", b_frames=2), FRAMES),
    "H.264 without container": (lambda d: h264(d / "raw.h264", b_frames=2).rename(d / "raw.mpg"), FRAMES),
    "open GOP": (lambda d: h264(d / "open.mkv", b_frames=3, options={"x264-params": "open-gop=1"}), FRAMES),
    "fragments": (
        lambda d: h264(d / "fragments.mp4", muxer={"movflags": "frag_keyframe+empty_moov"}), FRAMES,
    ),
    "VP8": (lambda d: write(d / "vp8.webm", codec="libvpx", options={"auto-alt-ref": "1"}), FRAMES),
    "VP9": (lambda d: write(d / "vp9.webm", codec="libvpx-vp9"), FRAMES),
    "MPEG-2": (lambda d: write(d / "mpeg2.mpg", codec="mpeg2video"), FRAMES),
    "FLV": (lambda d: h264(d / "flash.flv"), FRAMES),
    "WMV": (lambda d: write(d / "windows.wmv"), FRAMES),
    "no picture types": (lambda d: write(d / "rle.mov", moving(channels=4), "qtrle", "argb"), FRAMES),
    "one key frame": (lambda d: h264(d / "gop.mp4", gop=1000, options={"x264-params": "scenecut=0"}), FRAMES),
    "variable rate, AVI": (lambda d: write(d / "variable.avi", times=IRREGULAR), FRAMES),
    "variable rate, MP4": (lambda d: h264(d / "variable.mp4", times=IRREGULAR), FRAMES),
    "every time twice": (lambda d: remuxed(h264(d / "x.mkv"), d / "twice.mkv", doubled), FRAMES),
    "no times": (lambda d: write(d / "m2v.mpg", codec="mpeg2video", container="mpeg2video"), FRAMES),
    # What the decoder can't make without the frames before it never becomes a frame.
    "key frame missing at the start": (
        lambda d: remuxed(h264(d / "x.mkv"), d / "start.mp4", lambda k, _: k > 0), FRAMES - 6,
    ),
    "packet missing in the middle": (
        lambda d: remuxed(write(d / "x.mkv"), d / "lost.mkv", lambda k, _: k != 8), FRAMES - 1,
    ),
    "turned": (lambda d: turned(d / "turned.mp4"), FRAMES),
    "odd width and height": (lambda d: write(d / "odd.avi", moving(FRAMES, 47, 63)), FRAMES),
    "small picture": (lambda d: write(d / "small.avi", moving(FRAMES, 16, 16)), FRAMES),
    "10 bit": (lambda d: h264(d / "ten.mp4", pix_fmt="yuv420p10le"), FRAMES),
    "grey": (lambda d: write(d / "grey.mkv", codec="ffv1", pix_fmt="gray"), FRAMES),
    "alpha": (lambda d: write(d / "alpha.mkv", moving(channels=4), "ffv1", "yuva420p"), FRAMES),
    "interlaced MPEG-2": (
        lambda d: write(d / "fields.mpg", codec="mpeg2video", options={"flags": "+ildct+ilme"}), FRAMES,
    ),
    "interlaced H.264": (lambda d: h264(d / "fields.mkv", options={"x264-params": "tff=1"}), FRAMES),
    "two videos": (lambda d: several(d / "two.mkv", "video", "large"), FRAMES),
    "cover before the video": (lambda d: several(d / "cover.mp4", "cover", "video"), FRAMES),
    "longer sound": (lambda d: several(d / "sound.mkv", "sound", "video"), FRAMES),
}  # fmt: skip
