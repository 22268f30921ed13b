"""Pose GAN: networks, rendering and losses."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from csvr.pose.gan import PoseDecoder, PoseDiscriminator, PoseEncoder, last_seen
from csvr.pose.gan_losses import (
    ADVERSARIAL,
    discriminator_loss,
    generator_loss,
    interpolate_penalty,
    pose_reconstruction,
)
from csvr.pose.heatmaps import Canvas, HeatmapDiscriminator


class Generator(torch.nn.Module):
    """Encoder and decoder, one after the other."""

    def __init__(self, encoder: torch.nn.Module, decoder: PoseDecoder) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def forward(self, clip: torch.Tensor, noise: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        features = self.encoder(clip)
        return self.decoder(features, clip, noise), features


def poses(n: int = 3, frames: int = 16, seed: int = 0) -> torch.Tensor:
    """Random poses with a quarter of the joints missing."""
    generator = torch.Generator().manual_seed(seed)
    xy = torch.rand(n, frames, 17, 2, generator=generator) * 2 - 1
    confidence = torch.rand(n, frames, 17, 1, generator=generator) * 0.9 + 0.1
    seen = torch.rand(n, frames, 17, 1, generator=generator) > 0.25
    return torch.cat([xy, confidence], 3) * seen


@pytest.mark.parametrize(("width", "channels", "future"), [(32, 64, 16), (128, 512, 16), (8, 24, 7)])
def test_generator_sizes(width: int, channels: int, future: int) -> None:
    generator = Generator(PoseEncoder(17, width, channels), PoseDecoder(channels, future, noise_channels=8))
    predicted, features = generator(poses())
    assert predicted.shape == (3, future, 17, 2)
    assert features.shape == (3, channels, 4)
    assert generator.encoder(poses(frames=13)).shape == (3, channels, 4)


def test_last_seen_by_loop() -> None:
    clip = poses()
    clip[0, :, 3, 2] = 0  # never seen, whatever its coordinates
    clip[1, -3:, 5] = 0  # seen last before the end
    expected = torch.zeros(3, 17, 2)
    for n in range(3):
        for joint in range(17):
            for frame in range(16):
                if clip[n, frame, joint, 2] > 0:
                    expected[n, joint] = clip[n, frame, joint, :2]
    assert torch.equal(last_seen(clip), expected)
    assert torch.equal(last_seen(clip)[0, 3], torch.zeros(2))


def test_prediction_is_a_displacement_from_the_last_seen_pose() -> None:
    torch.manual_seed(0)
    generator = Generator(PoseEncoder(17, 8, 16), PoseDecoder(16, 8)).eval()
    torch.nn.init.zeros_(generator.decoder.layers[-1].weight)
    torch.nn.init.constant_(generator.decoder.layers[-1].bias, 0.25)
    clip = poses()
    expected = (last_seen(clip) + 0.25)[:, None].expand(-1, 8, -1, -1)
    torch.testing.assert_close(generator(clip)[0], expected)


def moved(generator: Generator) -> Generator:
    """As after some training: the decoder's last layer is no longer 0."""
    torch.nn.init.normal_(generator.decoder.layers[-1].weight)
    return generator


def test_first_prediction_is_that_nobody_moves() -> None:
    clip = poses()
    predicted, _ = Generator(PoseEncoder(17, 8, 16), PoseDecoder(16, 8))(clip)
    assert torch.equal(predicted, last_seen(clip)[:, None].expand(-1, 8, -1, -1))


def test_noise() -> None:
    torch.manual_seed(0)
    generator, clip = moved(Generator(PoseEncoder(17, 8, 16), PoseDecoder(16, 8, noise_channels=4))), poses()
    assert not torch.equal(generator(clip)[0], generator(clip)[0])  # drawn anew in training
    generator.eval()
    assert torch.equal(generator(clip)[0], generator(clip, torch.zeros(3, 4))[0])  # zeros in evaluation
    assert not torch.equal(generator(clip)[0], generator(clip, torch.ones(3, 4))[0])
    silent = moved(Generator(PoseEncoder(17, 8, 16), PoseDecoder(16, 8, noise_channels=0)))
    assert torch.equal(silent(clip)[0], silent(clip)[0])


def test_gradients_reach_the_encoder_from_the_discriminator() -> None:
    torch.manual_seed(0)
    generator, critic = moved(Generator(PoseEncoder(17, 8, 16), PoseDecoder(16, 8))), PoseDiscriminator(17, 8)
    clip = poses()
    generator_loss(critic(clip, generator(clip)[0], torch.ones(3, 8, 17))).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in generator.encoder.parameters())


