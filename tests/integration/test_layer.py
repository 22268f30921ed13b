"""Integration layer against its equations in NumPy float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from csvr.integration.layer import MODES, IntegrationLayer, instance_normalise

C, D, SHAPE = 3, 5, (2, 4, 3)  # channels of f_s and f_d, (t, h, w)


def inputs(motion: tuple[int, ...] = ()) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    static = 2 + 3 * torch.randn(4, C, *SHAPE, generator=generator, dtype=torch.float64)
    return static, torch.randn(4, D, *motion, generator=generator, dtype=torch.float64) * 0.05 + 1


def layer(mode: str = "adain_mask", **arguments: object) -> IntegrationLayer:
    """With every weight random, so that no term can vanish unseen."""
    torch.manual_seed(1)
    built = IntegrationLayer(C, D, mode, **arguments).double()  # type: ignore[arg-type]
    for parameter in built.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return built


def standardise(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + 1e-5)


def linear(convolution: torch.nn.Module, x: np.ndarray) -> np.ndarray:
    weight, bias = (p.detach().numpy() for p in (convolution.weight, convolution.bias))
    return np.einsum("oc,nc...->no...", weight[:, :, 0, 0, 0], x) + bias.reshape(-1, *[1] * (x.ndim - 2))


def sigmoid_convolution(convolution: torch.nn.Module, x: np.ndarray) -> np.ndarray:
    """3×3×3, zero padding, written as loops over the taps."""
    weight, bias = (p.detach().numpy() for p in (convolution.weight, convolution.bias))
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1), (1, 1)))
    out = np.zeros((len(x), len(weight), *x.shape[2:])) + bias.reshape(-1, 1, 1, 1)
    t, h, w = x.shape[2:]
    for i, j, k in np.ndindex(3, 3, 3):
        out += np.einsum("oc,ncthw->nothw", weight[:, :, i, j, k], padded[:, :, i : i + t, j : j + h, k : k + w])
    return 1 / (1 + np.exp(-out))


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize("mode", MODES)
def test_equations(mode: str, per_channel: bool, normalize: bool) -> None:
    net = layer(mode, mask_per_channel=per_channel, normalize_motion=normalize, normalize_static=normalize)
    static, motion = inputs()
    fused, mask = net(static, motion)
    f_s, f_d = static.numpy(), motion.numpy()[:, :, None, None, None]
    normal = standardise(f_s, (2, 3, 4))
    if normalize:
        f_s, f_d = standardise(f_s, (0, 2, 3, 4)), standardise(f_d, (0, 2, 3, 4))
    if mode == "concat":
        expected = linear(net.beta, np.concatenate([f_s, np.broadcast_to(f_d, (4, D, *SHAPE))], 1))
    elif mode == "add":
        expected = f_s + linear(net.beta, f_d)
    else:
        expected = linear(net.beta, f_d)
        if mode != "mask":
            expected = (1 + linear(net.gamma, f_d)) * normal + expected
        if mode != "adain":
            m = sigmoid_convolution(net.mask, normal)
            np.testing.assert_allclose(mask.detach().numpy(), m, rtol=1e-9)
            assert m.shape[1] == (C if per_channel else 1)
            expected = m * expected + (1 - m) * f_s
    assert (mask is None) == (mode in ("adain", "add", "concat"))
    np.testing.assert_allclose(fused.detach().numpy(), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("mode", MODES)
def test_first_clips_alone_are_as_among_all(mode: str) -> None:
    static, motion = inputs((2,))
    whole, some, none = layer(mode), layer(mode), layer(mode)
    fused, mask = whole(static, motion)
    few, few_mask = some(static, motion, 3)
    torch.testing.assert_close(few, fused[:3])
    assert (few_mask is None) == (mask is None)
    if mask is not None:
        torch.testing.assert_close(few_mask, mask[:3])
    assert len(none(static, motion, 0)[0]) == 0
    for net in (some, none):
        torch.testing.assert_close(dict(net.named_buffers()), dict(whole.named_buffers()))


def test_instance_normalise() -> None:
    static, _ = inputs()
    np.testing.assert_allclose(instance_normalise(static).numpy(), standardise(static.numpy(), (2, 3, 4)))
    # A mean near 100 rounded to bfloat16 would be off by up to 0.25.
    half = (static + 100).bfloat16()
    result = instance_normalise(half)
    assert result.dtype == torch.bfloat16
    torch.testing.assert_close(result, instance_normalise(half.double()).bfloat16())
    assert instance_normalise(torch.full((1, 1, 2, 2, 2), 7.0)).abs().max() == 0


@pytest.mark.parametrize(("bias", "other"), [(50.0, "adain"), (-50.0, "static")])
def test_mask_limits(bias: float, other: str) -> None:
    net = layer(normalize_static=False)
    torch.nn.init.constant_(net.mask.bias, bias)
    static, motion = inputs()
    fused, mask = net(static, motion)
    if other == "adain":  # M → 1 leaves D, which "adain" returns
        plain = layer("adain", normalize_static=False)
        plain.load_state_dict({k: v for k, v in net.state_dict().items() if not k.startswith("mask.")})
        torch.testing.assert_close(fused, plain(static, motion)[0])
    else:
        torch.testing.assert_close(fused, static)
    assert mask.mean().item() == pytest.approx(float(bias > 0), abs=1e-9)


def test_time_resolved_motion_varies_over_time_only() -> None:
    net = layer("add", normalize_motion=False, normalize_static=False)
    static, motion = inputs((4,))
    effect = (net(static, motion)[0] - static).detach()
    # 4 → 2 steps: each is midway between two of f_d's.
    midway = (motion[:, :, 0::2] + motion[:, :, 1::2]) / 2
    expected = linear(net.beta, midway.numpy())[..., None, None]
    np.testing.assert_allclose(effect.numpy(), np.broadcast_to(expected, effect.shape), rtol=1e-9)
    assert (effect[:, :, 0] - effect[:, :, 1]).abs().min() > 1e-6


def test_spatial_motion() -> None:
    net = layer("add", normalize_motion=False, normalize_static=False, space="map")
    static, motion = inputs(SHAPE)
    effect = (net(static, motion)[0] - static).detach().numpy()
    np.testing.assert_allclose(effect, linear(net.beta, motion.numpy()), rtol=1e-9)
    coarse = motion[..., :1, :2, :1]
    assert net(static, coarse)[0].shape == static.shape


@pytest.mark.parametrize("mode", MODES)
def test_maps_of_poses_are_averaged_over_space(mode: str) -> None:
    """Wherever something is in them, and before they are standardised, so that controls can do the same."""
    net, pooled = layer(mode, time="motion"), layer(mode, time="motion")
    static, motion = inputs((4, 7, 5))
    for found, expected in zip(net(static, motion), pooled(static, motion.mean((3, 4))), strict=True):
        assert (found is None and expected is None) or torch.allclose(found, expected, atol=1e-12)


def test_initial_state() -> None:
    """γ = 0, so D = f̄_s + β; with the defaults β(f_d) and f_s enter at the same scale however small f_d's spread."""
    torch.manual_seed(0)
    net = IntegrationLayer(64, 96, mask_bias=1.5)
    static, motion = torch.randn(64, 64, 2, 4, 4) * 7, 1 + 0.03 * torch.randn(64, 96)
    net.eval()
    net(static, motion)
    net.train()
    d = IntegrationLayer(64, 96, "adain")(static, motion)[0] - instance_normalise(static)
    assert d.std().item() == pytest.approx(1, abs=0.1)
    assert d.mean((2, 3, 4)).std(0).mean().item() == pytest.approx(1, abs=0.1)  # between clips
    kept = net.static_norm(static)
    assert kept.std().item() == pytest.approx(1, abs=0.01)
    net.mask.weight.data.zero_()
    assert net(static, motion)[1].mean().item() == pytest.approx(1 / (1 + np.exp(-1.5)), rel=1e-5)


