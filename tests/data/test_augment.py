"""Pose normalisation, holding of missing joints, crops and colours."""

import numpy as np
import torch
import torch.nn.functional as F

from csvr.data import augment
from csvr.data.batches import uniform_starts


def random_poses(seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    poses = torch.rand(3, 6, 17, 3, generator=generator) * 50 + 10
    poses[..., 2] = 0.9
    poses[torch.rand(3, 6, 17, generator=generator) < 0.3] = 0
    return poses


def test_hold_missing_equals_a_loop() -> None:
    poses = random_poses()
    poses[0, :, 4] = 0  # never seen
    held = augment.hold_missing(poses)
    for n in range(3):
        for k in range(17):
            seen = [t for t in range(6) if poses[n, t, k, 2] > 0]
            for t in range(6):
                before = [s for s in seen if s <= t]
                source = before[-1] if before else seen[0] if seen else t
                torch.testing.assert_close(held[n, t, k, :2], poses[n, source, k, :2])
    torch.testing.assert_close(held[..., 2], poses[..., 2])


def test_normalised_poses_ignore_place_and_size() -> None:
    poses = random_poses()
    moved = poses.clone()
    moved[..., :2] = torch.where(poses[..., 2:] > 0, poses[..., :2] * 1.7 + torch.tensor([30.0, -12.0]), 0.0)
    a, b = augment.normalise_poses(poses, poses), augment.normalise_poses(moved, moved)
    torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)
    assert a[..., :2].abs().max() <= 1 + 1e-5
    assert (a[poses[..., 2] == 0] == 0).all()


def test_nobody_found_stays_zero() -> None:
    empty = torch.zeros(2, 4, 17, 3)
    assert torch.equal(augment.normalise_poses(empty, empty), empty)


def test_flipping_poses_twice_is_the_identity() -> None:
    poses = augment.normalise_poses(random_poses(), random_poses())
    flip = torch.tensor([True, False, True])
    once = augment.flip_poses(poses, flip)
    torch.testing.assert_close(augment.flip_poses(once, flip), poses)
    torch.testing.assert_close(once[0, :, 5, 0], -poses[0, :, 6, 0])  # left shoulder <- right shoulder
    torch.testing.assert_close(once[1], poses[1])


def test_whole_area_crop_is_the_image_or_its_mirror() -> None:
    torch.manual_seed(0)
    image = torch.rand(6, 3, 2, 32, 32)
    crops = augment.random_crops(6, (32, 32), (1.0, 1.0))
    out, flip = crops.apply(image, 32), crops.flip
    expected = torch.where(flip[:, None, None, None, None], image.flip(-1), image)
    torch.testing.assert_close(out, expected, atol=1e-5, rtol=1e-5)
    assert flip.any() and not flip.all()
    torch.testing.assert_close(augment.centre_crop(image, 32), image, atol=1e-5, rtol=1e-5)


def test_a_crop_is_an_affine_map_without_rotation() -> None:
    torch.manual_seed(0)
    images = torch.rand(5, 3, 2, 20, 30)
    crops = augment.random_crops(5, (20, 30), (0.2, 0.8))
    zero = torch.zeros(5)
    rows = torch.stack([crops.scale_x, zero, crops.x]), torch.stack([zero, crops.scale_y, crops.y])
    grid = F.affine_grid(torch.stack(rows).permute(2, 0, 1), [5, 1, 12, 12], align_corners=False)
    expected = F.grid_sample(images.flatten(1, 2), grid, padding_mode="border", align_corners=False)
    torch.testing.assert_close(crops.apply(images, 12).flatten(1, 2), expected)


def test_channels_are_permuted_as_often_as_asked() -> None:
    torch.manual_seed(0)
    mix = augment.random_colours(6000, 0.0, 0.6, 0.0, 0.0).mix
    assert torch.equal(mix.sum(1), torch.ones(6000, 3)) and torch.equal(mix.sum(2), torch.ones(6000, 3))
    orders, counts = mix.unique(dim=0, return_counts=True)
    same = (orders == torch.eye(3)).all(-1).all(-1)
    assert len(orders) == 6 and abs(counts[same].item() / 6000 - 0.5) < 0.03  # 0.4 are left, 0.6 / 6 permuted into it
    assert ((counts[~same] / 6000 - 0.1).abs() < 0.02).all()


def test_gray_is_gray_and_no_change_is_no_change() -> None:
    torch.manual_seed(0)
    images = torch.rand(4, 3, 8, 8) * 255
    gray = augment.random_colours(4, 0.0, 0.0, 1.0, 0.0).apply(images)
    torch.testing.assert_close(gray[:, 0], gray[:, 2])
    for inverted, sign in ((0.0, 1), (1.0, -1)):
        same = augment.random_colours(4, 0.0, 0.0, 0.0, inverted).apply(images)
        torch.testing.assert_close(same, sign * (images / 127.5 - 1))


def test_some_samples_are_changed_as_among_all() -> None:
    torch.manual_seed(0)
    images = torch.rand(4, 3, 2, 16, 16) * 255
    crops, colours = augment.random_crops(4, (16, 16), (0.3, 1.0)), augment.random_colours(4, 1.0, 0.5, 0.5, 0.5)
    whole = colours.apply(crops.apply(images, 8))
    for few in (0, 2):
        torch.testing.assert_close(colours.apply(crops.apply(images[:few], 8)), whole[:few])
    rows = torch.tensor([1, 3])
    torch.testing.assert_close(colours.take(rows).apply(crops.take(rows).apply(images[rows], 8)), whole[rows])


def test_uniform_starts_are_mid_points_inside_the_video() -> None:
    assert uniform_starts(40, 16, 4) == [3, 9, 15, 21]
    assert uniform_starts(16, 16, 3) == [0, 0, 0]
    assert all(0 <= s <= 24 for s in uniform_starts(40, 16, 10))
    assert np.diff(uniform_starts(100, 16, 7)).min() >= 11
