"""Encoding, I-frames and the clip cache, on generated videos and on real ones where they lie beside the repository."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from av.video.frame import PictureType

from csvr.data import clips, iframes, index, video
from csvr.errors import UserError

ROOT = Path(__file__).parents[2]
REAL = ROOT.parent / "shared" / "real_clips"


def moving_square(frames: int = 30) -> np.ndarray:
    images = np.full((frames, 64, 96, 3), 60, np.uint8)
    for k in range(frames):
        images[k, 20:40, 2 * k : 2 * k + 20] = (200, 80, 40)
    return images


def test_encoding_is_reproducible_and_close_to_the_input(tmp_path: Path) -> None:
    images = moving_square()
    for name in ("a.avi", "b.avi"):
        video.encode(tmp_path / name, images, fps=15, gop=12, b_frames=2, quality=3)
    assert (tmp_path / "a.avi").read_bytes() == (tmp_path / "b.avi").read_bytes()
    decoded = np.stack([f.to_ndarray(format="rgb24") for f in video.frames(tmp_path / "a.avi")])
    assert decoded.shape == images.shape
    assert np.abs(decoded.astype(int) - images).mean() < 4


def test_generated_video_has_i_p_and_b_frames(tmp_path: Path) -> None:
    video.encode(tmp_path / "a.avi", moving_square(), fps=15, gop=12)
    types = [PictureType(f.pict_type).name for f in video.frames(tmp_path / "a.avi")]
    assert set(types) == {"I", "P", "B"}
    found = iframes.read_iframes(tmp_path / "a.avi", 64)
    assert found.index.tolist() == [k for k, t in enumerate(types) if t == "I"] == [0, 12, 24]
    np.testing.assert_allclose(np.diff(found.time), 12 / 15)
    assert found.images.shape == (3, 64, 96, 3)


def test_frames_are_converted_without_threads(tmp_path: Path) -> None:
    """As many as the machine has cores would start in each process."""
    video.encode(tmp_path / "a.avi", moving_square(), fps=15, gop=12)
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom csvr.data import video\n"
        "tasks = lambda: len(os.listdir('/proc/self/task'))\n"
        "before = tasks()\n"
        "for frame in video.frames(Path(sys.argv[1])):\n"
        "    video.to_rgb(frame, 48, 32)\n"
        "print(tasks() - before)"
    )
    command = [sys.executable, "-W", "ignore", "-c", code, str(tmp_path / "a.avi")]
    assert subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=True).stdout == "0\n"


@pytest.mark.parametrize("name", ["broken.avi", "empty.avi", "absent.avi"])
def test_unreadable_files_are_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name != "absent.avi":
        path.write_bytes(b"no video at all" * 100 if name == "broken.avi" else b"")
    for read in (iframes.read_iframes, clips.read_video):
        with pytest.raises(UserError, match=name):
            read(path, 64)


@pytest.mark.skipif(not REAL.is_dir(), reason=f"real clips are not at {REAL}")
@pytest.mark.parametrize(
    "name",
    [
        "arm_wrestling.mp4", "basketball.mp4", "cartoon_mpeg4.mp4", "cleaning_pool.mp4", "flipping_pancake.mkv",
        "v_ApplyEyeMakeup_g01_c01.avi",
    ],
)  # fmt: skip
def test_real_clips_give_exactly_the_i_pictures_of_a_full_decode(name: str) -> None:
    types = [PictureType(f.pict_type).name for f in video.frames(REAL / name)]
    found = iframes.read_iframes(REAL / name, 64)
    assert found.index.tolist() == [k for k, t in enumerate(types) if t == "I"]
    cached = clips.read_video(REAL / name, 64)
    assert len(cached) == len(types) and min(cached.shape[1:3]) == 64
    # The same picture from both paths, whether or not its neighbours were decoded.
    np.testing.assert_array_equal(cached[found.index], found.images)
    # And with the frames between them never decoded, or never read.
    for key_frames in (None, index.facts(REAL / name)["key_frames"]):
        fast = iframes.read_iframes(REAL / name, 64, frames=len(types), key_frames=key_frames)
        np.testing.assert_array_equal(fast.index, found.index)
        np.testing.assert_array_equal(fast.images, found.images)
        np.testing.assert_array_equal(fast.time, found.time)
