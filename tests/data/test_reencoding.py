"""Re-encoding: I-frames where they are asked for, the same frames otherwise, the same bytes every time."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from av.video.frame import PictureType

from csvr.data import extraction, iframes, index, reencoding, shards
from csvr.data.iframes import read_iframes
from csvr.data.reencoding import Settings
from csvr.data.video import encode, frames, opened, to_rgb
from csvr.errors import UserError

REAL = Path(__file__).parents[3] / "shared" / "real_clips" / "v_ApplyEyeMakeup_g01_c01.avi"


def changing(path: Path, count: int = 30) -> np.ndarray:
    """A video with one I-frame, whose picture changes altogether in the middle."""
    images = np.full((count, 48, 66, 3), 60, np.uint8)
    for k in range(count):
        images[k, 10:30, 2 * k : 2 * k + 16] = (200, 80, 40)
    images[count // 2 :] = 255 - images[count // 2 :]
    encode(path, images, fps=15, gop=600, b_frames=0, quality=2)
    return images


@pytest.mark.parametrize("codec", reencoding.CODECS)
def test_i_frames_are_where_they_are_asked_for(tmp_path: Path, codec: str) -> None:
    images = changing(tmp_path / "a.avi")
    settings = Settings(codec, gop=7, quality=2, short_side=None)
    coded = reencoding.reencode(tmp_path / "a.avi", settings)
    assert (coded == reencoding.reencode(tmp_path / "a.avi", settings)).all()
    (tmp_path / "b.mp4").write_bytes(coded.tobytes())
    found = list(frames(tmp_path / "b.mp4"))
    assert [k for k, frame in enumerate(found) if frame.pict_type == PictureType.I] == list(range(0, 30, 7))
    assert read_iframes(tmp_path / "b.mp4", 48).index.tolist() == list(range(0, 30, 7))
    decoded = np.stack([to_rgb(frame, 66, 48) for frame in found])
    assert np.abs(decoded.astype(int) - images).mean() < 6


def test_sides_are_scaled_and_even(tmp_path: Path) -> None:
    changing(tmp_path / "a.avi", 4)
    (tmp_path / "b.mp4").write_bytes(reencoding.reencode(tmp_path / "a.avi", Settings("mpeg4", 2, 2, 31)).tobytes())
    assert {(frame.width, frame.height) for frame in frames(tmp_path / "b.mp4")} == {(42, 32)}


def test_videos_of_a_shard_are_files_again(tmp_path: Path) -> None:
    changing(tmp_path / "a.avi", 4)
    coded = reencoding.reencode(tmp_path / "a.avi", Settings("mpeg4", 2, 2, None))
    header = {"index_sha256": "1", "params": {"gop": 2}}
    shards.write(tmp_path / "0.safetensors", {"a": coded}, header)
    with reencoding.opened(tmp_path / "0.safetensors", "1") as (store, params):
        path = store.file("a")
        assert path.read_bytes() == coded.tobytes() and params == {"gop": 2}
        with pytest.raises(UserError, match="has no video b"):
            store.file("b")
    assert not path.exists()
    with pytest.raises(UserError, match="--forcerun reencode"), reencoding.opened(tmp_path / "0.safetensors", "2"):
        pass


@pytest.mark.parametrize("codec", reencoding.CODECS)
def test_the_number_of_key_frames_is_that_of_the_reencoded_video(tmp_path: Path, codec: str) -> None:
    """So that of mpeg4 they alone are read, where the container says they are."""
    for part in ("train", "test"):
        changing(tmp_path / part / "run" / f"{part}.avi")
    table = index.build("folder", tmp_path, tmp_path, [1], index.Policy())
    table.assign(run="1").to_csv(tmp_path / "index.csv", index=False)
    settings = Settings(codec, gop=7, quality=2, short_side=None)
    coded = {
        video: reencoding.reencode(Path(path), settings) for video, path in zip(table.video, table.path, strict=True)
    }
    header = {"index_sha256": index.content(index.read(tmp_path / "index.csv")), "params": asdict(settings)}
    shards.write(tmp_path / "0.safetensors", coded, header)
    with extraction.indexed(tmp_path / "index.csv", (0, 1), tmp_path / "0.safetensors") as (videos, file, _):
        for video in videos:
            assert (video.frames, video.key_frames) == (30, 5)
            with opened(file(video)) as (_, stream):
                assert list(iframes._places(stream, 30, 5)) == (list(range(0, 30, 7)) if codec == "mpeg4" else [])
            assert read_iframes(file(video), 48, None, 30, 5).index.tolist() == list(range(0, 30, 7))


def test_wrong_parameters_are_named() -> None:
    good = {"codec": "mpeg4", "gop": 12, "quality": 1, "short_side": None}
    for change, match in (({"codec": "vp8"}, "codec = vp8"), ({"gop": 0}, "gop = 0"), ({"goop": 1}, "goop")):
        with pytest.raises(UserError, match=match):
            Settings.of(good | change)


@pytest.mark.skipif(not REAL.exists(), reason=f"{REAL} is not there")
def test_a_real_video_of_ucf101_gets_an_i_frame_every_twelve_frames(tmp_path: Path) -> None:
    assert read_iframes(REAL, 64).index.tolist() == [0]
    (tmp_path / "b.mp4").write_bytes(reencoding.reencode(REAL, Settings("mpeg4", 12, 1, None)).tobytes())
    assert read_iframes(tmp_path / "b.mp4", 64).index.tolist() == list(range(0, 164, 12))
