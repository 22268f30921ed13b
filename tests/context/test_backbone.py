"""Clip and I-frame encoders against torchvision."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision.models import video
from torchvision.models.resnet import BasicBlock, ResNet

from csvr.context.backbone import ResNet3D, pool
from csvr.context.iframe import IFrameEncoder


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for name, p in module.named_parameters() if not name.startswith("fc."))


@pytest.mark.parametrize("kind", ["r3d", "r2plus1d", "mc3"])
def test_equals_torchvision(kind: str) -> None:
    torch.manual_seed(0)
    ours, theirs = ResNet3D(kind=kind), getattr(video, f"{kind}_18")()
    assert parameters(ours) == parameters(theirs)
    ours.load_state_dict({k: v for k, v in theirs.state_dict().items() if not k.startswith("fc.")})  # strict
    clip = torch.randn(2, 3, 4, 24, 20)
    expected = theirs.avgpool(theirs.layer4(theirs.layer3(theirs.layer2(theirs.layer1(theirs.stem(clip))))))
    torch.testing.assert_close(pool(ours(clip)), expected.flatten(1), rtol=1e-3, atol=1e-4)


def test_sizes() -> None:
    with torch.device("meta"):
        paper = ResNet3D()
        assert paper(torch.empty(2, 3, 16, 112, 112)).shape == (2, 512, 2, 7, 7)
        assert paper.out_channels == 512
        cmd = ResNet3D(kind="r2plus1d", stem_pool=True, bottleneck=True)  # 26 layers, section 2.1 of the reference
        assert cmd(torch.empty(2, 3, 16, 112, 112)).shape == (2, cmd.out_channels, 2, 4, 4)
        assert cmd.out_channels == 2048
    small = ResNet3D(16, (1, 1, 1), stem_kernel=(3, 5, 5), stem_stride=(2, 2, 2))
    assert small(torch.randn(2, 3, 8, 56, 56)).shape == (2, 64, 1, 7, 7)
    assert ResNet3D(8, (1, 1), kind="mc3")(torch.randn(2, 3, 8, 16, 16)).shape == (2, 16, 8, 4, 4)


def test_he_initialisation() -> None:
    torch.manual_seed(0)
    for weight in (ResNet3D(kind="r3d").layer2[1].conv1[0].weight, IFrameEncoder().layer2[0].conv2.weight):
        fan_out = weight.shape[0] * weight[0, 0].numel()
        assert weight.std().item() == pytest.approx((2 / fan_out) ** 0.5, rel=0.02)


def test_pool_is_the_mean() -> None:
    features = torch.arange(24.0).reshape(1, 2, 3, 2, 2)
    assert pool(features).tolist() == [[5.5, 17.5]]


def test_iframe_equals_torchvision() -> None:
    torch.manual_seed(0)
    ours, theirs = IFrameEncoder(), ResNet(BasicBlock, [1, 1, 1, 1])
    theirs.fc = nn.Identity()
    ours.load_state_dict(theirs.state_dict())
    image = torch.randn(3, 3, 64, 48)
    torch.testing.assert_close(ours(image), theirs(image), rtol=1e-3, atol=1e-4)
    small = IFrameEncoder(16, (1, 1, 1), stem_kernel=5, stem_pool=False)
    assert small(torch.randn(2, 3, 56, 56)).shape == (2, small.out_channels) == (2, 64)


def test_errors() -> None:
    with pytest.raises(ValueError, match="kind must be one of r3d"):
        ResNet3D(kind="s3d")
    for encoder in (ResNet3D, IFrameEncoder):
        with pytest.raises(ValueError, match="at least one stage"):
            encoder(blocks=())
