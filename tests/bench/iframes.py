"""Goal 1: I-frames decoded, scaled to 128 pixels and stored, one core, beside what else can do it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import av
import cv2
import numpy as np

from csvr.data.iframes import read_iframes
from csvr.data.index import facts
from tests.bench import media
from tests.bench.figures import CSVR, RUNS, Bench, Figures, Goal, Unavailable, cpu_seconds, run

SIDE = 128
MANY = 50
FULL, FFMPEG = "PyAV, all frames decoded", "ffmpeg -skip_frame nokey"
OWN_ONE, ITS_ONE = (f"{program}, one of {MANY} files that a process reads" for program in (CSVR, "ffmpeg"))
BARE = "floor: key frames decoded by PyAV, nothing else"
SAME = "I pictures that csvr finds and a full decode finds, by those of either"
LONG, DENSE = "H.264, GOP 250", "MPEG-4, GOP 12"


def videos(bench: Bench) -> dict[str, Path]:
    """Files to measure on, by case."""
    count = 30 if bench.quick else 300
    x264 = {"sc_threshold": "0", "preset": "medium"}
    made = {
        f"{LONG}, 340×256, {count} frames": media.encoded(
            bench, f"long_{count}.mp4", "libx264", 250, media.KINETICS, count, 3, x264
        ),
        f"{DENSE}, 320×240, {count} frames": media.encoded(
            bench, f"dense_{count}.avi", "mpeg4", 12, media.UCF101, count, 0, {"qmin": "1", "qmax": "3"}
        ),
        f"{DENSE} with B-frames, 320×240, {count} frames": media.encoded(
            bench, f"dense_b_{count}.avi", "mpeg4", 12, media.UCF101, count, 2, {"qmin": "1", "qmax": "3"}
        ),
    }
    if bench.real.is_dir() and not bench.quick:
        named = {"arm_wrestling.mp4": "H.264", "v_ApplyEyeMakeup_g01_c01.avi": "MPEG-4", "cartoon_mpeg4.mp4": "MPEG-4"}
        made |= {f"real: {name} ({codec})": bench.real / name for name, codec in named.items()}
    return made


def measure(bench: Bench) -> None:
    """All ways on all videos: CPU seconds."""
    for case, path in videos(bench).items():
        known, found = facts(path), read_iframes(path, SIDE)
        size = (known["frames"], known["key_frames"])
        fast = read_iframes(path, SIDE, None, *size)
        alike = fast.index.tolist() == found.index.tolist() and bool((fast.images == found.images).all())
        bench.value(case, float(alike), "of 1", SAME)
        bench.compare(case, ways(bench, path, size, (found.images.shape[2], found.images.shape[1])))


def ways(bench: Bench, path: Path, size: tuple[int, int], shape: tuple[int, int]) -> dict[str, Callable[[], float]]:
    """All ways to store the I-frames of a video of `size` frames and key frames, width and height being `shape`."""
    target = bench.scratch / "out"
    found: dict[str, Callable[[], object]] = {
        CSVR: lambda: store(target, read_iframes(path, SIDE, None, *size).images),
        FULL: lambda: store(target, read_iframes(path, SIDE).images),
        "OpenCV, all frames grabbed": lambda: opencv(path, target, shape),
        FFMPEG: lambda: ffmpeg(path, target, shape),
        BARE: lambda: bare(path),
    }
    many = 2 if bench.quick else MANY

    def own() -> float:
        return cpu_seconds(lambda: [found[CSVR]() for _ in range(many)]) / many

    def its() -> float:  # without the start of the process, and without the first file
        more, one = (cpu_seconds(partial(joined, path, target, shape, count)) for count in (many + 1, 1))
        return (more - one) / many

    timed: dict[str, Callable[[], float]] = {
        name: (lambda way=way: cpu_seconds(way))  # type: ignore[misc]
        for name, way in found.items()
    }
    timed |= {OWN_ONE: own, ITS_ONE: its}
    return timed | {name: peer(bench, name, path, shape) for name in ("decord", "torchcodec")}


def store(target: Path, images: np.ndarray) -> None:
    """What all ways end with: the images as raw bytes in a file."""
    images.tofile(target)


def bare(path: Path) -> int:
    """Key frames decoded and thrown away."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_count, stream.codec_context.skip_frame = 1, "NONKEY"
        return sum(1 for _ in container.decode(stream))


