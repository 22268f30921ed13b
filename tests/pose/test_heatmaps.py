"""Pose GAN on heat maps: rendering and read-out against loops, networks, losses, learning."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import yaml
from compose_params import composed

from csvr.pose.gan import last_seen
from csvr.pose.gan_losses import ADVERSARIAL, discriminator_loss, generator_loss, interpolate_penalty
from csvr.pose.heatmaps import Canvas, HeatmapDecoder, HeatmapDiscriminator, HeatmapEncoder
from csvr.pose.networks import pose_gan
from tests.pose.test_gan import poses

CANVAS = Canvas(size=16, sigma=1.2, extent=1.5, stride=2)


def networks(future: int = 8, noise: int = 4) -> tuple[HeatmapEncoder, HeatmapDecoder]:
    """Small ones, as after some training: the decoder's last layer is no longer 0."""
    torch.manual_seed(0)
    encoder = HeatmapEncoder(CANVAS, width=4, out_channels=6)
    decoder = HeatmapDecoder(6, future, CANVAS, noise_channels=noise, width=8)
    torch.nn.init.normal_(decoder.layers[-1].weight)
    return encoder, decoder


def test_rendering_against_loops() -> None:
    clip = poses(2, 3).double()
    heatmaps = CANVAS.render(clip)
    assert heatmaps.shape == (2, 17, 3, 16, 16)
    for n, t, k, row, column in np.ndindex(2, 3, 17, 16, 16):
        x, y, confidence = clip[n, t, k].tolist()
        px, py = ((v + 1.5) / 3 * 16 - 0.5 for v in (x, y))  # the outer edges of the image are at ±extent
        value = confidence * math.exp(-((column - px) ** 2 + (row - py) ** 2) / (2 * 1.2**2))
        assert heatmaps[n, k, t, row, column].item() == pytest.approx(value, rel=1e-9, abs=1e-12)
    assert (heatmaps.amax((-2, -1)) > 0).transpose(1, 2).equal(clip[..., 2] > 0)
    held = torch.cat([clip[..., :2] + 0.3 * (clip[..., 2:] == 0), clip[..., 2:]], -1)
    assert CANVAS.render(held).equal(heatmaps)  # empty wherever a missing joint is held
    logarithm = CANVAS.exponent(clip[..., :2]).transpose(1, 2)
    torch.testing.assert_close(logarithm.exp() * clip[..., 2].transpose(1, 2)[..., None, None], heatmaps)


