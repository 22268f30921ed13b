"""What csvr does with each kind of bad or odd input: it works, or one clear line says which file, what and why.

Every reader (index, clips, I-frames, poses) must come to the same: the same frames, or a refusal that names the file.
"""

import os
import re
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pandas as pd
import pytest

from csvr.data import clips, extraction, iframes, index, layouts, shards, video
from csvr.errors import UserError
from csvr.pose.extract import Settings, video_poses

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

POSES = Settings(checkpoint="", sha256=None, stride=1, long_edge=640, batch=5, continuity=0.05, decoder={})


def poses_see(path: Path) -> tuple[int, tuple[int, int], tuple[int, int]]:
    """Frames, picture size (width, height) and stored size of what the pose network is given."""
    shapes = []

    def nobody(images: np.ndarray) -> list[list[object]]:
        shapes.append((images.shape[2], images.shape[1]))
        return [[] for _ in images]

    found = video_poses(path, nobody, POSES)  # type: ignore[arg-type]
    assert len(set(shapes)) == 1
    width, height = found.size.tolist()
    return len(found.frame), shapes[0], (width, height)


READERS: dict[str, Callable[[Path], object]] = {
    "clips": lambda path: clips.read_video(path, 32),
    "I-frames": lambda path: iframes.read_iframes(path, 32),
    "poses": poses_see,
}


@pytest.mark.parametrize("kind", BROKEN)
def test_every_reader_refuses_a_broken_video_and_says_why(kind: str, tmp_path: Path) -> None:
    make, reason = BROKEN[kind]
    path = make(tmp_path)
    row = index.inspect(path)
    assert re.search(reason, row["problem"]) and "\n" not in row["problem"]
    assert row["frames"] == 0 and row["sha256"] == ""
    for name, read in READERS.items():
        with pytest.raises(UserError) as raised:
            read(path)
        assert str(raised.value) == f"{video.printable(path)}: {row['problem']}", name


@pytest.mark.parametrize("kind", ODD)
def test_all_readers_agree_on_an_odd_video(kind: str, tmp_path: Path) -> None:
    make, frames = ODD[kind]
    path = make(tmp_path)
    row = index.inspect(path)
    assert (row["problem"], row["frames"]) == ("", frames)
    side = min(row["width"], row["height"])
    images = clips.read_video(path, side)
    size = (row["width"], row["height"])
    assert (len(images), images.shape[2:0:-1]) == (frames, size)
    assert poses_see(path) == (frames, size, size)
    # I-frames are the I-frames of a full decode, the same pictures, with or without the frames between them.
    expected = [k for k, frame in enumerate(video.frames(path)) if video.is_iframe(frame)] or [0]
    for known in (None, frames):
        found = iframes.read_iframes(path, side, frames=known)
        assert found.index.tolist() == expected
        np.testing.assert_array_equal(found.images, images[expected])


def test_frames_alone_are_skipped_only_where_that_is_certain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "frames", lambda path: pytest.fail("decoded in full"))
    path = write(tmp_path / "plain.mkv", b_frames=2)
    assert iframes.read_iframes(path, 32, frames=FRAMES).index.tolist()[:2] == [0, 6]
    with pytest.raises(pytest.fail.Exception):
        iframes.read_iframes(path, 32, frames=FRAMES - 1)


@pytest.mark.parametrize("kind", ["10 bit", "grey", "alpha", "interlaced H.264", "odd width and height", "turned"])
def test_pictures_look_as_they_should(kind: str, tmp_path: Path) -> None:
    path = ODD[kind][0](tmp_path)
    expected = moving(FRAMES, 47, 63) if kind.startswith("odd") else moving()
    if kind == "grey":
        expected = np.stack([cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in expected])[..., None]
    if kind == "turned":
        expected = np.rot90(expected, -1, axes=(1, 2))
        shown = cv2.VideoCapture(str(path))  # another opinion on what is up
        assert shown.read()[1].shape[:2] == expected.shape[1:3] == (WIDTH, HEIGHT)
    images = clips.read_video(path, min(expected.shape[1:3]))
    assert np.abs(images.astype(int) - expected).mean() < 6


