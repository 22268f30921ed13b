"""TGANv2 discriminator and the losses of the generating branch."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from csvr.generation.discriminator import DisBlock, VideoDiscriminator
from csvr.generation.losses import gradient_penalty, judge_once, reconstruction_loss
from csvr.pose.gan_losses import ADVERSARIAL, discriminator_loss, generator_loss

SIZES = ((4, 6), (2, 12))  # frames and pixels of two levels


def clips(n: int = 2, seed: int = 0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(n, 3, t, s, s, generator=generator, dtype=torch.float64) for t, s in SIZES]


def discriminator() -> VideoDiscriminator:
    torch.manual_seed(0)
    return VideoDiscriminator(2, 4, 3).double()


@pytest.mark.parametrize("first", [True, False])
def test_block_equations(first: bool) -> None:
    torch.manual_seed(0)
    block = DisBlock(3, 5, first).double()
    clip = torch.randn(2, 3, 4, 6, 6, dtype=torch.float64)
    main = F.conv3d(clip if first else clip.clamp(min=0), block.conv1.weight, block.conv1.bias, padding=1)
    main = F.conv3d(main.clamp(min=0), block.conv2.weight, block.conv2.bias, padding=1)
    total = main + F.conv3d(clip, block.shortcut.weight, block.shortcut.bias)
    space = (total[..., ::2, ::2] + total[..., 1::2, ::2] + total[..., ::2, 1::2] + total[..., 1::2, 1::2]) / 4
    expected = space if first else (space[:, :, ::2] + space[:, :, 1::2]) / 2
    torch.testing.assert_close(block(clip), expected)
    assert block(clip[:, :, :1, :, :1]).shape == (2, 5, 1, 3, 1)  # axes of length 1 are kept


def test_levels_have_separate_networks_and_sum_pooling() -> None:
    net, levels = discriminator(), clips()
    logits = net(levels)
    assert logits.shape == (2, 2)
    changed = net([levels[0], levels[1] * 2])
    assert torch.equal(changed[:, 0], logits[:, 0])
    assert (changed[:, 1] - logits[:, 1]).abs().min() > 1e-6
    wide = torch.cat([levels[0]] * 3, 4)
    features = net.nets[0](wide)
    assert features.shape == (2, 16, 1, 1, 2)  # the sum is over more than one position
    expected = F.linear(features[..., 0, 0, 0] + features[..., 0, 0, 1], net.heads[0].weight, net.heads[0].bias)
    torch.testing.assert_close(net([wide, levels[1]])[:, :1], expected)
    with pytest.raises(ValueError, match="1 clips for 2 levels"):
        net(levels[:1])


def test_no_batch_statistics() -> None:
    net, levels = discriminator(), clips(3)
    torch.testing.assert_close(net(levels)[:1], net([level[:1] for level in levels]))


def test_sizes() -> None:
    small = VideoDiscriminator(3, 8, 4)
    assert small([torch.randn(2, 3, 8 // 2**k, 14 * 2**k, 14 * 2**k) for k in range(3)]).shape == (2, 3)
    with torch.device("meta"):
        paper = VideoDiscriminator()
        levels = [torch.empty(2, 3, 16 // 2**k, 14 * 2**k, 14 * 2**k) for k in range(4)]
        assert paper(levels).shape == (2, 4)
        assert paper.heads[0].in_features == 1024


def test_penalty_against_the_jacobian() -> None:
    net, reals = discriminator(), [clip.requires_grad_() for clip in clips()]
    jacobians = torch.autograd.functional.jacobian(lambda *x: net(x).sum(), tuple(reals))
    squares = sum(j.square().sum().item() for j in jacobians)
    assert squares > 0
    assert gradient_penalty(net(reals), reals, lam=0.5).item() == pytest.approx(squares / 2, rel=1e-9)
    mean = gradient_penalty(net(reals), reals, lam=3.0, reduction="mean")
    assert mean.item() == pytest.approx(3 * squares / 4, rel=1e-9)  # 2 clips × 2 levels


def test_penalty_of_a_linear_discriminator_by_hand() -> None:
    weight = torch.tensor([3.0, -4.0], requires_grad=True)
    reals = [torch.randn(5, 2, requires_grad=True)]
    penalty = gradient_penalty((reals[0] @ weight)[:, None], reals, lam=0.5)
    assert penalty.item() == pytest.approx(0.5 * 5 * 25)
    penalty.backward()
    assert weight.grad is not None
    assert weight.grad.tolist() == pytest.approx([15.0, -20.0])  # λ·5·2w


def test_penalty_trains_the_discriminator() -> None:
    """Its derivative for a weight equals the central difference, so the double backward pass is right."""
    net, reals = discriminator(), [clip.requires_grad_() for clip in clips()]
    weight = net.nets[0][0].conv1.weight
    gradient_penalty(net(reals), reals).backward()
    assert weight.grad is not None
    index, step, values = (1, 2, 0, 1, 2), 1e-5, []
    for sign in (1, -1):
        with torch.no_grad():
            weight[index] += sign * step
        values.append(gradient_penalty(net(reals), reals).item())
        with torch.no_grad():
            weight[index] -= sign * step
    assert weight.grad[index].item() == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-4)


def judge_for_each_loss(
    discriminator: VideoDiscriminator, real: list[torch.Tensor], fake: list[torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """As `judge_once`, by two passes."""
    discriminator.requires_grad_(False)
    fooling = discriminator(fake)
    discriminator.requires_grad_(True)
    both = discriminator([torch.cat([one, other.detach()]) for one, other in zip(real, fake, strict=True)])
    return both[: len(real[0])], both[len(real[0]) :], fooling


@pytest.mark.parametrize("penalty", [0.0, 0.5])
@pytest.mark.parametrize("kind", ADVERSARIAL)
def test_one_pass_gives_the_gradients_of_two(kind: str, penalty: float) -> None:
    """Of logits far on both sides too, where a loss of the discriminator is flat."""
    net, real, fake = discriminator(), clips(3, 1), clips(4, 2)
    with torch.no_grad():
        net.heads[0].bias += 3
        net.heads[1].bias -= 3
    found, weights = [], list(net.parameters())
    for judge in (judge_once, judge_for_each_loss):
        reals = [clip.clone().requires_grad_() for clip in real]
        generated = [clip.clone().requires_grad_() for clip in fake]
        of_real, of_fake, fooling = judge(net, reals, generated)
        judged = discriminator_loss(of_real, of_fake, kind) + gradient_penalty(of_real, reals, penalty)
        # What trains the generator weighs as it does in the whole loss, and its clips have another loss beside.
        other = sum(clip.square().mean() for clip in generated)
        (0.02 * generator_loss(fooling, kind) + judged + other).backward()
        found.append([judged, fooling, *(x.grad for x in weights), *(clip.grad for clip in generated)])
        net.zero_grad()
    assert ((of_fake < -1).any() and (of_fake > 1).any()).item()
    for one, two in zip(*found, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-7, atol=1e-9)
    without = [clip.grad - 2 * clip / clip.numel() for clip in generated]
    assert all(gradient.abs().amax() > 1e-6 for gradient in without)  # the generator does learn from it


def test_one_pass_for_either_loss_alone() -> None:
    net, real = discriminator(), clips(2, 1)
    fake = [clip.requires_grad_() for clip in clips(2, 2)]
    _, of_fake, fooling = judge_once(net, real, fake)
    of_fake.sum().backward(retain_graph=True)
    assert not any(clip.grad.any() for clip in fake)
    weights = [x.grad.clone() for x in net.parameters()]
    fooling.sum().backward()
    expected = torch.autograd.grad(net(fake).sum(), fake)
    for clip, gradient in zip(fake, expected, strict=True):
        torch.testing.assert_close(clip.grad, gradient)
    for x, before in zip(net.parameters(), weights, strict=True):
        torch.testing.assert_close(x.grad, before, rtol=0, atol=1e-8)


def test_discriminator_learns_to_tell_real_from_fake() -> None:
    torch.manual_seed(0)
    net = VideoDiscriminator(2, 4, 3)
    optimiser = torch.optim.Adam(net.parameters(), 2e-3, betas=(0.0, 0.9))
    for step in range(40):
        real, fake = ([clip.float() * scale for clip in clips(4, 2 * step + j)] for j, scale in enumerate((0.3, 1.0)))
        reals = [clip.requires_grad_() for clip in real]
        a_real, a_fake = net(reals), net(fake)
        loss = discriminator_loss(a_real, a_fake) + gradient_penalty(a_real, reals, 1e-3)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert (a_real.mean(0) > a_fake.mean(0) + 1).all()  # at both levels


@pytest.mark.parametrize(("kind", "expected"), [("l1", (2.0 + 0.5) / 2), ("l2", (4.0 + 0.25) / 2)])
def test_reconstruction_weighs_levels_equally(kind: str, expected: float) -> None:
    levels = [torch.full((1, 3, 2, 2, 2), 2.0), torch.full((1, 3, 1, 4, 4), 0.5)]  # of different size
    targets = [torch.zeros_like(level) for level in levels]
    assert reconstruction_loss(levels, targets, kind).item() == pytest.approx(expected)


def test_errors() -> None:
    reals = [torch.randn(2, 3, requires_grad=True)]
    with pytest.raises(ValueError, match="reduction must be sum or mean"):
        gradient_penalty(reals[0].sum(1, keepdim=True), reals, reduction="max")
    with pytest.raises(ValueError, match="kind must be l1 or l2"):
        reconstruction_loss(reals, reals, "huber")
    for targets in ([], [torch.randn(2, 1)]):
        with pytest.raises(ValueError, match="shapes differ"):
            reconstruction_loss(reals, targets)
