"""Miniature installations of every data set: the lists' real syntax, generated videos of several shapes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from csvr.data.layouts import LAYOUTS
from csvr.data.video import encode

CLASSES = {
    "ucf101": ("ApplyEyeMakeup", "HandstandPushups"),
    "hmdb51": ("brush_hair", "sit"),
    "ssv2": ("Holding something next to something", "Pushing something so it spins"),
    "kinetics": ("abseiling", "zumba"),
    "folder": ("run", "sit"),
}
SHAPES = ((48, 64), (64, 48), (48, 86), (40, 50))


def draw(path: Path, number: int, frames: int = 36) -> None:
    """A square that moves before a ground; each number is another video, of another shape. One I-frame in all."""
    height, width = SHAPES[number % len(SHAPES)]
    images = np.full((frames, height, width, 3), (37 * number) % 200, np.uint8)
    for k in range(frames):
        left = (number + 2 * k) % (width - 16)
        images[k, 8:28, left : left + 14] = (220, 30 + 10 * (number % 8), 90)
    encode(path.with_suffix(".avi"), images, fps=10, gop=600, b_frames=0)
    path.with_suffix(".avi").rename(path)


def install(layout: str, root: Path, first: int = 0) -> dict[str, str]:
    """Two classes, two training videos and one test video each.

    Args:
        layout: Name in `LAYOUTS`.
        root: Folder.
        first: Number of the first video: each number is another one.

    Returns:
        Folders `videos` and `splits`.
    """
    videos, splits = root / LAYOUTS[layout].videos, root / LAYOUTS[layout].splits
    splits.mkdir(parents=True)
    names = CLASSES[layout]
    entries = [(part, label, k) for label in (0, 1) for k, part in enumerate(("train", "train", "test"))]
    paths = [_file(layout, names[label], part, 3 * label + k) for part, label, k in entries]
    for number, path in enumerate(paths, start=first):
        (videos / path).parent.mkdir(parents=True, exist_ok=True)
        draw(videos / path, number)
    listed = [(part, label, path) for (part, label, _), path in zip(entries, paths, strict=True)]
    if layout == "ucf101":
        (splits / "classInd.txt").write_text("".join(f"{k} {name}\r\n" for k, name in enumerate(names, start=1)))
        for part in ("train", "test"):
            lines = [f"{path} {label + 1}" if part == "train" else path for p, label, path in listed if p == part]
            (splits / f"{part}list01.txt").write_text("".join(f"{line}\r\n" for line in lines))
    elif layout == "hmdb51":
        for label, name in enumerate(names):
            files = [Path(path).name for _, k, path in listed if k == label]
            for split, parts in ((1, "112"), (2, "211")):
                lines = [f"{file} {part} \n" for file, part in zip(files, parts, strict=True)]
                (splits / f"{name}_test_split{split}.txt").write_text("".join(lines))
    elif layout == "ssv2":
        (splits / "labels.json").write_text(json.dumps({name: str(k) for k, name in enumerate(names)}))
        for part, listing in (("train", "train"), ("test", "validation")):
            rows = [
                {"id": Path(path).stem, "template": names[k].replace("something", "[something]")}
                for p, k, path in listed
                if p == part
            ]
            (splits / f"{listing}.json").write_text(json.dumps(rows))
        (splits / "test.json").write_text('[{"id": "99"}]')
    elif layout == "kinetics":
        for part, listing in (("train", "train"), ("test", "validate")):
            rows = [f"{names[k]},{Path(path).stem[:11]},4,14,{listing}" for p, k, path in listed if p == part]
            # Some are always gone.
            rows.append(f"{names[0]},{listing[0] * 11},1,11,{listing}")
            (splits / f"{listing}.csv").write_text("label,youtube_id,time_start,time_end,split\n" + "\n".join(rows))
    return {"videos": str(videos), "splits": str(splits)}


def _file(layout: str, name: str, part: str, number: int) -> str:
    """Path of a video below the folder of videos."""
    return {
        "ucf101": f"{name}/v_{name.replace('stand', 'Stand')}_g{number + 1:02d}_c01.avi",
        "hmdb51": f"{name}/{number}_#Cornered!_[two]_(a&b);_{name}_f_cm_np1_ba_med_{number}.avi",
        "ssv2": f"{number + 1}.webm",
        "kinetics": f"{part}/{name}/-bc_EFG1{number:03d}_000004_000014.mp4",
        "folder": f"{part}/{name}/{number}.mp4",
    }[layout]
