"""Each data set from its archive's layout to the first training step, by the commands that the rules call."""

import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

import csvr.clips
import csvr.data.__main__ as data
import csvr.iframes
import csvr.index
import csvr.poses
import csvr.reencode
from csvr.data import shards
from csvr.data.index import left_out, read
from csvr.data.layouts import LAYOUTS
from csvr.errors import UserError
from csvr.pretrain import __main__ as pretrain
from tests.data.installations import CLASSES, install

ROOT = Path(__file__).parents[2]
REAL = ROOT.parent / "shared" / "real_clips"
FRAMES = {"short_side": 32, "aspect": 4 / 3}
FEATURES = {
    "clips": FRAMES | {"storage": "jpeg", "quality": 90},
    "iframes": FRAMES,
    "reencode": {"codec": "mpeg4", "gop": 6, "quality": 2, "short_side": None},
}


def poses() -> dict[str, Any]:
    params: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text())["pose_extraction"]
    return params | {"checkpoint": str(ROOT / params["checkpoint"]), "stride": 4}


def pretraining() -> dict[str, Any]:
    """The embedded networks, one step of two clips."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["clip"] |= {"crop": 28, "stride": 4}
    params["pretrain"] |= {"steps": 1, "batch": 2, "warmup": 1, "log_every": 1}
    params["model"]["generation"] |= {"clips": 2, "penalty_every": 1}
    names = ("clip", "augment", "model", "pretrain", "sigma_v", "sigma_p", "sigma_c", "pose_input")
    return {name: params[name] for name in names}


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    def run(main: Any, *flags: Any) -> None:
        monkeypatch.setattr(sys, "argv", [main.__module__, *map(str, flags), "--runs", str(tmp_path / "runs")])
        main()

    return run


def features(call: Any, folder: Path, *source: Any) -> dict[str, Path]:
    """Re-encode, then extract from that."""
    made = {kind: folder / f"{kind}.safetensors" for kind in ("reencode", "clips", "iframes", "poses")}
    call(csvr.reencode.main, *source, "--params", json.dumps(FEATURES["reencode"]), "--output", made["reencode"])
    source = (*source, "--reencoded", made["reencode"])
    for kind, main in (("clips", csvr.clips.main), ("iframes", csvr.iframes.main)):
        call(main, *source, "--params", json.dumps(FEATURES[kind]), "--output", made[kind])
    call(csvr.poses.main, "extract", *source, "--params", json.dumps(poses()), "--output", made["poses"])
    return made


@pytest.mark.parametrize("layout", LAYOUTS)
def test_from_the_archives_layout_to_a_training_step(
    layout: str, call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = install(layout, tmp_path / "data")
    problems = tmp_path / "problems.csv"
    check = ["check", "--layout", layout, "--root", str(tmp_path / "data"), "--min-frames", "32"]
    monkeypatch.setattr(sys, "argv", ["data", *check, "--output", str(problems)])
    with pytest.raises(SystemExit) as done:
        data.main()
    # The lists are shorter than the published ones, but for a folder's.
    assert done.value.code == (0 if layout == "folder" else 1)
    said = capsys.readouterr().out
    assert "I-frames a second" in said and "frames. dataset.iframes: native will do" in said
    missing = pd.read_csv(problems).problem.tolist()
    assert missing == (["missing"] * 2 if layout == "kinetics" else [])

    index = tmp_path / "index.csv"
    policy = ["--broken", "skip" if layout == "kinetics" else "error", "--min-frames", 32]
    where = ["--videos", folders["videos"], "--splits", folders["splits"]]
    call(csvr.index.main, "--layout", layout, *where, *policy, "--journal", tmp_path / "j", "--output", index)
    usable = read(index).video.tolist()
    assert len(usable) == 6 and set(read(index)["class"]) == set(CLASSES[layout])
    assert len(left_out(index)) == len(missing)
    made = features(call, tmp_path, "--index", index)
    store = shards.Shards([made["iframes"]])
    assert all(store[f"{video}/index"].tolist() == [0, 6, 12, 18, 24, 30] for video in usable)
    assert {store[video].shape[1:] for video in usable} == {(32, 43, 3)}
    call(
        pretrain.main, "--index", index, "--clips", made["clips"], "--poses", made["poses"],
        "--iframes", made["iframes"], "--params", json.dumps(pretraining()), "--variant", "full", "--seed", 0,
        "--output", tmp_path / "networks.safetensors", "--history", tmp_path / "history.csv",
    )  # fmt: skip
    assert shards.header(tmp_path / "networks.safetensors")["data"]["made"]["clips"]["params"]["storage"] == "jpeg"


def test_sparse_i_frames_call_for_re_encoding() -> None:
    sparse = pd.DataFrame({"frames": [164, 9], "key_frames": [1, 0], "fps": [25.0, 0.0], "problem": ["", "missing"]})
    assert data.advice(sparse).startswith("An I-frame every 164 frames.") and "reencode" in data.advice(sparse)
    assert data.iframe_rate(sparse) == pytest.approx(25 / 164)


@pytest.mark.skipif(not REAL.is_dir(), reason=f"real clips are not at {REAL}")
def test_real_clips_go_through(call: Any, tmp_path: Path) -> None:
    files = sorted(path for path in REAL.iterdir() if path.suffix in (".avi", ".mp4", ".mkv"))
    rows = ["path,split"]
    for number, path in enumerate(files):
        part, name = "test" if number % 3 == 2 else "train", f"class{number // 3}"
        target = tmp_path / "videos" / name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(path)
        rows.append(f"{name}/{path.name},{part}")
    (tmp_path / "split.csv").write_text("\n".join(rows) + "\n")
    index = tmp_path / "index.csv"
    where = ["--videos", tmp_path / "videos", "--splits", tmp_path]
    call(csvr.index.main, "--layout", "folder", *where, "--min-frames", 32, "--output", index)
    source = ["--index", index]
    for kind, main in (("clips", csvr.clips.main), ("iframes", csvr.iframes.main)):
        call(main, *source, "--params", json.dumps(FEATURES[kind]), "--output", tmp_path / kind)
    call(
        csvr.poses.main, "extract", *source, "--params", json.dumps(poses() | {"stride": 60, "long_edge": 200}),
        "--output", tmp_path / "poses",
    )  # fmt: skip
    stores = [shards.Shards([tmp_path / kind]) for kind in ("clips", "iframes", "poses")]
    assert all(video in store for video in read(index).video for store in stores)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"storage": "jpg"}, "storage = jpg: there is raw, jpeg"),
        ({"short_side": None}, "short_side = None is no int"),
        ({"quality": True}, "quality = True is no int"),
        ({"sort_side": 1}, "missing or unknown: sort_side; it takes short_side, aspect, storage, quality"),
    ],
)
def test_wrong_parameters_of_the_store_are_named(change: dict[str, Any], named: str, call: Any, tmp_path: Path) -> None:
    params = json.dumps(FEATURES["clips"] | change)
    with pytest.raises(UserError, match=named):
        call(csvr.clips.main, "--index", tmp_path / "i", "--params", params, "--output", tmp_path / "o")