@dataclass
class Installation:
    """A data set in class folders: names of its good videos, and for each bad one what is said about it."""

    root: Path
    good: list[str]
    bad: dict[Path, str]


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """All broken kinds in one data set, and one that is too short."""
    root = tmp_path_factory.mktemp("installation")
    good, bad = [], {}
    for name in ("run", "sit"):
        for part in ("train", "test"):
            (root / part / name).mkdir(parents=True)
            write(root / part / name / f"good_{part}.avi", moving() // (1 + len(good)))
            good.append(f"{name}/good_{part}")
    for kind, (make, reason) in BROKEN.items():
        here = root / "train" / "run" / re.sub(r"\W", "_", kind)
        here.mkdir()
        bad[make(here)] = reason
        for extra in here.glob("x.avi"):  # what it was made from
            extra.unlink()
    bad[write(root / "train" / "sit" / "brief.avi", moving(3))] = r"too short: 3 of 8 frames|^3 frames"
    return Installation(root, sorted(good), bad)


def listed(installation: Installation) -> dict[Path, str]:
    """The bad videos that a look into the folders finds."""
    return {path: reason for path, reason in installation.bad.items() if path.name != "absent.avi"}


def test_all_bad_videos_of_a_data_set_are_named_at_once(installation: Installation) -> None:
    with pytest.raises(UserError) as raised:
        index.build("folder", installation.root, installation.root, 1, index.Policy(min_frames=8))
    first, *lines = str(raised.value).splitlines()
    bad = listed(installation)
    assert first.startswith(f"{len(bad)} of {len(bad) + 4} videos can't be used") and "dataset.broken" in first
    assert len(lines) == len(bad)
    for path, reason in bad.items():
        said = [line for line in lines if line.strip().startswith(f"{video.printable(path)}: ")]
        assert len(said) == 1 and re.search(reason, said[0].split(": ", 1)[1]), path


def test_bad_videos_are_left_out_and_counted(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "FEW", 0)
    policy = index.Policy("skip", "skip", min_frames=8)
    table = index.build("folder", installation.root, installation.root, 1, policy, workers=2)
    table.assign(run="1").to_csv(tmp_path / "index.csv", index=False)
    assert sorted(index.read(tmp_path / "index.csv").video) == installation.good
    left_out = index.left_out(tmp_path / "index.csv")
    assert set(left_out.path) == {video.printable(path) for path in listed(installation)}


def test_check_names_all_bad_videos(installation: Installation, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "csvr.data", "check", "--dataset", "folder", "--root", str(installation.root)]
    command += ["--min-frames", "8", "--output", str(tmp_path / "problems.csv")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2], timeout=120)
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    found = dict(pd.read_csv(tmp_path / "problems.csv").itertuples(index=False))
    for path, reason in listed(installation).items():
        assert re.search(reason, found[video.printable(path)]), path
        assert f"{video.printable(path)}: {found[video.printable(path)]}" in done.stdout.splitlines()
    assert set(found) == {video.printable(path) for path in listed(installation)}


def test_a_video_that_vanishes_or_changes_after_the_index_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.avi")
    checksum = index.inspect(path)["sha256"]
    index.unchanged(path, checksum)
    before = path.stat()
    content(path, path.read_bytes()[:-1] + b"x")  # neither its size nor its time tells
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(UserError, match="a.avi: has changed since the index was made; make the index again: snakemake"):
        index.unchanged(path, checksum)
    path.unlink()
    with pytest.raises(UserError, match="a.avi: was there when the index was made .No such file"):
        index.unchanged(path, checksum)


def test_extraction_names_all_changed_videos_and_keeps_the_work(tmp_path: Path) -> None:
    paths = [write(tmp_path / part / "run" / f"{part}{k}.avi") for part in ("train", "test") for k in range(2)]
    table = index.build("folder", tmp_path, tmp_path, 1, index.Policy())
    table.assign(run="1").to_csv(tmp_path / "index.csv", index=False)
    originals = [path.read_bytes() for path in paths]
    paths[0].unlink()
    content(paths[3], originals[3] + b"x")
    done: list[str] = []

    def extract() -> None:
        with extraction.indexed(tmp_path / "index.csv", (0, 1), None) as (videos, file, made):
            extraction.extract_videos(
                "clips", videos, lambda v: (done.append(v.name) or {v.name: clips.read_video(file(v), 32)}, None),
                tmp_path / "shard", made, made,
            )  # fmt: skip

    with pytest.raises(UserError) as raised:
        extract()
    first, *lines = str(raised.value).splitlines()
    assert first.startswith("2 of 4 videos can't be used") and len(lines) == 2
    assert "train0.avi: was there when the index was made" in str(raised.value)
    assert "test1.avi: has changed since the index was made" in str(raised.value)
    for path, data in zip(paths, originals, strict=True):
        content(path, data)
    done.clear()
    extract()
    assert sorted(done) == ["run/test1", "run/train0"]  # the others were kept
    assert len(shards.Shards([tmp_path / "shard"])["run/test0"]) == FRAMES


