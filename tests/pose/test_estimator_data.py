"""Rendered training images, and the one-person encoding against OpenPifPaf's encoders."""

import numpy as np
import pytest

from csvr.pose.encoding import Heads, encode, person_scale
from csvr.pose.estimator_data import SIZE, Sample, augment, render
from csvr.pose.skeleton import KEYPOINTS, MIRROR


def test_an_image_depends_on_seed_and_number_alone() -> None:
    first, again = render(5, 3), render(5, 3)
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.points, again.points)
    assert (first.image != render(5, 4).image).any()
    assert (first.image != render(6, 3).image).any()


def test_images_have_the_declared_form() -> None:
    samples = [render(1, i, empty=0.3) for i in range(40)]
    empty = [not s.points.any() for s in samples]
    assert 3 < sum(empty) < 25
    for sample in samples:
        assert sample.image.shape == (SIZE, SIZE, 3) and sample.image.dtype == np.uint8
        seen = sample.points[:, 2] > 0
        assert set(np.unique(sample.points[:, 2])) <= {0.0, 2.0}
        assert ((sample.points[seen, :2] >= 0) & (sample.points[seen, :2] <= SIZE - 1)).all()


def test_hands_go_everywhere() -> None:
    """Overhead, out to the side, down and across the body: each holds at least 5 % of the left wrists."""
    shoulder, wrist = KEYPOINTS.index("left_shoulder"), KEYPOINTS.index("left_wrist")
    points = np.stack([render(2, i, empty=0.0).points for i in range(300)])
    x, y = np.moveaxis(points[:, wrist, :2] - points[:, shoulder, :2], -1, 0)
    shares = [(y < -abs(x)).mean(), (x > abs(y)).mean(), ((y > abs(x)) & (x > 0)).mean(), (x < -3).mean()]
    assert min(shares) > 0.05, shares


def test_keypoints_follow_the_picture_through_augmentation() -> None:
    """Three coloured discs are found again at their keypoints; in mirrored images under the other side's name."""
    names = [KEYPOINTS.index(n) for n in ("left_wrist", "left_knee", "right_shoulder")]
    image = np.zeros((SIZE, SIZE, 3), dtype=np.uint8)
    points = np.zeros((17, 3))
    grid = np.stack(np.meshgrid(np.arange(SIZE), np.arange(SIZE)), axis=-1)
    for channel, (k, xy) in enumerate(zip(names, ((80, 50), (70, 85), (45, 45)), strict=True)):
        points[k] = (*xy, 2)
        image[np.hypot(*np.moveaxis(grid - xy, -1, 0)) < 6, channel] = 200
    rng = np.random.default_rng(0)
    mirrored = 0

    def turn(triangle: np.ndarray) -> float:
        """Sign: whether the corners go round clockwise."""
        return float(np.linalg.det(triangle[1:] - triangle[0]))

    for _ in range(20):
        view = augment(Sample(image, points), rng)
        light = np.maximum(view.image - np.median(view.image, axis=(0, 1)) - 60, 0)
        found = np.stack([(grid * plane[..., None]).sum((0, 1)) / plane.sum() for plane in np.moveaxis(light, -1, 0)])
        flipped = turn(found) * turn(points[names, :2]) < 0
        mirrored += flipped
        expected = [MIRROR[k] if flipped else k for k in names]
        np.testing.assert_allclose(view.points[expected, :2], found, atol=1.0)
    assert 3 < mirrored < 17


@pytest.mark.parametrize("stride", [8, 16])
def test_encoding_is_openpifpafs(stride: int) -> None:
    openpifpaf = pytest.importorskip("openpifpaf")
    torch = pytest.importorskip("torch")
    metas = openpifpaf.datasets.factory("cocokp").head_metas
    for meta in metas:
        meta.base_stride = stride
    cif, caf = metas
    heads = Heads(np.asarray(cif.sigmas), np.asarray(caf.skeleton) - 1, np.asarray(cif.pose), stride)
    rng = np.random.default_rng(0)
    points = np.stack([augment(render(3, i, empty=0.0), rng).points for i in range(12)])
    points[0] = 0  # nobody
    points[1, :, :2] -= 25  # partly outside, yet labelled
    points[2, 5:, 2] = 0  # the head alone
    points[3, 2:, 2] = 0  # too little to tell the size
    targets = encode(points, (129, 129), heads)
    image = torch.zeros(3, 129, 129)
    encoders = openpifpaf.encoder.Cif(cif), openpifpaf.encoder.Caf(caf)
    for k, person in enumerate(points):
        box = np.array([0.0, 0.0, 100.0, 100.0])
        annotations = [{"keypoints": person.copy(), "iscrowd": 0, "bbox": box}] if person[:, 2].any() else []
        for target, encoder in zip(targets, encoders, strict=True):
            np.testing.assert_allclose(target[k], encoder(image, annotations, {}).numpy(), rtol=1e-5, atol=1e-5)
    assert targets[0][1:, :, 0].sum() > 100  # the comparison was not about empty fields


def test_scale_of_a_whole_person_is_the_root_of_the_box() -> None:
    pose = np.array([[0, 0, 2], [3, 0, 2], [0, 4, 2], [3, 4, 2]], dtype=float)
    assert person_scale(pose * [2, 2, 1], pose) == pytest.approx(np.sqrt(6 * 8))
    assert np.isnan(person_scale(pose * [1, 1, 0], pose))
