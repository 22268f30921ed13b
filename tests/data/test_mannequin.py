"""The embedded data set: layout, reproducibility, and what the classes may and may not be told apart by."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from csvr import mannequin as command
from csvr.data import index, layouts, mannequin, motions
from csvr.data.shards import Shards
from csvr.errors import UserError
from csvr.tracking import record
from csvr.tracking.sources import ROOT

PARAMS = {
    "seed": 1, "frames": 12, "size": 64, "fps": 15, "gop": 12, "b_frames": 2, "quality": 6,
    "test_groups": 1, "train_groups": 1, "clips_per_train_group": 2,
}  # fmt: skip


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object]]:
    root = tmp_path_factory.mktemp("mannequin")
    return root, mannequin.generate(root, PARAMS, workers=2)


def test_parameters_may_be_those_of_the_workflow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As the command's help says; others are named."""
    wanted: list[dict[str, object]] = []
    monkeypatch.setattr(record, "record", lambda name, main, config, runs: wanted.append(config))
    words = ["mannequin", "--root", str(tmp_path), "--output", str(tmp_path / "dataset.json"), "--params"]
    whole = (ROOT / "params.yaml").read_text()
    for text in (whole, yaml.safe_dump(yaml.safe_load(whole)["dataset"]["generate"])):
        monkeypatch.setattr(sys, "argv", [*words, text])
        command.main()
    assert wanted[0] == wanted[1] and set(wanted[0]) == set(PARAMS)
    monkeypatch.setattr(sys, "argv", [*words, "{seed: 1, frame: 12}"])
    with pytest.raises(UserError, match="missing or unknown: .*frame, frames"):
        command.main()


def build(root: Path, min_frames: int) -> pd.DataFrame:
    return index.build("ucf101", root / "videos", root / "splits", [1], index.Policy(min_frames=min_frames))


def test_the_same_seed_gives_the_same_bytes(generated: tuple[Path, dict[str, object]], tmp_path: Path) -> None:
    assert mannequin.generate(tmp_path, PARAMS, workers=1) == generated[1]
    assert mannequin.generate(tmp_path, PARAMS | {"seed": 2}, workers=1) != generated[1]


def test_ucf101_reader_reads_it(generated: tuple[Path, dict[str, object]]) -> None:
    table = build(generated[0], 12)
    assert len(table) == 12 * 3 and table.label.nunique() == 12
    assert (table.frames == 12).all() and (table.width == 64).all()
    groups = table.video.str.extract(r"(v_\w+_g\d+)_c\d+")[0]
    assert not set(groups[table.split == "train"]) & set(groups[table.split == "test"])


def test_digest_is_of_the_videos_and_not_of_the_run(generated: tuple[Path, dict[str, object]], tmp_path: Path) -> None:
    table = build(generated[0], 12)
    for name, run in (("a", "1"), ("b", "2")):
        table.assign(run=run).to_csv(tmp_path / name, index=False)
    table.assign(sha256="other", run="1").to_csv(tmp_path / "c", index=False)
    assert set(index.read(tmp_path / "a").run) == {"1"}
    assert index.digest(tmp_path / "a") == index.digest(tmp_path / "b") != index.digest(tmp_path / "c")


def test_short_missing_and_broken_videos_are_all_listed(
    generated: tuple[Path, dict[str, object]], tmp_path: Path
) -> None:
    for folder in ("videos", "splits"):
        for source in (generated[0] / folder).rglob("*.*"):
            target = tmp_path / source.relative_to(generated[0])
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
    (tmp_path / "videos/AtCity/v_AtCity_g01_c01.avi").unlink()
    (tmp_path / "videos/AtBeach/v_AtBeach_g01_c01.avi").write_bytes(b"junk")
    with pytest.raises(UserError) as raised:
        build(tmp_path, 12)
    assert "2 of 36" in str(raised.value)
    assert "v_AtCity_g01_c01.avi: missing" in str(raised.value)
    assert "v_AtBeach_g01_c01.avi: unreadable" in str(raised.value)
    with pytest.raises(UserError, match="36 of 36 .*12 frames, but clip and future need 13|12 frames"):
        build(generated[0], 13)


def test_unknown_class_in_a_list_is_named(generated: tuple[Path, dict[str, object]], tmp_path: Path) -> None:
    for source in (generated[0] / "splits").iterdir():
        (tmp_path / source.name).write_text(source.read_text())
    (tmp_path / "testlist01.txt").write_text("Nowhere/v_Nowhere_g01_c01.avi\n")
    with pytest.raises(UserError, match="Nowhere"):
        layouts.read_ucf101(generated[0] / "videos", tmp_path, 1)


def test_keypoints_lie_on_the_figure(generated: tuple[Path, dict[str, object]]) -> None:
    truth = Shards([generated[0] / "keypoints.safetensors"])
    assert len(truth) == 36
    points = truth["v_ArmsForwardFast_g01_c01"]
    assert points.shape == (12, 17, 2)
    clip = mannequin.Clip("ArmsForwardFast", 1, 1, False)
    images, again = mannequin.render(clip, 1, 12, 64)
    np.testing.assert_allclose(again, points, atol=1e-4)
    # The nose is drawn dark on skin: it differs from the scene behind, which other clips of the pool show.
    assert 0 <= points.min() and points.max() < 64


def test_a_single_pose_says_nothing_about_the_motion_class() -> None:
    """Shoulder and elbow of one random frame have the same distribution in all four classes (Kolmogorov–Smirnov)."""
    from scipy.stats import ks_2samp

    kinds = [action.motion for action in mannequin.ACTIONS.values() if action.group == "motion"]
    assert len(set(kinds)) == 4
    samples = {}
    for kind in kinds:
        rng = np.random.default_rng(5)
        frames = [(motions.motion(kind, 40, rng)[0], rng.integers(40)) for _ in range(1500)]
        samples[kind] = np.array([(a.left_shoulder[k], a.left_elbow[k], a.right_elbow[k]) for a, k in frames])
    for kind in kinds[1:]:
        for joint in range(3):
            assert ks_2samp(samples[kinds[0]][:, joint], samples[kind][:, joint]).pvalue > 1e-3, (kind, joint)