def test_a_killed_process_is_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "inspect", os._exit)
    monkeypatch.setattr(index, "FEW", 0)
    with pytest.raises(UserError, match="a process that looked into videos was killed"):
        list(index._mapped([3, 4], 2))  # type: ignore[list-item]


@contextmanager
def somebody_else() -> Iterator[None]:
    """Without root's right to read everything, if the tests have it."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_what_may_not_be_read_is_named() -> None:
    with tempfile.TemporaryDirectory() as name:  # not below pytest's folder, which nobody else may enter
        root = Path(name)
        for part in ("train", "test"):
            (root / part / "run").mkdir(parents=True)
            write(root / part / "run" / f"{part}.avi")
        secret, closed = root / "train/run/secret.avi", root / "train/closed"
        write(secret).chmod(0)
        root.chmod(0o755)
        with somebody_else():
            assert index.inspect(secret)["problem"] == "unreadable (Permission denied)"
            for read in READERS.values():
                with pytest.raises(UserError, match=r"secret.avi: unreadable \(Permission denied\)"):
                    read(secret)
            with pytest.raises(UserError, match=r"secret.avi: unreadable \(Permission denied\)"):
                index.build("folder", root, root, 1, index.Policy())
        closed.mkdir(mode=0)
        with (
            somebody_else(),
            pytest.raises(UserError, match=r"closed: this folder can't be read \(Permission denied\)"),
        ):
            layouts.read("folder", root, root, 1)
        closed.chmod(0o755)
        write(closed / "a.avi")
        closed.chmod(0)
        with somebody_else():
            assert index.inspect(closed / "a.avi")["problem"] == "unreadable (Permission denied)"
        closed.chmod(0o755)


def test_links_to_folders_are_followed_once(tmp_path: Path) -> None:
    for part in ("train", "test"):
        (tmp_path / "elsewhere" / part).mkdir(parents=True)
        (tmp_path / "set" / part).mkdir(parents=True)
        (tmp_path / "elsewhere" / part / f"{part}.avi").touch()
        (tmp_path / "set" / part / "run").symlink_to(tmp_path / "elsewhere" / part)
    (tmp_path / "elsewhere" / "train" / "round").symlink_to(tmp_path / "set")
    (tmp_path / "elsewhere" / "train" / "again").symlink_to(tmp_path / "elsewhere" / "train")
    table = layouts.read("folder", tmp_path / "set", tmp_path / "set", 1)
    assert table.video[table.split == "test"].tolist() == ["run/test"]
    assert "run/train" in set(table.video) and not table.video.str.contains("again").any()


@dataclass
class Lists:
    """UCF101's lists with two classes, as bytes; each kind spoils something."""

    classes: bytes = b"1 Run\n2 Sit\n"
    train: bytes = b"Run/a.avi 1\nSit/b.avi 2\n"
    test: bytes = b"Run/c.avi\nSit/d.avi\n"


# What is refused, and what is said; whole lists of it where several lines are wrong.
BAD_LISTS: dict[str, tuple[Lists, str]] = {
    "empty": (Lists(train=b"", test=b"\n"), r"ucfTrainTestlist: the lists name no video"),
    "Latin-1": (Lists(train=b"Run/a.avi 1\nSit/caf\xe9.avi 2\n"), r"list01.txt: line 2 can't be read: it is not UTF"),
    "UTF-16": (Lists(test="Run/c.avi\n".encode("utf-16")), r"testlist01.txt: line 1 can't be read: it is not UTF-8"),
    "another list's format": (Lists(train=b"a.avi 1\nb.avi 2\n"), r"1: 'a.avi 1' is not like .*\n.*2: 'b.avi 2'"),
    "CSV": (Lists(train=b"path,label\nRun/a.avi,1\n"), r"trainlist01.txt: line 1: 'path,label' is not like"),
    "wrong line": (Lists(test=b"Run/c.avi\n\nnonsense\n"), r"testlist01.txt: line 3: 'nonsense' is not like"),
    "class missing": (Lists(test=b"Run/c.avi\nJump/d.avi\n"), r"2: class 'Jump' of 'Jump/d.avi' is not in .*classInd"),
    "other number": (Lists(train=b"Run/a.avi 2\n"), r"line 1: 'Run/a.avi 2': class Run has number 1 in"),
    "class twice": (Lists(classes=b"1 Run\n2 Sit\n3 Run\n"), r"classInd.txt: line 3: class '3 Run': its name or"),
    "classes without numbers": (Lists(classes=b"Run\nSit\n"), r"2 entries .*\n.*1: 'Run' is not like.*\n.*2: 'Sit'"),
    "name twice": (Lists(train=b"Run/a.avi 1\nSit/a.avi 2\n"), r"2: a: listed more than once, see .*line 1"),
    "in train and test": (
        Lists(test=b"Run/c.avi\nRun/a.avi\n"),
        r"testlist01.txt: line 2: a: listed for training and for testing, see .*trainlist01.txt: line 1",
    ),
}  # fmt: skip
ODD_LISTS: dict[str, Lists] = {
    "byte order mark": Lists(*(b"\xef\xbb\xbf" + text for text in (Lists.classes, Lists.train, Lists.test))),
    "CRLF": Lists(*(text.replace(b"\n", b"\r\n") for text in (Lists.classes, Lists.train, Lists.test))),
    "CR": Lists(*(text.replace(b"\n", b"\r") for text in (Lists.classes, Lists.train, Lists.test))),
    "blanks and empty lines": Lists(train=b"  Run/a.avi   1  \n\n\tSit/b.avi\t2", test=b"\nRun/c.avi \nSit/d.avi"),
    "other case": Lists(train=b"run/a.avi 1\nSIT/b.avi 2\n"),
}


