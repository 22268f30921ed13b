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


def test_future_errors_are_those_of_loops() -> None:
    rng = np.random.default_rng(4)
    past, target = rng.uniform(-1, 1, (3, 4, 17, 3)), rng.uniform(-1, 1, (3, 5, 17, 3))
    predicted = target[..., :2] + rng.normal(0, 0.2, (3, 5, 17, 2))
    past[..., 2], target[..., 2] = rng.random((3, 4, 17)) < 0.7, rng.random((3, 5, 17)) < 0.5
    past[..., :2][past[..., 2] == 0] = 9  # held somewhere: no part of the box
    target[1, 2, :, 2] = 0
    distance, right, similar = [], [], []
    for n in range(3):
        seen = past[n][past[n, ..., 2] > 0]
        area = 0.53 * (max(seen[:, 0]) - min(seen[:, 0])) * (max(seen[:, 1]) - min(seen[:, 1]))
        for t in range(5):
            terms = []
            for k in range(17):
                if target[n, t, k, 2]:
                    d = math.dist(predicted[n, t, k], target[n, t, k, :2])
                    distance.append(d)
                    right.append(d <= 0.2)
                    terms.append(math.exp(-(d**2) / (2 * area * (2 * OKS_SIGMAS[k]) ** 2)))
            if terms:
                similar.append(sum(terms) / len(terms))
    found = quality.future_errors(predicted, target, past)
    assert 0 < sum(right) < len(right) and len(similar) == 3 * 5 - 1
    np.testing.assert_allclose(found["mpjpe"], distance)
    np.testing.assert_array_equal(found["pck@0.1"], right)
    np.testing.assert_allclose(found["oks"], similar, rtol=1e-9)


def test_future_errors_by_hand() -> None:
    """A box of 1 × 2: area 1.06; a nose 0.2 off is just right, one 0.21 off is not."""
    past, target = np.zeros((2, 1, 17, 3)), np.zeros((2, 1, 17, 3))
    past[:, 0, 0], past[:, 0, 1] = (-0.5, -1, 1), (0.5, 1, 0.3)
    target[:, 0, 0] = (0, 0, 0.5)
    predicted = np.full((2, 1, 17, 2), 7.0)  # nobody asks for the hidden ones
    predicted[:, 0, 0] = ((0.2, 0), (0, 0.21))
    found = quality.future_errors(predicted, target, past)
    assert found["mpjpe"].tolist() == pytest.approx([0.2, 0.21]) and found["pck@0.1"].tolist() == [1, 0]
    nose = 2 * 1.06 * (2 * 0.026) ** 2
    assert found["oks"].tolist() == pytest.approx([math.exp(-(0.2**2) / nose), math.exp(-(0.21**2) / nose)])


@pytest.mark.filterwarnings("error")
def test_future_errors_of_nobody_and_of_one_joint() -> None:
    nobody = np.zeros((2, 3, 17, 3))
    found = quality.future_errors(np.ones((2, 3, 17, 2)), nobody, nobody)
    assert {name: len(values) for name, values in found.items()} == {"mpjpe": 0, "pck@0.1": 0, "oks": 0}
    one = nobody.copy()
    one[:, :, 3, 2] = 1  # a box of no size
    predicted = np.zeros((2, 3, 17, 2))
    predicted[1] = 0.1
    assert quality.future_errors(predicted, one, one)["oks"].tolist() == [1, 1, 1, 0, 0, 0]