@pytest.mark.parametrize("spectral", [False, True])
def test_discriminator(spectral: bool) -> None:
    torch.manual_seed(0)
    critic, past, target = PoseDiscriminator(17, 8, spectral=spectral).eval(), poses(), poses(frames=8, seed=1)
    future, visible = target[..., :2], target[..., 2] > 0
    logits = critic(past, future, visible)
    assert logits.shape == (3, 6)
    hidden = future + 5 * (~visible)[..., None]  # whatever stands at hidden joints must not be seen
    assert torch.equal(critic(past, hidden, visible), logits)
    for other in (
        critic(past.flip(0), future, visible),  # conditional on the past
        critic(past, future.flip(0), visible),
        critic(past, future, torch.ones_like(visible)),
    ):
        assert (other - logits).abs().max() > 1e-5
    norms = [torch.linalg.matrix_norm(m.weight.detach().flatten(1), 2).item() for m in critic.layers[::2]]
    critic.train()
    for _ in range(30):  # power iterations
        critic(past, future, visible)
    settled = [torch.linalg.matrix_norm(m.weight.detach().flatten(1), 2).item() for m in critic.layers[::2]]
    assert settled == (pytest.approx([1.0] * 4, abs=0.05) if spectral else norms)


def test_adversarial_losses_by_hand() -> None:
    real, fake = [0.5, -2.0, 3.0], [1.5, -0.25]

    def softplus(x: float) -> float:
        return math.log1p(math.exp(x))

    def mean(values: list[float]) -> float:
        return sum(values) / len(values)

    expected = {
        "nonsaturating": (
            mean([softplus(-a) for a in real]) + mean([softplus(a) for a in fake]),
            mean([softplus(-a) for a in fake]),
        ),
        "lsgan": (
            0.5 * mean([(a - 1) ** 2 for a in real]) + 0.5 * mean([a**2 for a in fake]),
            0.5 * mean([(a - 1) ** 2 for a in fake]),
        ),
        "hinge": (mean([0.5, 3.0, 0.0]) + mean([2.5, 0.75]), -0.625),
        "wgan_gp": (0.625 - 0.5, -0.625),
    }
    assert set(expected) == set(ADVERSARIAL)
    for kind, (critic, generator) in expected.items():
        assert discriminator_loss(torch.tensor(real), torch.tensor(fake), kind).item() == pytest.approx(critic)
        assert generator_loss(torch.tensor(fake), kind).item() == pytest.approx(generator)
    # Non-saturating: a confidently rejected sample still has gradient −1.
    rejected = torch.tensor([-40.0], requires_grad=True)
    generator_loss(rejected).backward()
    assert rejected.grad is not None and rejected.grad.item() == pytest.approx(-1)
    with pytest.raises(ValueError, match="kind must be one of"):
        discriminator_loss(torch.zeros(1), torch.zeros(1), "wgan")
    with pytest.raises(ValueError, match="kind must be one of"):
        generator_loss(torch.zeros(1), "wgan")


def test_penalty_by_hand() -> None:
    """Of a(x) = mean over two logits of w·x and of (x₀)², whose gradient is w/2 + (x₀, 0, 0)."""
    w, share = torch.tensor([3.0, -1.0, 2.0]), torch.tensor([0.25, 1.0])
    real, fake = torch.tensor([[1.0, 2.0, 0.0], [0.5, 0.0, 0.0]]), torch.tensor([[-1.0, 4.0, 0.0], [9.0, 9.0, 9.0]])

    def judge(x: torch.Tensor) -> torch.Tensor:
        return torch.stack([x @ w, x[:, 0] ** 2], 1)

    expected = 0.0
    for n in range(2):
        first = float(share[n]) * float(real[n, 0]) + (1 - float(share[n])) * float(fake[n, 0])
        expected += 10 * (math.sqrt((1.5 + first) ** 2 + 0.5**2 + 1**2) - 1) ** 2 / 2
    assert interpolate_penalty(judge, real, fake, 10.0, share).item() == pytest.approx(expected, rel=1e-6)
    torch.manual_seed(0)
    drawn = torch.rand(2)
    torch.manual_seed(0)
    assert torch.equal(
        interpolate_penalty(judge, real, fake, 10.0), interpolate_penalty(judge, real, fake, 10.0, drawn)
    )


