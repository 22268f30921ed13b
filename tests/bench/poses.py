"""Goal 3: pose extraction from file to shard, beside OpenPifPaf's bare network and decoder; batch and threads."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
import yaml

from csvr.data.clips import Frames
from csvr.data.growing import GrowingShard
from csvr.pose.detector import Detector, load, to_batch
from csvr.pose.extract import Settings, _batches, video_poses
from tests.bench import media
from tests.bench.figures import CSVR, ROOT, Bench, Figures, Goal

WHOLE, SWEEP = "seconds a frame", "frames a second by batch and threads"
BARE = "floor: network and decoder alone, on frames that lie ready"


def measure(bench: Bench) -> None:
    """Drawn videos, and real ones where they are."""
    settings = Settings.of(yaml.safe_load((ROOT / "params.yaml").read_text())["pose_extraction"])
    settings = replace(settings, checkpoint=str(ROOT / settings.checkpoint))
    drawn = media.drawn(bench.scratch / "drawn", 2 if bench.quick else 6)
    sets = {"drawn videos, 128×128": drawn}
    if (real := bench.real / "v_ApplyEyeMakeup_g01_c01.avi").exists() and not bench.quick:
        sets["a video of UCF101, 320×240"] = [real]
    torch.set_num_threads(1)
    detect = Detector(load(settings.checkpoint, settings.sha256).net, settings.decoder)
    for case, paths in sets.items():
        ready = [images for path in paths for _, images, _ in _batches(path, settings)]
        ways = {CSVR: lambda paths=paths: whole(bench, paths, detect, settings), BARE: alone(detect, ready)}
        bench.compare(f"{WHOLE}, {case}", ways)
    images = [images for path in drawn for _, images, _ in _batches(path, replace(settings, batch=40))]
    for threads in (1, 2):
        ways = {
            f"batch {size}": rate(detect, images, size, threads) for size in (1, 4, 16, 40)[:: 3 if bench.quick else 1]
        }
        bench.compare(f"{SWEEP}, {threads} thread(s)", ways, 3, "frames/s", "three runs")
    torch.set_num_threads(1)


def whole(bench: Bench, paths: list[Path], detect: Detector, settings: Settings) -> float:
    """From files to a shard: seconds a frame."""
    began, frames, target = time.perf_counter(), 0, bench.scratch / "poses.safetensors"
    target.unlink(missing_ok=True)
    with GrowingShard(target, time.time()) as shard:
        for path in paths:
            detect.forget()
            found = video_poses(path, detect, settings)
            frames += len(found.frame)
            shard.add(path.stem, {path.stem: found.poses, f"{path.stem}/frame": found.frame})
        shard.finish({})
    return (time.perf_counter() - began) / frames


def alone(detect: Detector, ready: list[Frames]) -> Callable[[], float]:
    """Network and decoder on normalised frames in memory: seconds a frame."""
    batches = [to_batch(images) for images in ready]

    def once() -> float:
        began = time.perf_counter()
        for batch in batches:
            detect._decoder.batch(detect._net, batch, device=detect._device)
        return (time.perf_counter() - began) / sum(map(len, batches))

    return once


def rate(detect: Detector, images: list[Frames], size: int, threads: int) -> Callable[[], float]:
    """Frames a second of network and decoder."""

    def once() -> float:
        torch.set_num_threads(threads)
        began, done = time.perf_counter(), 0
        for video in images:
            for first in range(0, len(video), size):
                detect(video[first : first + size])
                done += len(video[first : first + size])
        return done / (time.perf_counter() - began)

    return once


def goals(figures: Figures) -> list[Goal]:
    """What issue 7 asks of poses."""
    return [
        Goal(
            "end to end ≥ 0.95 of the throughput of bare network and decoder, in the worst case",
            figures.worst([figures.ratio(case, BARE) for case in figures.cases(WHOLE)]), 0.95,
            note="with the shipped small network; a larger one hides more",
        )
    ]  # fmt: skip
