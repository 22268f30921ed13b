"""The quality measures against hand-computed cases and slow loops."""

import json
import math

import numpy as np
import pytest

from csvr.data import shards
from csvr.errors import UserError
from csvr.pose import quality
from csvr.pose.skeleton import KEYPOINTS, OKS_SIGMAS
from csvr.pose_quality import compare


def random_poses(seed: int, count: int = 7) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predictions, truth and presence with errors of all sizes."""
    rng = np.random.default_rng(seed)
    truth = rng.uniform(0, 100, (count, 17, 2))
    return truth + rng.normal(0, 8, truth.shape), truth, rng.random((count, 17)) < 0.8


def test_pck_limit_is_a_share_of_the_longer_side_of_the_true_box() -> None:
    truth = np.zeros((1, 17, 2))
    truth[0, 0], truth[0, 1] = (0, 0), (30, 80)  # the box is 30 × 80: the limit at 0.1 is 8 pixels
    predicted = truth.copy()
    predicted[0, 2] += (0, 8.0)
    predicted[0, 3] += (8.01, 0)
    present = np.ones((1, 17), dtype=bool)
    present[0, 4] = False
    right = quality.correct(predicted, truth, present, 0.1)[0]
    assert right[2] and not right[3] and not right[4]
    assert right.sum() == 15


def test_oks_is_the_loop_over_cocos_formula() -> None:
    predicted, truth, present = random_poses(0)
    expected = []
    for p, t, there in zip(predicted, truth, present, strict=True):
        area = 0.53 * (t[:, 0].max() - t[:, 0].min()) * (t[:, 1].max() - t[:, 1].min())
        terms = []
        for k in range(17):
            d2 = (p[k, 0] - t[k, 0]) ** 2 + (p[k, 1] - t[k, 1]) ** 2
            terms.append(math.exp(-d2 / (2 * area * (2 * OKS_SIGMAS[k]) ** 2)) if there[k] else 0.0)
        expected.append(sum(terms) / 17)
    np.testing.assert_allclose(quality.oks(predicted, truth, present), expected, rtol=1e-9)


def test_oks_of_the_truth_is_one_and_of_far_points_zero() -> None:
    _, truth, _ = random_poses(1)
    everywhere = np.ones(truth.shape[:2], dtype=bool)
    np.testing.assert_allclose(quality.oks(truth, truth, everywhere), 1.0)
    np.testing.assert_allclose(quality.oks(truth + 1e4, truth, everywhere), 0.0, atol=1e-12)


def test_mpjpe_is_over_present_keypoints_in_units_of_the_box() -> None:
    truth = np.zeros((2, 17, 2))
    truth[:, 1] = (50, 100)
    predicted = truth.copy()
    predicted[0, 5] += (3, 4)  # 5 pixels off: 0.05
    present = np.zeros((2, 17), dtype=bool)
    present[0, 5] = present[1, 6] = True
    assert quality.mpjpe(predicted, truth, present) == pytest.approx(0.025)
    assert math.isnan(quality.mpjpe(predicted, truth, np.zeros((2, 17), dtype=bool)))


def test_summary_counts_missing_keypoints_as_wrong_and_is_json() -> None:
    _, truth, _ = random_poses(2, count=4)
    poses = np.concatenate([truth, np.ones((4, 17, 1))], axis=2)
    poses[0] = 0  # nobody found
    poses[1, KEYPOINTS.index("left_wrist")] = 0
    result = json.loads(json.dumps(quality.summary(poses, truth)))
    assert result["frames"] == 4
    assert result["detected"] == pytest.approx(3 / 4)
    assert result["found"] == pytest.approx((3 * 17 - 1) / (4 * 17))
    assert result["pck@0.1"] == pytest.approx(result["found"])
    assert result["pck@0.1 by keypoint"]["left_wrist"] == pytest.approx(2 / 4)
    assert result["mpjpe"] == pytest.approx(0)


def test_summary_of_no_frames() -> None:
    assert quality.summary(np.zeros((0, 17, 3)), np.zeros((0, 17, 2)))["detected"] is None


def test_compare_pairs_strided_frames_with_their_truth(tmp_path) -> None:
    _, truth, _ = random_poses(3, count=6)
    frame = np.array([0, 2, 4], dtype=np.int32)
    poses = np.concatenate([truth[frame], np.ones((3, 17, 1))], axis=2).astype(np.float32)
    size = np.array([100, 100], dtype=np.int32)
    shards.write(tmp_path / "p.safetensors", {"v": poses, "v/frame": frame, "v/size": size}, {"run_id": "1"})
    shards.write(tmp_path / "t.safetensors", {"v": truth.astype(np.float32)}, {})
    result = compare(shards.Shards([tmp_path / "p.safetensors"]), shards.Shards([tmp_path / "t.safetensors"]))
    assert result["all"]["frames"] == 3 and result["all"]["pck@0.05"] == 1.0
    assert result["by_video"]["v"] == result["all"]

    shards.write(tmp_path / "short.safetensors", {"v": truth[:4].astype(np.float32)}, {})
    with pytest.raises(UserError, match="frame 4"):
        compare(shards.Shards([tmp_path / "p.safetensors"]), shards.Shards([tmp_path / "short.safetensors"]))
