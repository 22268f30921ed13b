"""Miniature installations of every data set: real syntax of the lists, generated videos, what is usually wrong."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from csvr.data import __main__ as data
from csvr.data import index, layouts, shards
from csvr.data.batches import ClipShape, Features
from csvr.data.video import encode
from csvr.errors import UserError


def video(path: Path, frames: int = 8) -> Path:
    images = np.random.default_rng(list(path.name.encode())).integers(0, 256, (frames, 32, 48, 3), dtype=np.uint8)
    encode(path, images, fps=10, gop=4)
    return path


@pytest.fixture
def ucf101(tmp_path: Path) -> tuple[Path, Path]:
    videos, splits = tmp_path / "UCF-101", tmp_path / "ucfTrainTestlist"
    splits.mkdir()
    (splits / "classInd.txt").write_text("1 ApplyEyeMakeup\r\n2 HandstandPushups\r\n\r\n")
    entries = ("ApplyEyeMakeup/v_ApplyEyeMakeup", "HandstandPushups/v_HandStandPushups")
    for entry in entries:
        for group in (1, 8):
            # As some copies have it: the folder's name like the files'.
            video(videos / f"{entry.replace('HandstandPushups/', 'HandStandPushups/')}_g{group:02d}_c01.avi")
    for split, test, train in ((1, 1, 8), (2, 8, 1)):
        lines = [f"{entry}_g{train:02d}_c01.avi {k}\r\n" for k, entry in enumerate(entries, start=1)]
        (splits / f"trainlist{split:02d}.txt").write_text("".join(lines))
        (splits / f"testlist{split:02d}.txt").write_text("".join(f"{e}_g{test:02d}_c01.avi\r\n" for e in entries))
    return videos, splits


def test_ucf101(ucf101: tuple[Path, Path]) -> None:
    table = layouts.read("ucf101", *ucf101, 1)
    assert dict(zip(table["class"], table.label, strict=True)) == {"ApplyEyeMakeup": 0, "HandstandPushups": 1}
    assert all(Path(path).exists() for path in table.path)
    assert table.video[table.split == "test"].tolist() == ["v_ApplyEyeMakeup_g01_c01", "v_HandStandPushups_g01_c01"]
    other = layouts.read("ucf101", *ucf101, 2)
    assert set(other.video[other.split == "test"]) == set(table.video[table.split == "train"])
    both = layouts.read("ucf101", *ucf101, 1, 2)
    assert len(both) == 4 and both.drop(columns="split_2").equals(table)
    assert dict(zip(both.video, both.split_2, strict=True)) == dict(zip(other.video, other.split, strict=True))
    with pytest.raises(UserError, match="trainlist03.txt: can't be read"):
        layouts.read("ucf101", *ucf101, 3)
    (ucf101[1] / "classInd.txt").write_text("ApplyEyeMakeup\n")
    with pytest.raises(UserError, match="classInd.txt: line 1: 'ApplyEyeMakeup' is not like"):
        layouts.read("ucf101", *ucf101, 1)


def test_hmdb51(tmp_path: Path) -> None:
    videos, splits = tmp_path / "hmdb51", tmp_path / "testTrainMulti_7030_splits"
    splits.mkdir()
    odd = "#122_Cornered!_[two]_(a&b);_c_f_cm_np1_ba_med_4.avi"
    for name in ("brush_hair", "sit"):
        entries = [f"{name}_1.avi", f"{name}_{odd}", f"{name}_3.avi"]
        for entry in entries:
            video(videos / name / entry)
        for split in (1, 2, 3):
            numbers = (1, 2, 0) if split == 1 else (2, 1, 0)
            lines = [f"{entry} {number} \n" for entry, number in zip(entries, numbers, strict=True)]
            (splits / f"{name}_test_split{split}.txt").write_text("".join(lines))
    table = layouts.read("hmdb51", videos, splits, 1)
    assert len(table) == 4 and sorted(set(table["class"])) == ["brush_hair", "sit"]
    assert table.video[table.split == "test"].tolist() == [f"{n}_{odd[:-4]}" for n in ("brush_hair", "sit")]
    assert all(Path(path).exists() for path in table.path)
    # In split 3 the second video is in neither part, and the third one is tested.
    for name in ("brush_hair", "sit"):
        (splits / f"{name}_test_split3.txt").write_text(f"{name}_1.avi 1\n{name}_{odd} 0\n{name}_3.avi 2\n")
    built = index.build("hmdb51", videos, splits, [1, 3], index.Policy())
    built.assign(run="1").to_csv(tmp_path / "index.csv", index=False)
    assert len(built) == 6 and built.split.tolist().count("") == 2
    first, third = index.each_split(index.read(tmp_path / "index.csv"))
    assert set(first.video[first.split == "test"]) == {f"{n}_{odd[:-4]}" for n in ("brush_hair", "sit")}
    assert set(third.video[third.split == "test"]) == {"brush_hair_3", "sit_3"}
    assert set(third.video[third.split == "train"]) == {"brush_hair_1", "sit_1"} and len(first) == len(third) == 4
    (splits / "sit_test_split3.txt").write_text("sit_1.avi 1\nsit_3.avi 1\n")
    with pytest.raises(UserError, match="no usable test video of class sit in split 3"):
        index.build("hmdb51", videos, splits, [1, 3], index.Policy())
    (splits / "sit_test_split3.txt").unlink()
    with pytest.raises(UserError, match="split 3 has other classes than split 1"):
        index.build("hmdb51", videos, splits, [1, 3], index.Policy())
    (splits / "sit_test_split2.txt").write_text("sit_1.avi 3\n")
    with pytest.raises(UserError, match=r"sit_test_split2.txt: line 1: 'sit_1.avi 3' is not a file name and 0, 1 or 2"):
        layouts.read("hmdb51", videos, splits, 2)
    with pytest.raises(UserError, match="no lists"):
        layouts.read("hmdb51", videos, splits, 4)


@pytest.mark.parametrize("prefix", ["", "something-something-v2-"])
def test_ssv2(tmp_path: Path, prefix: str) -> None:
    videos, splits = tmp_path / "20bn-something-something-v2", tmp_path / "labels"
    splits.mkdir()
    labels = {"Holding something next to something": "1", "Pushing something so it spins": "0"}
    templates = ["Holding [something] next to [something]", "Pushing [something] so it spins"]
    (splits / f"{prefix}labels.json").write_text(json.dumps(labels))
    for part, ids in (("train", (5, 6)), ("validation", (7, 8))):
        entries = [
            {"id": str(k), "label": "holding a cup next to a pen", "template": t, "placeholders": ["a cup"]}
            for k, t in zip(ids, templates, strict=True)
        ]
        (splits / f"{prefix}{part}.json").write_text(json.dumps(entries))
    (splits / f"{prefix}test.json").write_text('[{"id": "9"}]')
    for k in (5, 6, 7, 8, 9):
        video(videos / f"{k}.avi").rename(videos / f"{k}.webm")
    table = layouts.read("ssv2", videos, splits, 1)
    rows = [["5", 1, "train"], ["6", 0, "train"], ["7", 1, "test"], ["8", 0, "test"]]
    assert table[["video", "label", "split"]].values.tolist() == rows
    assert set(table["class"]) == set(labels)
    (splits / f"{prefix}train.json").write_text('[{"id": "5", "template": "Eating [something]"}]')
    with pytest.raises(UserError, match="train.json: entry .*Eating.*not in labels.json"):
        layouts.read("ssv2", videos, splits, 1)
    with pytest.raises(UserError, match="dataset.split = 2: ssv2 has one split"):
        layouts.read("ssv2", videos, splits, 2)


def test_kinetics(tmp_path: Path) -> None:
    videos, splits = tmp_path / "videos", tmp_path / "lists"
    splits.mkdir()
    header = "label,youtube_id,time_start,time_end,split\n"
    train = ['"abseiling",-abc_EFG123,4,14,train', "abseiling,0123456789a,60,70,train", "zumba,AAAAAAAAAAA,0,10,train"]
    test = ["abseiling,BBBBBBBBBBB,1,11,validate", "zumba,CCCCCCCCCCC,2,12,validate"]
    (splits / "train.csv").write_text(header + "\n".join(train))
    (splits / "validate.csv").write_text(header + "\n".join(test))
    video(videos / "train/abseiling/-abc_EFG123_000004_000014.mp4")  # the crawler's names
    video(videos / "train/AAAAAAAAAAA.mp4")  # the id alone
    video(videos / "val/BBBBBBBBBBB_000001_000011.mp4")
    video(videos / "val/zumba/CCCCCCCCCCC_000099_000109.mp4")  # another part of the same film: not this clip
    table = layouts.read("kinetics", videos, splits, 1)
    there = table.video[[Path(path).exists() for path in table.path]].tolist()
    assert there == ["-abc_EFG123_000004_000014", "AAAAAAAAAAA_000000_000010", "BBBBBBBBBBB_000001_000011"]
    assert table.label.tolist() == [0, 0, 1, 0, 1]
    with pytest.raises(UserError, match=r"no usable test video of class zumba"):
        index.build("kinetics", videos, splits, [1], index.Policy("skip", "skip"))
    video(videos / "val/zumba/CCCCCCCCCCC_000002_000012.mp4")
    table = index.build("kinetics", videos, splits, [1], index.Policy("skip", "skip"))
    assert table.problem.tolist() == ["", "missing", "", "", ""]


def test_folder(tmp_path: Path) -> None:
    for part, entry in (("train", "run/a.mp4"), ("train", "sit/a.MP4"), ("test", "run/b.mkv"), ("test", "sit/._b.mp4")):
        path = video((tmp_path / part / entry).with_suffix(".avi"))
        path.rename(tmp_path / part / entry)
    table = layouts.read("folder", tmp_path, tmp_path, 1)
    rows = [["run/a", "run", "train"], ["sit/a", "sit", "train"], ["run/b", "run", "test"]]
    assert table[["video", "class", "split"]].values.tolist() == rows
    (tmp_path / "split.csv").write_text("path,split\nrun/a.mp4,train\nrun/c.mp4,test\n")
    table = layouts.read("folder", tmp_path / "train", tmp_path, 1)
    assert table.split.tolist() == ["train", "test"] and [Path(p).exists() for p in table.path] == [True, False]
    (tmp_path / "split.csv").write_text("path,split\nrun/a.mp4,validation\n")
    with pytest.raises(UserError, match="split train or test"):
        layouts.read("folder", tmp_path / "train", tmp_path, 1)
    (tmp_path / "split.csv").unlink()
    with pytest.raises(UserError, match="no folder train"):
        layouts.read("folder", tmp_path / "train", tmp_path, 1)


def test_policies(ucf101: tuple[Path, Path], tmp_path: Path) -> None:
    videos, splits = ucf101
    video(videos / "HandStandPushups/v_HandStandPushups_g08_c02.avi", frames=3)
    with (splits / "trainlist01.txt").open("a") as file:
        file.write("HandstandPushups/v_HandStandPushups_g08_c02.avi 2\nApplyEyeMakeup/v_ApplyEyeMakeup_g09_c01.avi 1\n")
    with pytest.raises(UserError) as raised:
        index.build("ucf101", videos, splits, [1], index.Policy(min_frames=8))
    assert "2 of 6 videos" in str(raised.value)
    assert "g08_c02.avi: 3 frames, but clip and future need 8" in str(raised.value)
    assert "g09_c01.avi: missing" in str(raised.value)
    with pytest.raises(UserError, match="1 of 6 videos"):
        index.build("ucf101", videos, splits, [1], index.Policy("skip", "error", 8))
    table = index.build("ucf101", videos, splits, [1], index.Policy("skip", "skip", 8))
    assert table.problem.tolist()[2:4] == ["3 frames, but clip and future need 8", "missing"]
    table.assign(run="1").to_csv(tmp_path / "index.csv", index=False)
    assert len(index.read(tmp_path / "index.csv")) == 4
    names = index.left_out(tmp_path / "index.csv").video.tolist()
    assert names == ["v_HandStandPushups_g08_c02", "v_ApplyEyeMakeup_g09_c01"]
    looped = index.build("ucf101", videos, splits, [1], index.Policy("skip", "loop", 8))
    assert looped.problem.tolist().count("") == 5 and looped.frames.tolist().count(3) == 1


def test_a_short_video_is_played_over_and_over(tmp_path: Path) -> None:
    frames = np.arange(5, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 6, 3), np.uint8)
    poses = np.arange(3, dtype=np.float32)[:, None, None] * np.ones((1, 17, 3), np.float32)  # frames 0, 2, 4
    for stem, arrays in (
        ("clips", {"v": frames}),
        ("poses", {"v": poses, "v/frame": np.array([0, 2, 4], np.int32)}),
        ("iframes", {"v": frames[[0, 3]], "v/index": np.array([0, 3], np.int32)}),
    ):
        shards.write(tmp_path / stem, arrays, {"run_id": stem})
    shape = ClipShape(frames=4, stride=2, crop=4, iframe_window=0, iframe_inside=True)
    features = Features([tmp_path / "clips"], [tmp_path / "poses"], [tmp_path / "iframes"], shape)
    assert features.length("v") == 16  # a clip and its future
    assert features.images("v", 6)[0, :, 0, 0].tolist() == [1, 3, 0, 2]  # frames 6, 8, 10, 12
    assert features.keypoints("v", 6)[:, 0, 0].tolist() == [0, 1, 0, 1]  # of frames 1, 3, 0, 2: those at or before
    assert features.batch(["v"], [8], 1).iframes[:, 0, 0, 0].tolist() == [
        0,
        3,
    ]  # played again as frames 10 and 15, 8 and 13


def test_check_lists_everything_at_once(ucf101: tuple[Path, Path], tmp_path: Path) -> None:
    first, second, third, _ = sorted(ucf101[0].rglob("*.avi"))
    first.write_bytes(second.read_bytes())
    third.write_bytes(b"junk")
    command = [sys.executable, "-m", "csvr.data", "check", "--layout", "ucf101", "--root", str(tmp_path)]
    command += ["--min-frames", "9", "--output", str(tmp_path / "problems.csv")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.returncode == 1, done.stderr
    found = pd.read_csv(tmp_path / "problems.csv").groupby("path").problem.agg("; ".join)
    assert "unreadable" in found[str(third)] and "too short: 8 of 9 frames" in found[str(first)]
    assert f"the same as {second}" in found[str(first)] or f"the same as {first}" in found[str(second)]
    assert "9,537" in done.stdout and "4 of 4 videos have something wrong" in done.stdout
    assert str(third) in done.stdout  # whole, however long


def test_check_of_what_is_not_there_says_where_to_put_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["data", "check", "--layout", "hmdb51", "--root", str(tmp_path)])
    with pytest.raises(UserError, match="/hmdb51: there is no such folder; unpack the archives to"):
        data.main()
