"""What must hold whatever the input: lists, stores of arrays, and the clips that training draws."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from csvr.data import growing, layouts, lists, shards
from csvr.data.batches import ClipShape, Features, uniform_starts
from csvr.data.journal import Journal
from csvr.errors import UserError

quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
text = st.text(st.characters(blacklist_categories=["Cs"]), max_size=30)
line = st.one_of(
    text, st.builds("{} {}".format, text, st.integers(-3, 99)), st.builds("Run/{}.avi {}".format, text, st.just(1))
)
FILES = {
    "ucf101": ("classInd.txt", "trainlist01.txt", "testlist01.txt"),
    "hmdb51": ("run_test_split1.txt", "sit_test_split1.txt"),
    "kinetics": ("train.csv", "val.csv"),
    "folder": ("split.csv",),
}
FIRST = {"classInd.txt": "1 Run\n", "train.csv": "label,youtube_id,time_start,time_end\n", "split.csv": "path,split\n"}
FIRST["val.csv"] = FIRST["train.csv"]
json_value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)


def read_or_refused(layout: str, files: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, content in files.items():
            (folder / file).write_text(content)
        try:
            table = layouts.read(layout, folder, folder, 1)
        except UserError as error:
            assert str(folder) in str(error)
        else:
            assert table.video.is_unique and table.groupby("label")["class"].nunique().max() == 1
            assert all(Path(path).is_relative_to(folder) for path in table.path)


@quick
@given(st.sampled_from(sorted(FILES)), st.data())
def test_any_lists_are_read_or_refused(layout: str, data: st.DataObject) -> None:
    made = {
        file: FIRST.get(file, "") + "\n".join(data.draw(st.lists(line, max_size=5), file)) for file in FILES[layout]
    }
    read_or_refused(layout, made)


@quick
@given(st.dictionaries(text, json_value, max_size=3) | json_value, json_value | st.lists(
    st.fixed_dictionaries({"id": json_value, "template": json_value}), max_size=3
))  # fmt: skip
def test_any_json_is_read_or_refused(labels: Any, entries: Any) -> None:
    import json

    dumped = json.dumps(entries)
    read_or_refused("ssv2", {"labels.json": json.dumps(labels), "train.json": dumped, "validation.json": dumped})


@quick
@given(st.binary(max_size=200))
def test_any_bytes_are_lines_or_refused(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        file = Path(name, "list.txt")
        file.write_bytes(content)
        try:
            found = lists.lines(file)
        except UserError as error:
            assert "not UTF-8" in str(error)
        else:
            assert all(part == part.strip() and part and where.startswith(str(file)) for where, part in found)


kept = arrays.arrays(
    st.sampled_from([np.uint8, np.int32, np.int64, np.float32, np.float64]),
    arrays.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=9),
)
names = st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=12)


@quick
@given(st.dictionaries(names, kept, max_size=4), st.integers(1, 100), st.data(), st.integers(0, 3))
def test_what_is_stored_is_what_is_read(
    monkeypatch: pytest.MonkeyPatch, stored: dict[str, np.ndarray], block: int, data: st.DataObject, killed: int
) -> None:
    """Whichever way it is written, in whichever pieces it is read, and wherever the writer was killed."""
    monkeypatch.setattr(shards, "BLOCK", block)
    monkeypatch.setattr(growing, "FLUSH_SECONDS", -1.0)
    with tempfile.TemporaryDirectory() as folder:
        one, other = Path(folder, "one"), Path(folder, "other")
        shards.write(one, stored, {"k": "v"})
        with growing.GrowingShard(other, "x") as shard:
            for name, array in list(stored.items())[:killed]:
                shard.add(name, {name: array})
        with growing.GrowingShard(other, "x") as shard:
            assert list(shard.notes) == list(stored)[:killed]
            for name, array in list(stored.items())[killed:]:
                shard.add(name, {name: array})
            shard.finish({"k": "v"})
        for name, array, found in [(*item, shards.Shards([path])) for item in stored.items() for path in (one, other)]:
            for _ in range(3):
                start = data.draw(st.integers(0, len(array)))
                stop = data.draw(st.integers(start, len(array)))
                np.testing.assert_array_equal(found.rows(name, start, stop), array[start:stop])
            np.testing.assert_array_equal(found[name], array)
            assert found[name].dtype == array.dtype and found.shape_of(name) == list(array.shape)


@quick
@given(st.lists(json_value.filter(lambda value: value == value), max_size=5), st.integers(0, 400))
def test_a_torn_journal_says_what_was_whole(entries: list[Any], torn: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "j")
        journal = Journal(path, "x")
        journal.begin([])
        journal.append(*entries)
        data = path.read_bytes()
        path.write_bytes(data[: len(data) - min(torn, len(data))])
        found = Journal(path, "x").entries
        assert repr(found) == repr(entries[: len(found)]) and (torn or len(found) == len(entries))
        assert Journal(path, "y").entries == []


@quick
@given(st.integers(0, 500), st.integers(1, 100), st.integers(1, 12))
def test_test_clips_lie_in_their_video(length: int, span: int, count: int) -> None:
    starts = uniform_starts(length, span, count)
    assert len(starts) == count and starts == sorted(starts)
    assert all(0 <= start <= max(0, length - span) for start in starts)
    # As far from the beginning as from the end.
    assert abs(starts[0] + starts[-1] - max(0, length - span)) <= 1


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, int]]:
    folder, rng = tmp_path_factory.mktemp("features"), np.random.default_rng(0)
    lengths = {f"v{k}": int(n) for k, n in enumerate((5, 16, 17, 40, 23))}
    clips = {name: rng.integers(0, 256, (n, 4, 6, 3), dtype=np.uint8) for name, n in lengths.items()}
    poses, iframes = {}, {}
    for name, n in lengths.items():
        poses |= {name: np.zeros((n, 17, 3), np.float32), f"{name}/frame": np.arange(n, dtype=np.int32)}
        iframes |= {name: clips[name][::12], f"{name}/index": np.arange(0, n, 12, dtype=np.int32)}
    for stem, made in (("clips", clips), ("poses", poses), ("iframes", iframes)):
        shards.write(folder / stem, made, {"run_id": stem})
    return folder, lengths


@quick
@given(
    st.integers(1, 4), st.integers(1, 4), st.integers(0, 30), st.booleans(), st.integers(1, 7), st.integers(0, 2**31),
    st.integers(0, 50), st.integers(1, 3),
)  # fmt: skip
def test_batches_are_a_function_of_seed_and_step(
    stores: tuple[Path, dict[str, int]], frames: int, stride: int, window: int, inside: bool, size: int, seed: int,
    step: int, processes: int,
) -> None:  # fmt: skip
    """Shares of processes are the whole, every epoch has each video once, and each clip has I-frames and poses."""
    folder, lengths = stores
    shape = ClipShape(frames, stride, 4, window, inside)
    features = Features([folder / "clips"], [folder / "poses"], [folder / "iframes"], shape)
    futures = size // 2
    whole = features.draw(list(lengths), size, seed, step, futures)
    assert whole.clip.shape == (size, 3, frames, 4, 6) and whole.future.shape == (futures, 3, frames, 4, 6)
    assert whole.owner.unique().tolist() == list(range(size)) and len(whole.iframes) == len(whole.owner)
    assert whole.poses.shape[0] == whole.future_poses.shape[0] == size
    count = min(processes, size)
    for k in range(count):
        part = features.draw(list(lengths), size, seed, step, futures, (k, count))
        assert (part.clip == whole.clip[k::count]).all() and (part.future == whole.future[k::count]).all()
        assert (part.iframes == whole.iframes[part.iframe_place]).all() and part.total == (size, len(whole.owner))


@quick
@given(st.integers(0, 2**31), st.integers(1, 7))
def test_an_epoch_has_each_video_once(stores: tuple[Path, dict[str, int]], seed: int, size: int) -> None:
    folder, lengths = stores
    features = Features([folder / "clips"], [folder / "poses"], [folder / "iframes"], ClipShape(2, 2, 4, 8, True))
    drawn: list[str] = []
    features.batch = lambda videos, starts, futures, share: drawn.extend(videos)  # type: ignore[assignment, method-assign]
    for step in range(-(-2 * len(lengths) // size)):
        features.draw(list(lengths), size, seed, step, 0)
    assert sorted(drawn[: len(lengths)]) == sorted(drawn[len(lengths) : 2 * len(lengths)]) == sorted(lengths)
