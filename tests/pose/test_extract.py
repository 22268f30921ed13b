"""Extraction end to end on small real files with the shipped checkpoint, and its refusals."""

import ast
import json
import pickle
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from csvr import poses
from csvr.data import shards, video
from csvr.data.extraction import Video
from csvr.errors import UserError
from csvr.files import sha256
from csvr.pose import drawing, quality
from csvr.pose.detector import MEAN, PADDING, STD, Detector, Person, load, padding, to_batch
from csvr.pose.estimator_data import render
from csvr.pose.extract import Settings, extract, follow, similarity, video_poses

openpifpaf = pytest.importorskip("openpifpaf")

SHIPPED = Path(poses.__file__).parent / "pose" / "checkpoints" / "rendered.pt"
REAL = Path(__file__).resolve().parents[3] / "shared" / "real_clips"
SETTINGS = Settings(
    checkpoint=str(SHIPPED),
    sha256=json.loads(SHIPPED.with_suffix(".json").read_text())["sha256"],
    stride=1,
    long_edge=640,
    batch=4,
    continuity=0.05,
    decoder={"seed": 0.1, "cif": 0.05, "caf": 0.1, "keypoint": 0.05, "keypoint_rel": 0.0, "instance": 0.1},
)


@pytest.fixture(scope="module")
def detector() -> Detector:
    """The shipped network."""
    return Detector(load(SETTINGS.checkpoint, SETTINGS.sha256).net, SETTINGS.decoder)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    """A video of ten rendered images that show a whole figure, and the true keypoints (10, 17, 2)."""
    samples = [s for s in (render(99, i, empty=0.0) for i in range(40)) if (s.points[:, 2] > 0).all()][:10]
    path = tmp_path_factory.mktemp("video") / "figures.avi"
    video.encode(path, np.stack([s.image for s in samples]), fps=10, gop=1, b_frames=0, quality=2)
    return path, np.stack([s.points[:, :2] for s in samples])


def person(x: float, y: float, score: float) -> Person:
    """A person 40 × 80 pixels in size, its box's corner at (x, y)."""
    points = np.zeros((17, 3), dtype=np.float32)
    points[:, 0] = x + np.linspace(0, 40, 17)
    points[:, 1] = y + np.linspace(0, 80, 17)
    points[:, 2] = score
    return Person(points, score)


def test_the_figure_is_found(clip: tuple[Path, np.ndarray], detector: Detector) -> None:
    path, truth = clip
    result = video_poses(path, detector, replace(SETTINGS, continuity=1.1))
    measured = quality.summary(result.poses, truth)
    assert measured["detected"] >= 0.9 and measured["pck@0.1"] >= 0.8
    assert result.frame.tolist() == list(range(10)) and result.size.tolist() == [128, 128]
    assert (result.poses[result.poses[..., 2] == 0] == 0).all()


def test_stride_batch_and_thread_change_nothing_but_the_frames(
    clip: tuple[Path, np.ndarray], detector: Detector
) -> None:
    path, _ = clip
    every = video_poses(path, detector, replace(SETTINGS, continuity=1.1))
    third = video_poses(path, detector, replace(SETTINGS, continuity=1.1, stride=3, batch=3))
    ahead = video_poses(path, detector, replace(SETTINGS, continuity=1.1, stride=3, batch=3), threaded=True)
    np.testing.assert_array_equal(ahead.poses, third.poses)
    assert third.frame.tolist() == [0, 3, 6, 9]
    np.testing.assert_allclose(third.poses, every.poses[::3], atol=1e-2)


def test_poses_of_scaled_frames_are_in_the_videos_pixels(
    clip: tuple[Path, np.ndarray], detector: Detector, tmp_path: Path
) -> None:
    path, truth = clip
    images = [frame.to_ndarray(format="rgb24") for frame in video.frames(path)]
    tall = [cv2.copyMakeBorder(cv2.resize(i, (256, 256)), 0, 64, 0, 0, cv2.BORDER_CONSTANT) for i in images]
    video.encode(tmp_path / "big.avi", np.stack(tall), fps=10, gop=1, b_frames=0, quality=2)
    result = video_poses(tmp_path / "big.avi", detector, replace(SETTINGS, continuity=1.1, long_edge=160))
    assert result.size.tolist() == [256, 320]
    measured = quality.summary(result.poses, (truth + 0.5) * 2 - 0.5)
    assert measured["pck@0.1"] >= 0.75


def test_detector_gives_what_predictor_gives(detector: Detector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    monkeypatch.setattr(openpifpaf.network.Factory, "checkpoint", None)
    monkeypatch.setattr(openpifpaf.Predictor, "device", torch.device("cpu"))
    predictor = openpifpaf.Predictor(checkpoint=str(SHIPPED))
    image = render(7, 0, empty=0.0).image
    odd = np.ascontiguousarray(image[:101, :90])
    compared = 0
    for picture in (image, odd):
        expected = sorted(predictor.numpy_image(picture)[0], key=lambda a: -a.score)
        found = detector(picture[None])[0]
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one.points, np.where(other.data[:, 2:] > 0, other.data, 0), atol=2e-2)
            assert one.score == pytest.approx(other.score, abs=1e-3)
            compared += 1
    assert compared


