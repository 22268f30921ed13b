"""Videos with stored poses: the joints where they were found, I-frames marked, no network."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from csvr import pose_videos
from csvr.data import shards, video
from csvr.data.index import COLUMNS
from csvr.errors import UserError
from csvr.pose.drawing import RIGHT, SMALLEST
from csvr.pose.skeleton import KEYPOINTS

NAMES = ("a", "b", "c")


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Three gray test videos of ten frames, I-frames 0 and 5, each with one right forearm in it; and their shard."""
    poses = np.zeros((10, 17, 3), np.float32)
    poses[:, KEYPOINTS.index("right_elbow")] = (20, 30, 1)
    poses[:, KEYPOINTS.index("right_wrist")] = (70, 30, 1)
    arrays, rows = {}, []
    for name in NAMES:
        path = tmp_path / f"{name}.avi"
        video.encode(path, np.full((10, 64, 96, 3), 90, np.uint8), fps=10, gop=5, b_frames=0, quality=2)
        arrays |= {name: poses, f"{name}/frame": np.arange(10, dtype=np.int32), f"{name}/size": np.int32([96, 64])}
        about = {"video": name, "path": str(path), "class": "A", "label": 0, "split": "test", "fps": 10.0, "frames": 10}
        rows.append(dict.fromkeys(COLUMNS, 0) | about | {"problem": "", "run": "1"})
    shards.write(tmp_path / "0.safetensors", arrays, {"run_id": "1"})
    pd.DataFrame(rows).to_csv(tmp_path / "index.csv", index=False)
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, folder: Path, *outputs: Path) -> None:
    words = ("--index", folder / "index.csv", "--poses", folder / "0.safetensors", "--output", *outputs)
    monkeypatch.setattr(sys, "argv", ["csvr.pose_videos", *map(str, words)])
    pose_videos.main()


def test_joints_and_iframes_are_drawn(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = dataset / "1.mp4", dataset / "2.mp4"
    run(monkeypatch, dataset, *outputs)
    images = [frame.to_ndarray(format="rgb24") for frame in video.frames(outputs[1])]
    assert len(images) == 10
    scale = SMALLEST / 64
    forearm = [image[round(30 * scale), round(45 * scale)].astype(int) for image in images]
    assert all(np.abs(pixel - RIGHT).max() < 60 for pixel in forearm)
    # Yellow, so little blue, at the rim.
    marked = [k for k, image in enumerate(images) if image[200, 1, 2] < 80 < image[200, 1, 0] - 80]
    assert marked == [0, 5]
    assert len(list(pose_videos.frames(dataset / "a.avi", pose_videos.stored(_poses(dataset), "a"), 3))) == 3


def _poses(folder: Path) -> shards.Shards:
    return shards.Shards([folder / "0.safetensors"])


def test_videos_are_spread_over_the_list() -> None:
    assert pose_videos.chosen(list("abcde"), 2) == ["a", "e"]
    assert pose_videos.chosen(["a"], 2) == ["a", "a"]


def test_what_is_not_there_is_said(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="no poses stored for z"):
        pose_videos.stored(_poses(dataset), "z")
    table = pd.read_csv(dataset / "index.csv", keep_default_na=False).assign(split="train")
    table.to_csv(dataset / "index.csv", index=False)
    with pytest.raises(UserError, match="lists no test video"):
        run(monkeypatch, dataset, dataset / "1.mp4")
