"""Goal 2: clips for training from the cache, beside decoding on the fly; what the loop waits for them; memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import torch

from csvr.data import shards
from csvr.data.batches import ClipShape, Features
from csvr.data.clips import packed, read_video
from csvr.data.video import frames, resized
from csvr.tracking.machine import peak_memory_mb
from tests.bench import media, training
from tests.bench.figures import CSVR, Bench, Figures, Goal

SIDE, ASPECT, QUALITY = 128, 4 / 3, 90
SHAPE = ClipShape(frames=16, stride=4, crop=112, iframe_window=64, iframe_inside=False)
ONE = "one clip of 16 frames, stride 4, 171×128"
JPEG, FLY, FLOOR = "csvr, JPEG cache", "PyAV, decoded on the fly", "floor: as many bytes copied in memory"
WAIT, START, GROWTH = "data wait by step", "start of an epoch", "memory from the second epoch to the last"
BYTES = "cache of a second of video (25 frames)"


def measure(bench: Bench) -> None:
    """Clips one by one; then the embedded profile's own loop."""
    count = 140 if bench.quick else 300
    coded = {
        "H.264, GOP 250, 340×256": media.encoded(
            bench, f"long_{count}.mp4", "libx264", 250, media.KINETICS, count, 3, {"sc_threshold": "0"}
        ),
        "MPEG-4, GOP 12, 320×240": media.encoded(
            bench, f"dense_{count}.avi", "mpeg4", 12, media.UCF101, count, 0, {"qmin": "1", "qmax": "3"}
        ),
    }
    for name, path in coded.items():
        clips(bench, name, path, count)
    embedded(bench)


def clips(bench: Bench, name: str, path: Path, count: int) -> None:
    """The same random starts for all ways; a value is the mean of several clips."""
    images = read_video(path, SIDE, ASPECT)
    stores = {}
    for storage in ("raw", "jpeg"):
        shard = bench.scratch / f"{storage}.safetensors"
        shards.write(shard, packed("v", images, storage, QUALITY), {"run_id": "bench"})
        stores[storage] = Features([shard], [], [], SHAPE)
        amount = shard.stat().st_size / 1e3 / (count / media.FPS)
        bench.value(f"{BYTES}, {name}", amount, "kB", CSVR if storage == "raw" else JPEG)
    rng = np.random.default_rng(0)
    starts = [int(s) for s in rng.integers(0, count - SHAPE.span, 2 if bench.quick else 8)]

    def each(read: Callable[[int], object]) -> Callable[[], float]:
        def timed() -> float:
            began = time.perf_counter()
            for start in starts:
                read(start)
            return (time.perf_counter() - began) / len(starts)

        return timed

    source = np.ascontiguousarray(images[: SHAPE.span : SHAPE.stride])
    bench.compare(
        f"{ONE}, {name}",
        {
            # Stacked, as in a batch: what is read of the raw cache is a view of the mapped file.
            CSVR: each(lambda start: torch.stack([stores["raw"].images("v", start)])),
            JPEG: each(lambda start: torch.stack([stores["jpeg"].images("v", start)])),
            FLY: each(lambda start: decoded(path, start)),
            "PyAV, seek to the key frame before": each(lambda start: sought(path, start)),
            "OpenCV, decoded on the fly": each(lambda start: opencv(path, start)),
            FLOOR: each(lambda start: source.copy()),
        },
    )


def decoded(path: Path, start: int) -> torch.Tensor:
    """A clip from the file: decoded from the beginning, only its frames converted and scaled."""
    wanted, images = set(range(start, start + SHAPE.span, SHAPE.stride)), []
    for number, frame in enumerate(frames(path)):
        if number in wanted:
            images.append(resized(frame, SIDE, ASPECT))
            if len(images) == len(wanted):
                break
    return torch.from_numpy(np.stack(images))


def sought(path: Path, start: int) -> torch.Tensor:
    """A clip from the file, by a jump to the key frame before it."""
    wanted, images = [k / media.FPS for k in range(start, start + SHAPE.span, SHAPE.stride)], []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_count = 1
        assert stream.time_base is not None
        container.seek(int(wanted[0] / stream.time_base), stream=stream)
        for frame in container.decode(stream):
            if frame.time is not None and frame.time + 0.5 / media.FPS > wanted[len(images)]:
                images.append(resized(frame, SIDE, ASPECT))
                if len(images) == len(wanted):
                    break
    return torch.from_numpy(np.stack(images))


def opencv(path: Path, start: int) -> torch.Tensor:
    """A clip from the file by OpenCV: grabbed from the beginning, only its frames converted and scaled."""
    cv2.setNumThreads(1)
    capture, images = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1]), []
    for number in range(start + SHAPE.span):
        capture.grab()
        if number >= start and not (number - start) % SHAPE.stride:
            images.append(cv2.resize(capture.retrieve()[1][..., ::-1], (round(SIDE * ASPECT), SIDE)))
    return torch.from_numpy(np.stack(images))


def embedded(bench: Bench) -> None:
    """The loop of the embedded profile (and of a GPU, where there is one): its wait, its first batch, its memory."""
    for device in ["cpu"] + ["cuda"] * torch.cuda.is_available():
        profile = training.embedded(bench, device)
        count, runs = (2, 1) if bench.quick else (8, 5)
        spent = [training.steps(profile, count, "full") for _ in range(runs)]
        taken = {name: [found[name] for found in spent] for name in (training.WAIT, "step")}
        bench.keep(f"{WAIT}, embedded profile, {device}", taken)
    profile = training.embedded(bench, "cpu")
    futures = profile.params["model"]["generation"]["clips"]

    def start() -> None:
        features = profile.opened()
        features.require(profile.videos)
        features.draw(profile.videos, 24, 0, 0, futures)

    bench.compare(f"{START}, {len(profile.videos)} videos: shards opened, checked, first batch drawn", {CSVR: start})
    features, memory = profile.opened(), []
    batches = max(1, len(profile.videos) // 24)
    for epoch in range(2 if bench.quick else 8):
        for step in range(batches):
            features.draw(profile.videos, 24, 0, epoch * batches + step, futures)
        memory.append(resident_mb())
    bench.value(
        GROWTH, memory[-1] - memory[1], "MB", note=f"peak of the process {peak_memory_mb(torch.device('cpu')):,.0f} MB"
    )


def resident_mb() -> float:
    """Memory of this process that is in RAM and its own, without mapped files."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("RssAnon")) / 1024


def goals(figures: Figures) -> list[Goal]:
    """What issue 7 asks of loading."""
    found = []
    for case in figures.cases(WAIT):
        wait = figures.ratio(case, training.WAIT, "step")
        found.append(
            Goal(
                f"{case}: < 5 %",
                None if wait is None else 100 * wait,
                5,
                False,
                "%",
                "a thread draws and augments the next clips; a second core is free for it",
            )
        )
    starts = [figures.median(case) for case in figures.cases(START)]
    return [
        Goal(
            "≥ 10 × decoding on the fly, raw cache",
            figures.worst([figures.ratio(c, FLY) for c in figures.cases(ONE)]), 10,
        ),
        Goal(
            "≥ 10 × decoding on the fly, JPEG cache",
            figures.worst([figures.ratio(c, FLY, JPEG) for c in figures.cases(ONE)]), 10,
        ),
        *found,
        Goal("start of an epoch < 1 s", max((s for s in starts if s is not None), default=None), 1, False, "s"),
        Goal("memory flat over epochs (own pages, second to last epoch)", figures.median(GROWTH), 1, False, "MB"),
    ]  # fmt: skip