@pytest.mark.parametrize(("size", "expected"), [(128, (0, 1)), (129, (0, 0)), (130, (7, 8)), (240, (0, 1))])
def test_padding_is_that_of_center_pad_tight(size: int, expected: tuple[int, int]) -> None:
    assert padding(size) == expected
    assert to_batch(np.zeros((1, size, 128, 3), dtype=np.uint8)).shape == (1, 3, size + sum(expected), 129)


def test_batches_are_padded_and_normalised_pixel_by_pixel() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (2, 20, 37, 3), dtype=np.uint8)
    (top, bottom), (left, right) = padding(20), padding(37)
    borders = (top, bottom, left, right, cv2.BORDER_CONSTANT)
    padded = np.stack([cv2.copyMakeBorder(frame, *borders, value=PADDING) for frame in frames])
    expected = torch.from_numpy(padded).permute(0, 3, 1, 2).float()
    mean, std = (torch.tensor(values).view(3, 1, 1) * 255 for values in (MEAN, STD))
    found = to_batch(frames)
    assert torch.equal(found, (expected - mean) / std)
    assert found.is_contiguous(memory_format=torch.channels_last)


def test_the_person_of_the_last_frame_is_preferred_to_a_surer_one() -> None:
    left, right = person(10, 10, 0.5), person(70, 10, 0.9)
    frames = [[left], [replace(right), replace(person(12, 11, 0.4))], [], [right, person(13, 12, 0.3)], [right]]
    chosen = follow(frames, continuity=0.05)
    assert chosen[:4, 0, 0].tolist() == [10, 12, 0, 13]
    assert not chosen[2].any()
    assert chosen[4, 0, 0] == 70  # the followed one is gone: the most confident starts anew
    assert follow(frames, continuity=1.1)[:, 0, 0].tolist() == [10, 70, 0, 70, 70]


def test_similarity_is_over_common_keypoints() -> None:
    one = person(0, 0, 0.5).points
    other = one.copy()
    other[3:] = 0
    assert similarity(one, other) == pytest.approx(1.0)
    assert similarity(one, one + np.array([200, 0, 0], dtype=np.float32)) < 1e-6
    nobody = np.zeros_like(one)
    assert similarity(one, nobody) == similarity(nobody, one) == 0.0


def test_a_checkpoint_of_another_hash_is_not_opened(tmp_path: Path) -> None:
    class Trap:
        """Writes a file when it is unpickled."""

        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (tmp_path / "sprung",)  # type: ignore[return-value]

    file = tmp_path / "net.pt"
    file.write_bytes(pickle.dumps(Trap()))
    for pinned in ("0" * 64, None):
        with pytest.raises(UserError, match=sha256(file)):
            load(str(file), pinned)
    assert not (tmp_path / "sprung").exists()
    with pytest.raises(UserError, match="shufflenetv2k16"):
        load(str(tmp_path / "no-such-file.pt"), None)


def test_a_file_that_is_no_checkpoint_is_named(tmp_path: Path) -> None:
    file = tmp_path / "text.pt"
    file.write_text("not a checkpoint")
    with pytest.raises(UserError, match="text.pt: no OpenPifPaf checkpoint"):
        load(str(file), sha256(file))