def test_read_out_against_loops() -> None:
    volumes = torch.rand(1, 2, 3, 16, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    volumes[0, 1, 2] = 0
    found = CANVAS.read(volumes)
    assert found.shape == (1, 3, 2, 2)
    for k, t in np.ndindex(2, 3):
        x = y = total = 0.0
        for row, column in np.ndindex(16, 16):
            value = float(volumes[0, k, t, row, column])
            total += value
            x += value * ((column + 0.5) / 16 * 3 - 1.5)
            y += value * ((row + 0.5) / 16 * 3 - 1.5)
        expected = [x / total, y / total] if total else [0, 0]
        assert found[0, t, k].tolist() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("canvas", [Canvas(56, 2.0, 1.5), Canvas(24, 0.8, 2.0), Canvas(56, 0.6, 1.2)])
def test_round_trip(canvas: Canvas) -> None:
    """Within a thousandth of a pixel, as long as 4σ fit between a joint and the edge; mirrored on none of the axes."""
    clip = poses(4, 5).double()
    pixel = 2 * canvas.extent / canvas.size
    clip[..., :2] *= canvas.extent - 4 * canvas.sigma * pixel
    seen = clip[..., 2] > 0
    error = (canvas.read(canvas.render(clip)) - clip[..., :2]).abs() / pixel
    assert error[seen].max() < (0.01 if canvas.sigma < 0.7 else 1e-3)
    assert canvas.read(canvas.render(clip))[~seen].abs().max() == 0


def test_moments_are_equally_far_apart() -> None:
    time = torch.arange(1, 29)[None]
    canvas = Canvas(8, 1, 1, stride=4)
    assert canvas.past(time[:, :13]).tolist() == [[1, 5, 9, 13]]
    assert canvas.past(time[:, :14]).tolist() == [[2, 6, 10, 14]]
    assert canvas.future(time[:, 14:]).tolist() == [[18, 22, 26]]


@pytest.mark.parametrize(
    ("values", "named"),
    [((16, 0.0, 1.0), "above 0"), ((16, 1.0, -1.0), "above 0"), ((16, 1.0, 1.0, 0), "above 0"), ((20, 1, 1), "of 8")],
)
def test_impossible_canvas(values: tuple[float, ...], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        Canvas(*values)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="7 future poses are no multiple of the heat maps' stride 2"):
        HeatmapDecoder(6, 7, CANVAS)


@pytest.mark.parametrize(("past", "future", "steps"), [(16, 16, 2), (13, 4, 2), (1, 2, 1)])
def test_sizes(past: int, future: int, steps: int) -> None:
    encoder, decoder = networks(future)
    clip = poses(frames=past)
    features = encoder(clip)
    assert features.shape == (3, 6, steps, 2, 2)
    volumes = decoder(features, clip)
    assert volumes.shape == (3, 17, future // 2, 16, 16)
    assert decoder.target(poses(frames=future)).shape == volumes.shape
    assert decoder.coordinates(volumes, clip).shape == (3, future, 17, 2)
    with torch.device("meta"):
        canvas = Canvas(56, 2.0, 1.5, 4)
        features, clip = HeatmapEncoder(canvas)(torch.empty(2, 64, 17, 3)), torch.empty(2, 64, 17, 3)
        assert features.shape == (2, 64, 4, 7, 7)
        assert HeatmapDecoder(64, 64, canvas)(features, clip).shape == (2, 17, 16, 56, 56)


def test_first_prediction_is_that_nobody_moves() -> None:
    encoder, clip = networks()[0], poses()
    clip[..., :2] *= 0.4  # so that no edge cuts off a Gaussian
    decoder = HeatmapDecoder(6, 8, CANVAS, width=8)
    volumes = decoder(encoder(clip), clip)
    still = torch.cat([last_seen(clip), torch.ones(3, 17, 1)], -1)[:, None].expand(-1, 8, -1, -1)
    torch.testing.assert_close(volumes, decoder.target(still), atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(decoder.coordinates(volumes, clip), still[..., :2], atol=1e-3, rtol=0)


def test_a_shift_is_a_ramp() -> None:
    """Which is what the form of the prediction is chosen for."""
    pixel, c, delta = 3 / 16, (0.1, -0.2), (2.0, -1.0)
    here, there = torch.tensor(c), torch.tensor([a + d * pixel for a, d in zip(c, delta, strict=True)])
    x = (torch.arange(16) + 0.5) * pixel - 1.5
    ramp = ((x - c[0]) * delta[0] + (x[:, None] - c[1]) * delta[1]) / pixel / 1.2**2
    moved = (CANVAS.exponent(here) + ramp).flatten().softmax(0)
    torch.testing.assert_close(moved, CANVAS.exponent(there).flatten().softmax(0), atol=1e-6, rtol=1e-4)


def test_maps_are_distributions() -> None:
    encoder, decoder = networks()
    clip = poses()
    volumes = decoder(encoder(clip), clip)
    assert volumes.min() >= 0
    torch.testing.assert_close(volumes.sum((-2, -1)), torch.full((3, 17, 4), 2 * math.pi * 1.2**2))


def test_noise() -> None:
    encoder, decoder = networks()
    clip = poses()
    features = encoder(clip)
    assert not torch.equal(decoder(features, clip), decoder(features, clip))  # drawn anew in training
    decoder.eval()
    assert torch.equal(decoder(features, clip), decoder(features, clip, torch.zeros(3, 4)))  # zeros in evaluation
    assert not torch.equal(decoder(features, clip), decoder(features, clip, torch.ones(3, 4)))
    encoder, silent = networks(noise=0)
    assert torch.equal(silent(features, clip), silent(features, clip))


def test_coordinates_between_moments() -> None:
    _, decoder = networks(future=4)
    clip = torch.cat([torch.zeros(1, 3, 17, 2), torch.ones(1, 3, 17, 1)], -1)
    volumes = CANVAS.render(torch.tensor([[0.2, 0.4, 1.0], [-0.4, 0.0, 1.0]])[None, :, None].expand(1, 2, 17, 3))
    found = decoder.coordinates(volumes, clip)
    expected = torch.tensor([[0.1, 0.2], [0.2, 0.4], [-0.1, 0.2], [-0.4, 0.0]])
    torch.testing.assert_close(found[0, :, 5], expected, atol=1e-3, rtol=0)


def test_distance_by_loop() -> None:
    encoder, decoder = networks()
    clip, future = poses(), poses(frames=8, seed=1)
    predicted, target, visible = decoder(encoder(clip), clip), decoder.target(future), future[..., 2] > 0
    errors = []
    for n, t, k in np.ndindex(3, 4, 17):
        if visible[n, 2 * t + 1, k]:
            point = torch.cat([future[n, 2 * t + 1, k, :2], torch.ones(1)])
            g = CANVAS.render(point[None, None, None])[0, 0, 0]
            errors.append(float(((predicted[n, k, t].detach() - g) ** 2).sum()) / (2 * math.pi * 1.2**2))
    assert 0 < len(errors) < 3 * 4 * 17
    assert decoder.distance(predicted, target, visible).item() == pytest.approx(sum(errors) / len(errors), rel=1e-5)
    elsewhere = torch.cat([future[..., :2] + 0.5 * ~visible[..., None], future[..., 2:]], -1)
    assert decoder.distance(predicted, decoder.target(elsewhere), visible).item() == pytest.approx(
        sum(errors) / len(errors), rel=1e-5
    )
    nothing = decoder.distance(predicted, target, torch.zeros_like(visible))
    nothing.backward()
    assert nothing.item() == 0 and all(p.grad is not None for p in encoder.parameters())


@pytest.mark.parametrize("canvas", [Canvas(56, 2.0, 1.5), Canvas(112, 3.0, 1.5)])
def test_distance_does_not_depend_on_the_number_of_pixels(canvas: Canvas) -> None:
    """1 − exp(−d²/(4σ²)) for a peak d pixels off, 1 for one that misses."""
    decoder, pixel = HeatmapDecoder(6, 1, canvas), 2 * canvas.extent / canvas.size
    visible = torch.ones(1, 1, 17, dtype=torch.bool)
    for off in (0.0, 1.0, 3.0, 20.0):
        here, there = (torch.tensor([x, 0.0, 1.0]).expand(1, 1, 17, 3) for x in (0.0, off * pixel))
        found = decoder.distance(decoder.target(there), decoder.target(here), visible).item()
        assert found == pytest.approx(1 - math.exp(-(off**2) / (4 * canvas.sigma**2)), abs=1e-5)


def test_small_errors_weigh_the_same_in_both_kinds() -> None:
    """As params/pose/heatmaps.yaml says of `reconstruction`."""
    losses = []
    for kind in ("coordinates", "heatmaps"):
        pose = yaml.safe_load(composed([f"pose={kind}"]))["model"]["pose"]
        decoder, _ = pose_gan(pose, 4, 8)
        future = torch.tensor([0.3, -0.2, 1.0]).expand(1, 8, 17, 3)
        off = future + torch.tensor([0.012, -0.016, 0.0])
        visible = torch.ones(1, 8, 17, dtype=torch.bool)
        losses.append(
            pose["reconstruction"] * float(decoder.distance(decoder.target(off), decoder.target(future), visible))
        )
    assert losses[0] == pytest.approx(losses[1], rel=0.02)


def test_gradients_reach_the_encoder() -> None:
    """Through the decoder, from the reconstruction and from the discriminator."""
    clip, future = poses(), poses(frames=8, seed=1)
    visible = future[..., 2] > 0
    critic = HeatmapDiscriminator(CANVAS, width=4)
    for loss in ("reconstruction", *ADVERSARIAL):
        encoder, decoder = networks()
        predicted = decoder(encoder(clip), clip)
        if loss == "reconstruction":
            decoder.distance(predicted, decoder.target(future), visible).backward()
        else:
            generator_loss(critic(clip, predicted, visible), loss).backward()
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in encoder.parameters())


@pytest.mark.parametrize("spectral", [False, True])
def test_discriminator(spectral: bool) -> None:
    torch.manual_seed(0)
    critic = HeatmapDiscriminator(CANVAS, width=4, spectral=spectral).eval()
    past, target = poses(), poses(frames=8, seed=1)
    visible = target[..., 2] > 0
    future = CANVAS.render(torch.cat([target[:, 1::2, :, :2], torch.ones(3, 4, 17, 1)], -1))
    logits = critic(past, future, visible)
    assert logits.shape == (3, 3, 2, 2)
    hidden = future + 5 * (~visible)[:, 1::2].transpose(1, 2)[..., None, None]
    assert torch.equal(critic(past, hidden, visible), logits)  # whatever stands at hidden joints must not be seen
    held = torch.cat([past[..., :2] + 0.3 * (past[..., 2:] == 0), past[..., 2:]], -1)
    assert torch.equal(critic(held, future, visible), logits)
    for other in (
        critic(past.flip(0), future, visible),  # conditional on the past
        critic(past, future.flip(0), visible),
        critic(past, future, torch.ones_like(visible)),
    ):
        assert (other - logits).abs().max() > 1e-5


def test_motion_is_learnt() -> None:
    """A body that moves at constant speed, with the whole GAN: much nearer than where it was last."""
    torch.manual_seed(0)
    canvas = Canvas(16, 1.5, 1.5, 2)
    encoder = HeatmapEncoder(canvas, width=8, out_channels=16)
    decoder = HeatmapDecoder(16, 8, canvas, noise_channels=2, width=16)
    critic = HeatmapDiscriminator(canvas, width=4)
    networks = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], 5e-3)
    judge = torch.optim.Adam(critic.parameters(), 1e-3)
    visible = torch.ones(8, 8, 17, dtype=torch.bool)

    def batch() -> tuple[torch.Tensor, torch.Tensor]:
        speed = (torch.rand(8, 1, 1, 2) - 0.5).expand(-1, 16, 17, -1)
        track = speed * ((torch.arange(16.0) - 7) / 6)[:, None, None]
        clip = torch.cat([track, torch.ones(8, 16, 17, 1)], 3)
        return clip[:, :8], clip[:, 8:]

    for _ in range(80):
        past, future = batch()
        predicted, target = decoder(encoder(past), past), decoder.target(future)
        loss = decoder.distance(predicted, target, visible)
        loss = loss + 0.01 * generator_loss(critic(past, predicted, visible), "wgan_gp")
        networks.zero_grad()
        loss.backward()
        networks.step()
        real, fake = (critic.join(past, x, visible) for x in (target, predicted.detach()))
        judge.zero_grad()
        critic_loss = discriminator_loss(critic.judge(real), critic.judge(fake), "wgan_gp")
        (critic_loss + interpolate_penalty(critic.judge, real, fake, 10.0)).backward()
        judge.step()
    encoder.eval()
    decoder.eval()
    past, future = batch()
    error = (decoder.coordinates(decoder(encoder(past), past), past) - future[..., :2]).norm(dim=-1).mean()
    still = (future[..., :2] - past[:, -1:, :, :2]).norm(dim=-1).mean()
    assert error < 0.5 * still
