"""Every backbone of params/backbone/ against torchvision, published sizes, or formulas written out here."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
import yaml
from torch import nn
from torchvision.models import get_model_weights, video

from csvr.context.backbone import ResNet3D, join_levels
from csvr.context.clip_encoder import ClipEncoder, clip_encoder
from csvr.errors import UserError
from tests.workflow.repository import ROOT

FILES = {path.stem: yaml.safe_load(path.read_text()) for path in (ROOT / "params/backbone").glob("*.yaml")}
TORCHVISION = ("r3d_18", "r2plus1d_18", "mc3_18", "s3d")


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def on_meta(name: str) -> ClipEncoder:
    with torch.device("meta"):
        return clip_encoder(FILES[name])


def matched_26(join: int, separable: bool) -> int:
    """Weights of CMD's 26-layer networks, written from its description: stem, four stages of two bottlenecks.

    Args:
        join: Weights and biases of a batch norm, for each channel.
        separable: R(2+1)D and not R3D.
    """

    def convolution(inputs: int, outputs: int, time: int, side: int) -> int:
        if not separable:
            return time * side**2 * inputs * outputs
        middle = time * side**2 * inputs * outputs // (side**2 * inputs + time * outputs)
        return side**2 * inputs * middle + join * middle + time * middle * outputs

    total, channels = convolution(3, 64, 3, 7) + join * 64, 64
    for width in (64, 128, 256, 512):
        for first in (True, False):
            total += channels * width + join * width + convolution(width, width, 3, 3) + join * width
            total += width * 4 * width + join * 4 * width
            total += (channels * 4 * width + join * 4 * width) if first else 0
            channels = 4 * width
    return total


def test_every_name_that_the_issue_asks_for() -> None:
    assert set(FILES) == {"embedded", "c3d", "r2plus1d_26", "r3d_26", *TORCHVISION}


@pytest.mark.parametrize("name", TORCHVISION)
def test_equals_torchvision(name: str) -> None:
    """The same names, weights and maps; as many parameters as torchvision publishes."""
    torch.manual_seed(0)
    ours, theirs = clip_encoder(FILES[name]).eval(), getattr(video, name)().eval()
    state = {k: v for k, v in theirs.state_dict().items() if not k.startswith(("fc.", "classifier."))}
    ours.load_state_dict(state)  # strict
    clip = torch.randn(1, 3, 16, 48, 40)
    with torch.inference_mode():
        expected = (
            theirs.features(clip)
            if name == "s3d"
            else theirs.layer4(theirs.layer3(theirs.layer2(theirs.layer1(theirs.stem(clip)))))
        )
        torch.testing.assert_close(ours(clip), expected, rtol=1e-3, atol=1e-4)
    head = parameters(theirs.classifier if name == "s3d" else theirs.fc)
    (published,) = {weights.meta["num_params"] for weights in get_model_weights(name)}
    assert parameters(ours) == parameters(theirs) - head == published - head


def test_c3d_is_as_published() -> None:
    """Tran et al. 2015: weights of the eight convolutions; batch norm has two numbers a channel."""
    channels = [3, 64, 128, 256, 256, 512, 512, 512, 512]
    weights = sum(27 * a * b for a, b in zip(channels, channels[1:], strict=False))
    assert weights == 27_653_184
    assert parameters(on_meta("c3d")) == weights + 2 * sum(channels[1:]) == 27_658_688


def test_cmd_networks_are_as_described() -> None:
    assert parameters(on_meta("r3d_26")) == matched_26(2, separable=False) == 26_498_752
    assert parameters(on_meta("r2plus1d_26")) == matched_26(2, separable=True) == 26_507_471
    # Without batch norms, a (2+1)D network has the weights of the 3D one, up to the rounding of the mid-planes.
    plain = matched_26(0, separable=False)
    assert 0 <= plain - matched_26(0, separable=True) < 0.001 * plain
    torch.manual_seed(0)
    network = clip_encoder(FILES["r2plus1d_26"])
    last = [module[-1].weight for name, module in network.named_modules() if name.endswith(".conv3")]
    assert len(last) == 8 and all(weight.count_nonzero() == 0 for weight in last)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("r3d_18", (512, 2, 7, 7)),
        ("r2plus1d_18", (512, 2, 7, 7)),
        ("mc3_18", (512, 16, 7, 7)),
        ("s3d", (1024, 2, 3, 3)),
        ("c3d", (512, 2, 7, 7)),
        ("r2plus1d_26", (2048, 2, 7, 7)),
        ("r3d_26", (2048, 2, 7, 7)),
    ],
)
def test_map_of_a_clip_of_16_frames(name: str, shape: tuple[int, ...]) -> None:
    encoder = on_meta(name)
    assert encoder(torch.empty(2, 3, 16, 112, 112, device="meta")).shape == (2, *shape)
    assert encoder.out_channels == shape[0]


def test_join_levels_by_hand() -> None:
    fine = torch.tensor([1.0, 2.0, 3.0, 4.0]).reshape(1, 1, 4, 1, 1).expand(-1, -1, -1, 3, 3)
    coarse = torch.tensor([[10.0, 20.0], [30.0, 40.0]]).reshape(1, 2, 2, 1, 1)
    joined = join_levels(fine, coarse)
    assert joined.shape == (1, 2, 2, 3, 3)
    # Channel 0 has steps 1 and 3, channel 1 steps 2 and 4.
    assert joined[0, :, :, 0, 0].tolist() == [[11.0, 23.0], [32.0, 44.0]]
    # Nearest neighbour as CMD's 4×4 → 7×7: row i comes from row ⌊4i/7⌋.
    rows = torch.arange(4.0).reshape(1, 1, 1, 4, 1).expand(1, 2, 1, 4, 4)
    enlarged = join_levels(torch.zeros(1, 1, 2, 7, 7), rows)
    assert enlarged[0, 0, 0, :, 3].tolist() == [0, 0, 1, 1, 2, 2, 3]
    with pytest.raises(ValueError, match="even number of time steps before the last stage, not 3"):
        join_levels(torch.zeros(1, 1, 3, 7, 7), coarse)


def test_two_level_map_is_that_of_the_stages() -> None:
    torch.manual_seed(0)
    encoder = ResNet3D(4, (1, 1, 1), two_level=True).eval()
    clip = torch.randn(2, 3, 8, 24, 24)
    fine = encoder.layer2(encoder.layer1(encoder.stem(clip)))
    coarse = F.interpolate(encoder.layer3(fine), size=(2, *fine.shape[3:]))
    expected = torch.stack([torch.cat([fine[:, :, 2 * t], fine[:, :, 2 * t + 1]], 1) for t in range(2)], 2) + coarse
    torch.testing.assert_close(encoder(clip), expected)
    for wrong in ({"blocks": (1,)}, {"kind": "mc3"}):
        with pytest.raises(ValueError, match="two_level needs two stages"):
            ResNet3D(4, two_level=True, **wrong)


@pytest.mark.parametrize("name", [name for name in FILES if name not in ("embedded", *TORCHVISION)])
def test_gradients_reach_every_weight(name: str) -> None:
    small: dict[str, Any] = FILES[name] | {"width": 4, "zero_init": False}
    torch.manual_seed(0)
    encoder = clip_encoder({key: value for key, value in small.items() if key in FILES[name]})
    features = encoder(torch.randn(2, 3, 8, 32, 32))
    assert features.min() >= 0
    features.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in encoder.parameters())


@pytest.mark.parametrize(
    ("backbone", "message"),
    [
        ({"kind": "r3d_18"}, r"model.backbone.kind = r3d_18: did you mean r3d\?"),
        ({"kind": "vit"}, "model.backbone.kind = vit: known: c3d, mc3, r2plus1d, r2plus1d_matched, r3d, s3d"),
        ({"kind": "c3d", "widht": 8}, r"model.backbone.widht: c3d has no such parameter; did you mean width\?"),
        ({"blcoks": [1]}, r"model.backbone.blcoks: r3d has no such parameter; did you mean blocks\?"),
    ],
)
def test_unknown_names(backbone: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        clip_encoder(backbone)
