"""What csvr does with each kind of bad or odd input: it works, or one clear line says which file, what and why.

Every reader (index, clips, I-frames, poses) must come to the same: the same frames, or a refusal that names the file.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from csvr.data import clips, extraction, iframes, index, layouts, shards, video
from csvr.errors import UserError
from csvr.pose.extract import Settings, video_poses
from tests.data.bad_videos import BROKEN, FRAMES, HEIGHT, ODD, WIDTH, content, moving, write

POSES = Settings(checkpoint="", sha256=None, stride=1, long_edge=640, batch=5, continuity=0.05, decoder={})


def poses_see(path: Path) -> tuple[int, tuple[int, int], tuple[int, int]]:
    """Frames, picture size (width, height) and stored size of what the pose network is given."""
    shapes = []

    def nobody(images: list[np.ndarray]) -> list[list[object]]:
        shapes.extend((image.shape[1], image.shape[0]) for image in images)
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
    for known in ((), (frames,), (frames, row["key_frames"])):
        found = iframes.read_iframes(path, side, None, *known)
        assert found.index.tolist() == expected
        np.testing.assert_array_equal(found.images, images[expected])


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
        index.build("folder", installation.root, installation.root, [1], index.Policy(min_frames=8))
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
    table = index.build("folder", installation.root, installation.root, [1], policy, workers=2)
    table.assign(run="1").to_csv(tmp_path / "index.csv", index=False)
    assert sorted(index.read(tmp_path / "index.csv").video) == installation.good
    left_out = index.left_out(tmp_path / "index.csv")
    assert set(left_out.path) == {video.printable(path) for path in listed(installation)}


def test_check_names_all_bad_videos(installation: Installation, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "csvr.data", "check", "--layout", "folder", "--root", str(installation.root)]
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
    table = index.build("folder", tmp_path, tmp_path, [1], index.Policy())
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


@pytest.mark.parametrize("replaced", [True, False])
def test_a_video_that_changes_while_it_is_read(tmp_path: Path, replaced: bool) -> None:
    """By another file in its place, or in place: neither is taken for the one that was indexed."""
    path = write(tmp_path / "a.avi")
    original, other = path.read_bytes(), path.read_bytes()[:-1] + b"x"
    video = extraction.Video("a", path, sha256=index.inspect(path)["sha256"])
    times = path.stat()

    def extract(found: extraction.Video) -> tuple[dict[str, clips.Frames], None]:
        index.unchanged(path, str(found.sha256))
        if replaced:
            path.unlink()
        content(path, other)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        return {"a": clips.read_video(path, 32)}, None

    with pytest.raises(UserError, match=r"a.avi: was changed while it was read; .* --forcerun index_videos"):
        extraction.extract_videos("clips", [video], extract, tmp_path / "shard", "x", {})
    assert not (tmp_path / "shard").exists()
    content(path, original)
    expected = clips.read_video(path, 32)
    extraction.extract_videos("clips", [video], lambda v: ({"a": expected}, None), tmp_path / "shard", "x", {})
    assert (shards.Shards([tmp_path / "shard"])["a"] == expected).all()


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
                index.build("folder", root, root, [1], index.Policy())
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
