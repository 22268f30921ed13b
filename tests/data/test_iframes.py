"""I-frames where they are read without decoding all: the same ones as by a full decode, or that is done."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import av
import numpy as np
import pytest

from csvr.data import iframes, index, video
from tests.data.bad_videos import FRAMES, moving, write


def test_frames_alone_are_skipped_only_where_that_is_certain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "frames", lambda path: pytest.fail("decoded in full"))
    path = write(tmp_path / "plain.mkv", b_frames=2)
    assert iframes.read_iframes(path, 32, frames=FRAMES).index.tolist()[:2] == [0, 6]
    with pytest.raises(pytest.fail.Exception):
        iframes.read_iframes(path, 32, frames=FRAMES - 1)


@pytest.mark.parametrize("name", ["a.avi", "a.mp4"])
def test_key_frames_alone_are_read_where_the_container_says_which(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / name)
    expected = iframes.read_iframes(path, 32)
    assert expected.index.tolist() == [0, 6, 12, 18]
    monkeypatch.setattr(iframes, "_complete", lambda *_: pytest.fail("decoded in full"))
    monkeypatch.setattr(iframes, "_of_all_packets", lambda *_: pytest.fail("read in full"))
    found = iframes.read_iframes(path, 32, None, FRAMES, 4)
    for one, other in ((found.images, expected.images), (found.index, expected.index), (found.time, expected.time)):
        np.testing.assert_array_equal(one, other)
    for frames, key_frames in ((FRAMES - 1, 4), (FRAMES, 5), (FRAMES, 0), (FRAMES, None)):
        with pytest.raises(pytest.fail.Exception, match="read in full"):
            iframes.read_iframes(path, 32, None, frames, key_frames)


@pytest.mark.parametrize(("name", "known"), [("a.avi", (FRAMES, 4)), ("a.mkv", (FRAMES, 4)), ("a.avi", (None, None))])
def test_a_picture_is_scaled_before_the_next_one_is_decoded(
    name: str, known: tuple[int | None, int | None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the container's index, in the file's order, and in a full decode: no other one is kept at full size."""
    path, done = write(tmp_path / name), list[str]()
    for step in ("is_iframe", "resized"):
        function = getattr(iframes, step)

        def noted(*args: Any, step: str = step, function: Any = function) -> Any:
            found = function(*args)
            done.extend([step] * (found is not False))
            return found

        monkeypatch.setattr(iframes, step, noted)
    assert len(iframes.read_iframes(path, 32, None, *known).index) == 4
    assert done == ["is_iframe", "resized"] * 4


@pytest.mark.parametrize("far", [True, False])
def test_an_index_that_is_wrong_is_not_followed(tmp_path: Path, far: bool) -> None:
    """Where it has another picture than an I picture, or nothing at all, the I-frames are those of a full decode."""
    good, wrong = write(tmp_path / "good.avi"), tmp_path / "wrong.avi"
    expected, data = iframes.read_iframes(good, 32), bytearray(good.read_bytes())
    flags = data.index(b"idx1") + 8 + 6 * 16 + 4  # of frame 6: an entry has name, flags, offset and size
    if far:
        data[flags + 4 : flags + 8] = (2**31 - 1).to_bytes(4, "little")
    else:
        data[flags], data[flags + 16] = 0, 0x10  # not this one but the next is a key frame
    wrong.write_bytes(data)

    def scaled(frame: av.VideoFrame) -> iframes._Picture:
        return iframes._Picture(frame.pts, frame.time, video.resized(frame, 32))

    with video.opened(wrong) as (container, stream):
        places = iframes._places(stream, FRAMES, 4)
        assert list(places) == [0, 6 if far else 7, 12, 18]
        assert iframes._key_frames(container, stream, places, scaled) is None
    found = iframes.read_iframes(wrong, 32, None, FRAMES, 4)
    np.testing.assert_array_equal(found.index, expected.index)
    np.testing.assert_array_equal(found.images, expected.images)


def test_what_cannot_be_read_in_the_order_of_the_index_is_read_in_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, opened = write(tmp_path / "a.avi"), iframes.opened

    @contextmanager
    def without_seek(path: Path) -> Iterator[tuple[object, object]]:
        with opened(path) as (_, stream):
            yield mock.Mock(seek=mock.Mock(side_effect=av.error.PermissionError(1, "not permitted"))), stream

    monkeypatch.setattr(iframes, "opened", without_seek)
    assert iframes.read_iframes(path, 32, None, FRAMES, 4).index.tolist() == [0, 6, 12, 18]


def said_to_have_no_b_pictures(packet: bytes) -> bytes:
    """With the bit low_delay of its MPEG-4 headers (video object layers) set."""
    changed = bytearray(packet)
    for start in re.finditer(rb"\x00\x00\x01[\x20-\x2f]", packet):
        assert changed[start.end() + 2] & 4  # vol_control_parameters, of which low_delay is one
        changed[start.end() + 3] |= 0x80
    return bytes(changed)


@pytest.mark.parametrize("denied", [True, False])
def test_b_pictures_that_come_late(tmp_path: Path, denied: bool) -> None:
    """After a header that says that there are none; the headers of later key frames say so, too, or that there are."""
    parts = [write(tmp_path / "a.avi", moving(240), gop=12), write(tmp_path / "b.avi", gop=12, b_frames=2)]
    path, count = tmp_path / "both.avi", 0
    with av.open(str(path), "w") as target, av.open(str(parts[0])) as first, av.open(str(parts[1])) as second:
        stream = target.add_stream_from_template(first.streams.video[0])
        for source in (first, second):
            for packet in source.demux(source.streams.video[0]):
                if packet.size:
                    whole = av.Packet(said_to_have_no_b_pictures(bytes(packet)) if denied else bytes(packet))
                    whole.stream, whole.time_base, whole.is_keyframe = stream, packet.time_base, packet.is_keyframe
                    whole.pts = whole.dts = count
                    target.mux(whole)
                    count += 1
    row, expected = index.inspect(path), iframes.read_iframes(path, 32)
    # A decoder that is told shows them in their order, and the picture before them twice.
    assert (row["problem"], row["frames"], row["key_frames"]) == ("", count if denied else count + 1, 23)
    with video.opened(path) as (_, stream):
        assert bool(iframes._places(stream, row["frames"], row["key_frames"])) == denied
    found = iframes.read_iframes(path, 32, None, row["frames"], row["key_frames"])
    np.testing.assert_array_equal(found.index, expected.index)
    np.testing.assert_array_equal(found.images, expected.images)