def test_all_bad_videos_are_listed_and_nothing_is_written(clip: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    (tmp_path / "corrupt.avi").write_bytes(b"no video" * 100)
    (tmp_path / "empty.mp4").touch()
    files = [clip[0], tmp_path / "corrupt.avi", tmp_path / "empty.mp4", tmp_path / "missing.avi"]
    with pytest.raises(UserError) as caught:
        extract([Video(f.stem, f) for f in files], SETTINGS, tmp_path / "out.safetensors", {}, {})
    message = str(caught.value)
    assert message.startswith("3 of 4 videos")
    assert all(f.name in message for f in files[1:]) and "figures.avi" not in message
    assert not (tmp_path / "out.safetensors").exists()


def test_command_writes_shard_and_header(
    clip: tuple[Path, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = tmp_path / "nobody.avi"
    video.encode(nobody, np.full((5, 64, 96, 3), 90, dtype=np.uint8), fps=10, gop=5)
    (tmp_path / "list.txt").write_text(f"{clip[0]}\n\n{nobody}\n")
    params = {**vars(SETTINGS), "decoder": dict(SETTINGS.decoder), "stride": 2}
    output = tmp_path / "poses.safetensors"
    flags = ["--videos", str(tmp_path / "list.txt"), "--params", json.dumps(params), "--output", str(output)]
    monkeypatch.setattr(sys, "argv", ["poses", "extract", *flags, "--runs", str(tmp_path / "runs")])
    poses.main()
    shard = shards.Shards([output])
    assert set(shard) == {f"{v}{part}" for v in ("figures", "nobody") for part in ("", "/frame", "/size")}
    assert shard["figures"].shape == (5, 17, 3) and shard["figures"].dtype == np.float32
    assert shard["nobody/size"].tolist() == [96, 64] and shard["nobody/frame"].tolist() == [0, 2, 4]
    assert not shard["nobody"].any()
    header = shards.header(output)
    assert header["run_id"] == "1" and header["params"] == params and "--videos" in header["command"]
    assert header["checkpoint"] == "rendered.pt" and header["sha256"] == SETTINGS.sha256
    assert header["videos"] == ["figures", "nobody"]
    assert header["detection_rate"]["figures"] >= 0.8 and header["detection_rate"]["nobody"] == 0
    assert len(header["warnings"]) == 1 and "nobody.avi" in header["warnings"][0]


def test_wrong_parameters_are_named() -> None:
    good = {**vars(SETTINGS)}
    with pytest.raises(UserError, match="strride"):
        Settings.of({**good, "strride": 1})
    with pytest.raises(UserError, match="stride"):
        Settings.of({**good, "stride": 0})
    with pytest.raises(UserError, match="loose"):
        Detector(load(SETTINGS.checkpoint, SETTINGS.sha256).net, {"loose": 1.0})


@pytest.mark.parametrize("name", ["basketball.mp4", "cartoon_mpeg4.mp4", "v_ApplyEyeMakeup_g01_c01.avi"])
def test_real_clips_go_through(name: str, detector: Detector) -> None:
    """Real videos of other sizes and codecs; the network knows drawn figures only, so nothing is asked of it."""
    path = REAL / name
    if not path.exists():
        pytest.skip(f"{path} is not there: real clips are kept outside the repository")
    result = video_poses(path, detector, replace(SETTINGS, stride=100, long_edge=240))
    assert len(result.poses) == len(result.frame) >= 2
    assert 0.0 <= result.detection_rate <= 1.0
    found = result.poses[..., 2] > 0
    assert np.isfinite(result.poses).all() and (result.poses[~found] == 0).all()
    assert (result.poses[found][:, :2] <= result.size + 64).all()


def test_openpifpaf_is_imported_inside_functions_of_one_package_only() -> None:
    """So that csvr can be imported where it isn't installed, and its licence reaches no further (docs/licences.md)."""
    inside = 0
    for file in Path(poses.__file__).parent.rglob("*.py"):
        tree = ast.parse(file.read_text())
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name.split(".")[0] == "openpifpaf" for name in names):
                assert node not in tree.body and file.parent.name == "pose", file
                inside += 1
    assert inside


def test_show_draws_the_skeleton_and_marks_i_frames(
    clip: tuple[Path, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    params = {"pose_extraction": {**vars(SETTINGS), "decoder": dict(SETTINGS.decoder)}}
    images = np.stack([video.to_rgb(frame, frame.width, frame.height) for frame in video.frames(clip[0])])
    video.encode(tmp_path / "a.avi", images, fps=10, gop=4, b_frames=0, quality=2)
    output = tmp_path / "out/shown.mp4"
    flags = [str(tmp_path / "a.avi"), "--params", json.dumps(params), "--output", str(output)]
    monkeypatch.setattr(sys, "argv", ["poses", "show", *flags])
    poses.main()
    assert f"{output}: 10 frames looked at, somebody found in" in capsys.readouterr().out
    shown = np.stack([video.to_rgb(frame, frame.width, frame.height) for frame in video.frames(output)]).astype(int)
    original = list(video.frames(tmp_path / "a.avi"))
    plain = np.stack([video.to_rgb(frame, *shown.shape[2:0:-1]) for frame in original])
    marked = [k for k, frame in enumerate(shown) if np.abs(frame[:3].mean((0, 1)) - drawing.MARK).max() < 40]
    assert marked == [k for k, frame in enumerate(original) if video.is_iframe(frame)] != list(range(10))
    # Where people stand something is drawn, where nothing is found nothing.
    changed = np.abs(shown - plain).max(-1) > 60
    assert changed[1, 20:-30].mean() > 0.002 and changed[1].mean() < 0.2


def test_poses_do_not_depend_on_the_videos_before(clip: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    """Bit for bit: shards of other sizes and jobs that go on after a kill see other videos first."""
    images = np.stack([video.to_rgb(frame, frame.width, frame.height) for frame in video.frames(clip[0])])
    video.encode(tmp_path / "b.avi", images[::-1, :, ::-1], fps=10, gop=4)
    videos = [Video("a", clip[0]), Video("b", tmp_path / "b.avi")]
    for name, some in (("both", videos), ("one", videos[1:])):
        extract(some, SETTINGS, tmp_path / name, {}, {})
    both, one = (shards.Shards([tmp_path / name])["b"] for name in ("both", "one"))
    assert both[..., 2].any()
    np.testing.assert_array_equal(both, one)


def test_a_new_decoder_says_nothing_of_the_size_of_its_maps(
    clip: tuple[Path, np.ndarray], detector: Detector, capfd: pytest.CaptureFixture[str]
) -> None:
    detector.forget()
    video_poses(clip[0], detector, SETTINGS)
    said = capfd.readouterr()
    assert said.out == said.err == ""