def test_penalty_trains_the_critic_and_sees_the_past() -> None:
    torch.manual_seed(0)
    critic, past, target = PoseDiscriminator(17, 8), poses(), poses(frames=8, seed=1)
    visible = target[..., 2] > 0
    real, fake = (critic.join(past, x, visible) for x in (target[..., :2], torch.zeros(3, 8, 17, 2)))
    share = torch.full((3,), 0.5)
    penalty = interpolate_penalty(critic.judge, real, fake, 10.0, share)
    penalty.backward()
    assert all(p.grad is not None for name, p in critic.named_parameters() if name.endswith("weight"))
    other = [critic.join(past.flip(0), x, visible) for x in (target[..., :2], torch.zeros(3, 8, 17, 2))]
    assert not torch.equal(interpolate_penalty(critic.judge, *other, 10.0, share), penalty)


@pytest.mark.parametrize(
    "critic",
    [PoseDiscriminator(17, 8), HeatmapDiscriminator(Canvas(16, 1.5, 1.5, 2), width=4)],
    ids=["coordinates", "heatmaps"],
)
def test_judging_real_and_predicted_at_once_is_judging_each(
    critic: PoseDiscriminator | HeatmapDiscriminator,
) -> None:
    """Logits, and gradients of the weights, in training."""
    torch.manual_seed(0)
    like = poses() if isinstance(critic, PoseDiscriminator) else torch.rand(3, 17, 16, 16, 16)
    real, fake = torch.rand_like(like), torch.rand_like(like)
    each = [critic.judge(joined) for joined in (real, fake)]
    together = critic.judge(torch.cat([real, fake])).chunk(2)
    torch.testing.assert_close(together, tuple(each))
    weights = list(critic.parameters())
    expected = torch.autograd.grad(discriminator_loss(*each), weights)  # type: ignore[misc]
    torch.testing.assert_close(torch.autograd.grad(discriminator_loss(*together), weights), expected)  # type: ignore[misc]


@pytest.mark.parametrize("kind", ["l1", "smooth_l1"])
def test_reconstruction_by_loop(kind: str) -> None:
    target, predicted = poses(2, 4), poses(2, 4, seed=1)[..., :2] * 3
    visible = target[..., 2] > 0
    errors = []
    for index in np.ndindex(2, 4, 17):
        if visible[index]:
            for axis in range(2):
                error = abs(float(predicted[(*index, axis)]) - float(target[(*index, axis)]))
                errors.append(error if kind == "l1" else (error**2 / 2 if error < 1 else error - 0.5))
    assert 0 < len(errors) < 2 * 4 * 17 * 2
    loss = pose_reconstruction(predicted, target[..., :2], visible, kind)
    assert loss.item() == pytest.approx(sum(errors) / len(errors), rel=1e-5)


def test_reconstruction_limits() -> None:
    predicted = torch.ones(1, 2, 17, 2, requires_grad=True)
    visible = torch.zeros(1, 2, 17, dtype=torch.bool)
    loss = pose_reconstruction(predicted, torch.zeros(1, 2, 17, 2), visible)
    loss.backward()
    assert loss.item() == 0
    assert predicted.grad is not None and predicted.grad.abs().max() == 0
    with pytest.raises(ValueError, match="l1 or smooth_l1"):
        pose_reconstruction(predicted, predicted, visible, "l2")
    with pytest.raises(ValueError, match="shapes differ"):
        pose_reconstruction(predicted, predicted, visible[:, :1])


def test_constant_speed_is_learnt() -> None:
    """A body that moves at constant speed: 60 steps must beat standing still by far."""
    torch.manual_seed(0)
    generator = Generator(PoseEncoder(17, 16, 32), PoseDecoder(32, 8, noise_channels=0, width=32))
    optimiser = torch.optim.Adam(generator.parameters(), 5e-3)

    def batch() -> tuple[torch.Tensor, torch.Tensor]:
        speed = (torch.rand(16, 1, 1, 2) - 0.5).expand(-1, 24, 17, -1)
        track = speed * (torch.arange(24.0) / 8)[:, None, None]
        return torch.cat([track[:, :16], torch.ones(16, 16, 17, 1)], 3), track[:, 16:]

    for _ in range(60):
        past, future = batch()
        loss = pose_reconstruction(generator(past)[0], future, torch.ones(16, 8, 17))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    past, future = batch()
    still = (future - last_seen(past)[:, None]).abs().mean().item()
    assert loss.item() < 0.7 * still