@pytest.mark.parametrize("mode", MODES)
def test_gradients(mode: str) -> None:
    net = layer(mode)
    generator = torch.Generator().manual_seed(2)
    static = torch.randn(2, C, 2, 2, 2, generator=generator, dtype=torch.float64, requires_grad=True)
    motion = torch.randn(2, D, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda s, m: net(s, m)[0], (static, motion))


def test_sizes() -> None:
    with torch.device("meta"):
        fused, mask = IntegrationLayer(512, 256)(torch.empty(2, 512, 2, 7, 7), torch.empty(2, 256, 4, 14, 14))
        assert fused.shape == (2, 512, 2, 7, 7)
        assert mask is not None and mask.shape == (2, 1, 2, 7, 7)
    fused, _ = IntegrationLayer(64, 64)(torch.randn(2, 64, 1, 7, 7), torch.randn(2, 64, 4))
    assert fused.shape == (2, 64, 1, 7, 7)


def test_time_of_motion() -> None:
    """f_i at a moment is what the layer makes of the same f_s and of f_d at that moment (but for the mask, a
    convolution over time)."""
    torch.manual_seed(0)
    over_time, at_once = (IntegrationLayer(C, D, "adain", time=time).eval() for time in ("motion", "static"))
    at_once.load_state_dict(over_time.state_dict())
    static, motion = torch.randn(2, C, 1, 3, 3), torch.randn(2, D, 4)
    assert IntegrationLayer(C, D, time="motion")(static, motion)[1].shape == (2, 1, 4, 3, 3)
    fused, _ = over_time(static, motion)
    assert fused.shape == (2, C, 4, 3, 3)
    for t in range(4):
        assert torch.allclose(fused[:, :, t : t + 1], at_once(static, motion[:, :, t : t + 1])[0], atol=1e-6)


def test_errors() -> None:
    with pytest.raises(ValueError, match="time must be one of"):
        IntegrationLayer(C, D, time="future")
    with pytest.raises(ValueError, match="space must be one of"):
        IntegrationLayer(C, D, space="person")
    with pytest.raises(ValueError, match="mode must be one of"):
        IntegrationLayer(C, D, "multiply")
    static, motion = inputs()
    for wrong in ((static[:, :, 0], motion), (static, motion[..., None, None])):
        with pytest.raises(ValueError, match="f_s must be 5-D"):
            layer()(*wrong)
