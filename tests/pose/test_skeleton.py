"""The keypoint constants against COCO's own and OpenPifPaf's."""

import numpy as np
import pytest

from csvr.pose.skeleton import KEYPOINTS, LIMBS, MIRROR, OKS_SIGMAS


def test_keypoints_are_in_openpifpafs_order() -> None:
    openpifpaf = pytest.importorskip("openpifpaf")
    cif, caf = openpifpaf.datasets.factory("cocokp").head_metas
    assert list(KEYPOINTS) == cif.keypoints
    pairs = {frozenset((KEYPOINTS[a - 1], KEYPOINTS[b - 1])) for a, b in caf.skeleton}
    # Every limb but the two that COCO draws from the ears to the shoulders and between the eyes.
    assert {frozenset(limb) for limb in LIMBS} <= pairs


def test_sigmas_are_those_of_pycocotools() -> None:
    cocoeval = pytest.importorskip("pycocotools.cocoeval")
    np.testing.assert_allclose(OKS_SIGMAS, cocoeval.Params(iouType="keypoints").kpt_oks_sigmas)


def test_mirror_swaps_left_and_right_names() -> None:
    swap = {"left": "right", "right": "left"}
    for name, mirrored in zip(KEYPOINTS, (KEYPOINTS[i] for i in MIRROR), strict=True):
        side, _, joint = name.partition("_")
        assert mirrored == (f"{swap[side]}_{joint}" if joint else name)
