"""Adam of parameters that lie end to end, beside torch's, which takes each by itself."""

import copy
from collections.abc import Iterator

import pytest
import torch
from torch import nn

from csvr.adam import Adam


def networks() -> nn.Sequential:
    """Weights of several shapes and layouts, and one that nothing trains."""
    net = nn.Sequential(nn.Conv3d(3, 5, 3, bias=False), nn.BatchNorm3d(5), nn.Flatten(), nn.Linear(5 * 8, 7))
    net[0].weight.data = net[0].weight.data.contiguous(memory_format=torch.channels_last_3d)
    net.register_parameter("idle", nn.Parameter(torch.randn(3)))
    return net


def batches() -> Iterator[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return (torch.randn(4, 3, 4, 4, 4, generator=generator) for _ in range(20))


@pytest.mark.parametrize("settings", [{}, {"betas": (0.0, 0.9)}, {"weight_decay": 0.01}])
def test_it_is_torchs_of_each_parameter(settings: dict) -> None:
    torch.manual_seed(0)
    one = networks()
    before, each = copy.deepcopy(one), copy.deepcopy(one)
    parameters = list(one.parameters())
    ours = Adam(parameters, 0.01, **settings)
    theirs = torch.optim.Adam(each.parameters(), 0.01, **settings)
    for k, batch in enumerate(batches()):
        ours.lr = theirs.param_groups[0]["lr"] = 0.01 / (1 + k)
        ours.zero_grad()
        one(batch).square().mean().backward()
        ours.clip(0.05)
        ours.step()
        theirs.zero_grad()
        each(batch).square().mean().backward()
        nn.utils.clip_grad_norm_(each.parameters(), 0.05)
        theirs.step()
    assert all(p is q for p, q in zip(parameters, one.parameters(), strict=True))
    for (name, found), expected in zip(one.named_parameters(), each.parameters(), strict=True):
        if name == "idle":  # torch's takes no account of what has no gradient
            assert torch.equal(found, before.get_parameter(name)) == (not settings.get("weight_decay"))
        else:
            torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
            assert not torch.equal(found, before.get_parameter(name))


def test_values_layout_and_copies() -> None:
    net = networks()
    before = copy.deepcopy(net)
    whole = Adam(net.parameters(), 0.01).whole
    for found, expected in zip(net.parameters(), before.parameters(), strict=True):
        assert torch.equal(found, expected)
        assert found.stride() == expected.stride()
        assert found.data_ptr() % 64 == 0
        assert found.grad is not None
        assert not found.grad.any()
    whole.data.fill_(2.0)
    assert all(bool((p == 2).all()) for p in net.parameters())
    # Loading is into the same memory; a copy has memory of its own.
    copied = copy.deepcopy(net)
    net.load_state_dict(before.state_dict())
    memory = whole.untyped_storage().data_ptr()
    assert all(p.untyped_storage().data_ptr() == memory for p in net.parameters())
    assert all(bool((p == 2).all()) for p in copied.parameters())