def opencv(path: Path, target: Path, shape: tuple[int, int]) -> None:
    """OpenCV: every frame is decoded, I-frames alone are converted and scaled."""
    cv2.setNumThreads(1)
    capture, images = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1]), []
    while capture.grab():
        if chr(int(capture.get(cv2.CAP_PROP_FRAME_TYPE))) == "I":
            image = cv2.resize(capture.retrieve()[1], shape, interpolation=cv2.INTER_AREA)
            images.append(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
    store(target, np.stack(images))


def joined(path: Path, target: Path, shape: tuple[int, int], count: int) -> None:
    """ffmpeg on a list that has the same file `count` times, each of which it opens."""
    files = target.with_suffix(".txt")
    files.write_text(f"file '{path.resolve()}'\n" * count)
    ffmpeg(files, target, shape, "-f", "concat", "-safe", "0")


def ffmpeg(path: Path, target: Path, shape: tuple[int, int], *more: str) -> None:
    """Debian's ffmpeg: key frames decoded, scaled by area and stored, one thread; `more` says what the input is."""
    run(
        [
            program("ffmpeg"), "-nostdin", "-v", "error", "-y", "-threads", "1", "-skip_frame", "nokey", *more,
            "-i", path, "-map", "0:v:0", "-vf", f"scale={shape[0]}:{shape[1]}:flags=area", "-vsync", "passthrough",
            "-threads", "1", "-pix_fmt", "rgb24", "-f", "rawvideo", target,
        ]
    )  # fmt: skip


def program(name: str) -> str:
    """Path of a program.

    Raises:
        Unavailable: It is not installed.
    """
    found = shutil.which(name)
    if found is None:
        raise Unavailable("not installed")
    return found


# What runs in the peers' own environment: prints the CPU seconds of each run after the first, which warms up.
PEER = """
import resource, sys
import torch
name, path, target = sys.argv[1:4]
height, width, runs = map(int, sys.argv[4:])
torch.set_num_threads(1)

def decord_images():
    import decord
    reader = decord.VideoReader(path, num_threads=1)
    return reader.get_batch(reader.get_key_indices()).asnumpy()

def torchcodec_images():
    from torchcodec.decoders import VideoDecoder
    decoder = VideoDecoder(path, num_ffmpeg_threads=1, dimension_order="NHWC")
    return decoder.get_frames_at(decoder._get_key_frame_indices().tolist()).data.numpy()

def work():
    images = torch.from_numpy(decord_images() if name == "decord" else torchcodec_images()).permute(0, 3, 1, 2)
    small = torch.nn.functional.interpolate(images.float(), (height, width), mode="area")
    small.round().byte().permute(0, 2, 3, 1).contiguous().numpy().tofile(target)

def spent():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime

work()
for _ in range(runs):
    began = spent()
    work()
    print(spent() - began)
"""


def peer(bench: Bench, name: str, path: Path, shape: tuple[int, int]) -> Callable[[], float]:
    """A decoder that csvr doesn't need: gives the CPU seconds of its runs inside one process, imports not counted."""
    values: list[float] = []

    def once() -> float:
        if bench.peers is None:
            raise Unavailable("not installed (make bench-peers)")
        if not values:
            sizes = map(str, (shape[1], shape[0], RUNS + 1))
            try:
                values.extend(
                    map(float, run([bench.peers, "-c", PEER, name, path, bench.scratch / "out", *sizes]).split())
                )
            except RuntimeError as error:
                raise Unavailable(f"does not run here ({str(error).strip().splitlines()[-1][:120]})") from error
        return values.pop()

    return once


def goals(figures: Figures) -> list[Goal]:
    """What issue 7 asks of I-frames."""
    coded = [*figures.cases(LONG), *figures.cases(DENSE), *figures.cases("real:")]
    start = "the start of ffmpeg's process counts, as it does where one is started for each video"
    return [
        Goal(
            "at least as fast as `ffmpeg -skip_frame nokey` doing the same, in the worst case",
            figures.worst([figures.ratio(case, FFMPEG) for case in coded]), 1, note=start,
        ),
        Goal(
            "the same, one process reading many files, in the worst case (beyond what was asked)",
            figures.worst([figures.ratio(case, ITS_ONE, OWN_ONE) for case in coded]), 1,
            note="the start of neither process counts",
        ),
        Goal(
            "≥ 8 × a full decode on long-GOP H.264",
            figures.worst([figures.ratio(case, FULL) for case in figures.cases(LONG)]), 8,
        ),
        Goal(
            "≥ 3 × a full decode on MPEG-4 with a GOP of 12",
            figures.worst([figures.ratio(case, FULL) for case in figures.cases(DENSE)]), 3,
        ),
        Goal(
            "exactly the I pictures of a full decode, in all cases",
            figures.worst([figures.median(case, SAME) for case in coded]), 1, unit="of 1",
        ),
    ]  # fmt: skip