def read_lists(lists: Lists, root: Path) -> pd.DataFrame:
    folders = root / "UCF-101", root / "ucfTrainTestlist"
    for made in folders:
        made.mkdir()
    for name, text in (("classInd", lists.classes), ("trainlist01", lists.train), ("testlist01", lists.test)):
        content(folders[1] / f"{name}.txt", text)
    return layouts.read("ucf101", *folders, 1)


@pytest.mark.parametrize("kind", BAD_LISTS)
def test_wrong_lines_of_lists_are_named(kind: str, tmp_path: Path) -> None:
    lists, reason = BAD_LISTS[kind]
    with pytest.raises(UserError, match=reason):
        read_lists(lists, tmp_path)


@pytest.mark.parametrize("kind", ODD_LISTS)
def test_odd_lists_are_read(kind: str, tmp_path: Path) -> None:
    table = read_lists(ODD_LISTS[kind], tmp_path)
    assert table.video.tolist() == ["a", "b", "c", "d"] and table.label.tolist() == [0, 1, 0, 1]
    assert table["class"].tolist() == ["Run", "Sit", "Run", "Sit"]


@pytest.mark.parametrize(
    ("layout", "files", "reason"),
    [
        ("hmdb51", {"run_test_split1.txt": b"a.avi 1\nb.avi\nc.avi 3\n"}, r"2 entries .*\n.*2: 'b.avi'.*\n.*line 3"),
        ("ssv2", {"labels.json": b"[]"}, r"labels.json: holds no dict"),
        ("ssv2", {"labels.json": b'{"A": "x"}'}, r"labels.json: a class has no number"),
        ("ssv2", {"labels.json": b"{"}, r"labels.json: no readable JSON"),
        (
            "ssv2", {"labels.json": b'{"A": "0"}', "train.json": b'[{"id": 1}, 7]', "validation.json": b"[]"},
            r"2 entries .*\n.*train.json: entry 1, .*\n.*entry 2, 7: no id",
        ),
        ("kinetics", {"train.csv": b"label,id\n"}, r"train.csv: needs columns label, youtube_id"),
        (
            "kinetics",
            {"train.csv": b"label,youtube_id,time_start,time_end\nrun,x\nrun,y,1,inf\n", "val.csv": b""},
            r"val.csv: needs columns",
        ),
        (
            "kinetics",
            dict.fromkeys(("train.csv", "val.csv"), b"label,youtube_id,time_start,time_end\nrun,x\nrun,y,1,inf\n"),
            r"4 entries .*\n.*train.csv: line 2: x: start and end are no numbers\n.*line 3: y",
        ),
        ("folder", {"split.csv": b"path;split\n"}, r"split.csv: needs columns path, split"),
        ("folder", {"split.csv": b"path,split\nrun/a.avi\n"}, r"split.csv: line 2: 'run/a.avi': path must be"),
        ("folder", {"split.csv": b"path,split\nrun/a.avi,train\nrun/a.mkv,test\n"}, r"3: run/a: listed for training"),
        ("folder", {}, r"no folder train"),
    ],
)  # fmt: skip
def test_other_lists(layout: str, files: dict[str, bytes], reason: str, tmp_path: Path) -> None:
    for name, data in files.items():
        content(tmp_path / name, data)
    with pytest.raises(UserError, match=reason):
        layouts.read(layout, tmp_path, tmp_path, 1)
