"""Shards of a data set: which videos they hold, that all bad files are named, that a died job goes on."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from csvr.data import clips, growing, shards
from csvr.data.extraction import Video, extract_videos, shard_rows
from csvr.errors import UserError


@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=80), st.integers(1, 12))
def test_shards_share_the_frames_out_evenly_and_in_order(frames: list[int], count: int) -> None:
    table = pd.DataFrame({"frames": frames})
    parts = [shard_rows(table, (number, count)) for number in range(count)]
    assert [k for part in parts for k in part.index] == list(range(len(frames)))
    # None is more than one video away from its share.
    assert all(part.frames.sum() <= sum(frames) / count + max(frames) for part in parts)


def test_a_died_job_goes_on_and_all_bad_files_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growing, "FLUSH_SECONDS", -1.0)
    videos, asked, output = [Video(f"v{k}", tmp_path / f"{k}.avi") for k in range(5)], [], tmp_path / "0.safetensors"
    bad = {"v1", "v3"}

    def extract(video: Video) -> tuple[dict[str, Any], str]:
        name = video.name
        asked.append(name)
        if name in bad:
            raise UserError(f"{video.path}: broken")
        return {name: np.full(3, int(name[1]), np.uint8)}, name.upper()

    with pytest.raises(UserError, match=r"2 of 5 videos can't be used:\n.*1.avi: broken\n.*3.avi: broken"):
        extract_videos("clips", videos, extract, output, "a", {})
    assert not output.exists()
    bad.clear()
    notes = extract_videos("clips", videos, extract, output, "a", {"k": 1}, lambda notes: {"notes": sorted(notes)})
    assert asked == ["v0", "v1", "v2", "v3", "v4", "v1", "v3"]
    assert notes == {video.name: video.name.upper() for video in videos}
    names = [video.name for video in videos]
    assert shards.header(output) == {"k": 1, "notes": names, "videos": names}
    assert shards.Shards([output])["v3"].tolist() == [3, 3, 3]


@pytest.mark.parametrize("storage", clips.STORAGES)
def test_stored_frames_are_read_back(tmp_path: Path, storage: str) -> None:
    ramp = np.linspace(0, 200, 24 * 32).reshape(24, 32)[None, :, :, None] + 10 * np.arange(5)[:, None, None, None]
    images = (ramp * (1.0, 0.5, 0.2)).astype(np.uint8)
    shards.write(tmp_path / "s", clips.packed("a/b", images, storage, 95), {})
    store = clips.Clips([tmp_path / "s"])
    assert store.shape("a/b") == (5, 24, 32)
    for wanted in (range(1, 5, 2), np.array([4, 0, 0])):
        found = store.images("a/b", wanted)
        error = np.abs(found.astype(int) - images[np.asarray(wanted)])
        assert found.shape == (len(wanted), 24, 32, 3) and error.max() <= (0 if storage == "raw" else 12)
