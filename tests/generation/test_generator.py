"""TGANv2 generator: parts against explicit equations, frame bookkeeping, sizes."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from csvr.generation.tganv2 import ConvLSTM, GenBlock, VideoGenerator, real_pyramid


def generator(**arguments: object) -> VideoGenerator:
    torch.manual_seed(0)
    return VideoGenerator(6, 8, 3, 8, (8, 8, 4), **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("steps", [1, 3, 5])
def test_convlstm_equations(steps: int) -> None:
    torch.manual_seed(0)
    net = ConvLSTM(3).double()
    torch.nn.init.normal_(net.input.bias)  # with a zero bias idle steps would be trivial
    inputs = torch.randn(2, steps, 3, 4, 4, dtype=torch.float64)
    states = net(inputs, 5)
    assert states.shape == (2, 5, 3, 4, 4)
    hidden = cell = torch.zeros(2, 3, 4, 4, dtype=torch.float64)
    padded = torch.cat([inputs, torch.zeros(2, 5 - steps, 3, 4, 4, dtype=torch.float64)], 1)

    def gate(k: int, x: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
        rows = slice(3 * k, 3 * k + 3)
        driven = F.conv2d(x, net.input.weight[rows], net.input.bias[rows], padding=1)
        return driven + F.conv2d(h, net.hidden.weight[rows], padding=1)

    for t in range(5):
        x, h = padded[:, t], hidden
        i, f, o = (1 / (1 + torch.exp(-gate(k, x, h))) for k in range(3))
        cell = f * cell + i * torch.tanh(gate(3, x, h))
        hidden = o * torch.tanh(cell)
        torch.testing.assert_close(states[:, t], hidden)


def test_genblock_equations() -> None:
    """BN–ReLU–up2–conv3–BN–ReLU–conv3 + conv1(up2(x)), the up-sampling done explicitly."""
    torch.manual_seed(0)
    block = GenBlock(5, 3).double()
    images = torch.randn(4, 5, 3, 4, dtype=torch.float64)

    def norm(x: torch.Tensor) -> torch.Tensor:
        mean, variance = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), keepdim=True, correction=0)
        return torch.relu((x - mean) / (variance + 1e-5).sqrt())

    def up(x: torch.Tensor) -> torch.Tensor:
        return x.repeat_interleave(2, 2).repeat_interleave(2, 3)

    main = F.conv2d(up(norm(images)), block.conv1.weight, block.conv1.bias, padding=1)
    main = F.conv2d(norm(main), block.conv2.weight, block.conv2.bias, padding=1)
    expected = main + F.conv2d(up(images), block.shortcut.weight, block.shortcut.bias)
    torch.testing.assert_close(block(images), expected)


def test_training_subsamples_cumulatively() -> None:
    net, features, seen = generator(), torch.randn(2, 6, 2, 3, 3), set()
    for seed in range(20):
        torch.manual_seed(seed)
        clips, frames = net(features)
        assert [tuple(c.shape) for c in clips] == [(2, 3, 8, 6, 6), (2, 3, 4, 12, 12), (2, 3, 2, 24, 24)]
        assert frames[0].tolist() == list(range(8))
        assert frames[1].tolist() in ([0, 2, 4, 6], [1, 3, 5, 7])
        assert frames[2].tolist() in (frames[1][::2].tolist(), frames[1][1::2].tolist())
        assert all(clip.abs().max() <= 1 for clip in clips)
        seen.add(tuple(frames[2].tolist()))
    assert seen == {(0, 4), (2, 6), (1, 5), (3, 7)}  # every offset occurs


def test_subsampled_frames_are_the_frames_of_the_full_clip() -> None:
    """The indices must name the frames: with fixed norms the levels equal those of the unsampled pass."""
    net, features = generator(), torch.randn(2, 6, 2, 3, 3)
    net.eval()
    full = net(features, all_levels=True)
    net.training = True  # sub-sample, but keep the batch norms in evaluation
    for seed in range(4):
        torch.manual_seed(seed)
        clips, frames = net(features)
        for level in range(3):
            torch.testing.assert_close(clips[level], full.clips[level][:, :, frames[level]])


def test_no_subsampling() -> None:
    clips, frames = generator(subsample=False)(torch.randn(2, 6, 2, 3, 3))
    assert [clip.shape[2] for clip in clips] == [8, 8, 8]
    assert all(index.tolist() == list(range(8)) for index in frames)


def test_evaluation_renders_the_last_level_with_all_frames() -> None:
    net, features = generator().eval(), torch.randn(2, 6, 2, 3, 3)
    clips, frames = net(features)
    assert [tuple(clip.shape) for clip in clips] == [(2, 3, 8, 24, 24)]
    assert [index.tolist() for index in frames] == [list(range(8))]
    levels = net(features, all_levels=True).clips
    assert [clip.shape[-1] for clip in levels] == net.sizes == [6, 12, 24]
    assert torch.equal(levels[-1], clips[0])


def test_mean_ignores_and_inject_uses_the_time_axis() -> None:
    features = torch.randn(2, 6, 4, 3, 3)
    reversed_time = features.flip(2)
    mean, inject = generator().eval(), generator(time="inject").eval()
    torch.testing.assert_close(mean(features).clips[0], mean(reversed_time).clips[0])
    assert (inject(features).clips[0] - inject(reversed_time).clips[0]).abs().max() > 1e-4
    # The last of f_i's steps cannot reach the first frames: the ConvLSTM is causal.
    late = features.clone()
    late[:, :, -1] += 1
    change = (inject(features).clips[0] - inject(late).clips[0]).abs().amax((0, 1, 3, 4))
    assert change[0] == 0
    assert change[-1] > 1e-4


def test_space_is_pooled_to_the_start_map() -> None:
    net = generator().eval()
    fine = torch.randn(2, 6, 1, 6, 6)
    pooled = F.avg_pool2d(fine[:, :, 0], 2)[:, :, None]
    torch.testing.assert_close(net(fine).clips[0], net(pooled).clips[0])


def test_noise() -> None:
    net, features = generator(noise_channels=2, subsample=False), torch.randn(2, 6, 1, 3, 3)
    assert not torch.equal(net(features).clips[-1], net(features).clips[-1])
    net.eval()
    assert torch.equal(net(features).clips[0], net(features, torch.zeros(2, 2)).clips[0])
    assert not torch.equal(net(features).clips[0], net(features, torch.ones(2, 2)).clips[0])


def test_first_render_after_three_blocks() -> None:
    net = generator(blocks_before_first_render=3)
    clips, _ = net(torch.randn(2, 6, 1, 3, 3))
    assert [tuple(clip.shape) for clip in clips] == [(2, 3, 8, 24, 24)]
    assert len(net.renderers) == 1


def test_every_parameter_is_trained() -> None:
    net = generator(time="inject")
    torch.manual_seed(1)
    sum(clip.square().mean() for clip in net(torch.randn(2, 6, 2, 3, 3)).clips).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())


def test_glorot_initialisation() -> None:
    torch.manual_seed(0)
    net = VideoGenerator(64, 8, 7, 128, (128, 64))
    bound = (6 / (9 * 256)) ** 0.5
    assert net.blocks[0].conv2.weight.abs().max().item() == pytest.approx(bound * 2**0.5, rel=0.01)
    assert net.clstm.hidden.weight.abs().max().item() == pytest.approx((6 / (9 * 128 * 5)) ** 0.5, rel=0.01)


def test_paper_sizes() -> None:
    with torch.device("meta"):
        net = VideoGenerator(512, noise_channels=16)
        clips = net.eval()(torch.empty(2, 512, 2, 7, 7), torch.empty(2, 16), all_levels=True).clips
        assert [tuple(clip.shape) for clip in clips] == [(2, 3, 16, s, s) for s in (14, 28, 56, 112)]
        published = VideoGenerator(256, 16, 3, 1024, (512, 256, 128, 64, 32, 32), 3)
    assert published.sizes == [24, 48, 96, 192]


def test_real_pyramid() -> None:
    clip = torch.rand(2, 3, 8, 12, 12)
    frames = [torch.arange(8), torch.tensor([1, 3, 5, 7]), torch.tensor([3, 7])]
    levels = real_pyramid(clip, [3, 6, 12], frames)
    for size, index, level in zip((3, 6, 12), frames, levels, strict=True):
        f = 12 // size
        blocks = clip[:, :, index].reshape(2, 3, len(index), size, f, size, f).mean((4, 6))
        torch.testing.assert_close(level, blocks)
    for sizes in ([3, 6], [3, 5, 12]):
        with pytest.raises(ValueError, match="cannot pool"):
            real_pyramid(clip, sizes, frames)
    with pytest.raises(ValueError, match="cannot pool"):
        real_pyramid(clip[..., :6, :], [3, 6, 12], frames)


def test_errors() -> None:
    with pytest.raises(ValueError, match="time must be mean or inject"):
        generator(time="max")
    for blocks in (0, 4):
        with pytest.raises(ValueError, match="blocks_before_first_render must be"):
            generator(blocks_before_first_render=blocks)
