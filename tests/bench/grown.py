"""One step over a folder of videos, in a process of its own: python -m tests.bench.grown STEP FOLDER COUNT

Prints seconds and the process's peak memory in MB, as JSON. Steps work on what the ones before left in the folder.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import yaml

from csvr import memory
from csvr.data.batches import ClipShape, Features
from csvr.data.clips import packed, read_video
from csvr.data.extraction import Video, extract_videos
from csvr.data.iframes import read_iframes
from csvr.data.shards import write
from csvr.evaluation.measure import measure
from csvr.pretrain.model import CSVR
from tests.bench import training
from tests.bench.figures import ROOT

FRAMES = 40


def main() -> None:
    """Run one step."""
    memory.prepare()  # as every command does
    step, folder, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    side, names = params["features"]["short_side"], [f"v{k:05d}" for k in range(count)]
    videos = [Video(name, folder / "videos" / f"{name}.avi", FRAMES) for name in names]
    torch.set_num_threads(1)
    if made := {"I-frames": "iframes", "clips": "clips"}.get(step):
        (folder / made).unlink(missing_ok=True)  # by the run before
    began = time.perf_counter()
    if step == "I-frames":

        def iframes(video: Video) -> tuple[dict[str, Any], None]:
            found = read_iframes(video.path, side, None, video.frames)
            return {video.name: found.images, f"{video.name}/index": found.index}, None

        extract_videos("iframes", videos, iframes, folder / "iframes", step, {"run_id": step})
    elif step == "clips":
        extract_videos(
            "clips", videos, lambda video: (packed(video.name, read_video(video.path, side), "raw", 90), None),
            folder / "clips", step, {"run_id": step},
        )  # fmt: skip
    else:
        poses = folder / "poses"
        if not poses.exists():
            store_poses(poses, names)
        profile = training.Profile(params, folder, names, "cpu")
        began = time.perf_counter()
        if step == "one epoch":
            batch = params["pretrain"]["batch"]
            training.steps(profile, max(1, count // batch), "full")
        else:
            evaluated(profile, count)
    print(json.dumps([time.perf_counter() - began, peak_mb()]))


def peak_mb() -> float:
    """The most memory that this process has had. `getrusage` would tell that of the process that started it."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024


def store_poses(path: Path, names: list[str]) -> None:
    """Random poses: what is in them costs nothing."""
    rng = np.random.default_rng(0)
    arrays = {name: rng.uniform(20, 100, (FRAMES, 17, 3)).astype(np.float32) for name in names}
    arrays |= {f"{name}/frame": np.arange(FRAMES, dtype=np.int32) for name in names}
    write(path, arrays, {"run_id": "poses"})


def evaluated(profile: training.Profile, count: int) -> None:
    """Probe and retrieval as the profile has them; without fine-tuning, whose steps are the same for any data set."""
    params = profile.variant("full")
    params["evaluate"]["finetune"] = None
    params["evaluate"]["probe"] |= {"few": 1}
    features = Features([profile.folder / "clips"], [profile.folder / "poses"], [], ClipShape(**params["clip"]))
    half = count // 2
    table = pd.DataFrame({"video": profile.videos, "split": ["train"] * half + ["test"] * (count - half)})
    table["label"] = [k % min(10, count // 4) for k in range(count)]
    encoders = CSVR(params, len(features.keypoints(profile.videos[0], 0))).eval().encoders
    measure(encoders, features, table, params, 0)


if __name__ == "__main__":
    main()
