"""Parameters that lie end to end, beside an optimiser that takes each by itself."""

import copy
from collections.abc import Iterator

import torch
from torch import nn

from csvr.pretrain.flat import flat


def networks() -> nn.Sequential:
    """Weights of several shapes and layouts, and one that nothing trains."""
    net = nn.Sequential(nn.Conv3d(3, 5, 3, bias=False), nn.BatchNorm3d(5), nn.Flatten(), nn.Linear(5 * 8, 7))
    net[0].weight.data = net[0].weight.data.contiguous(memory_format=torch.channels_last_3d)
    net.register_parameter("idle", nn.Parameter(torch.randn(3)))
    return net


def batches() -> Iterator[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return (torch.randn(4, 3, 4, 4, 4, generator=generator) for _ in range(20))


def train(net: nn.Module, parameters: list[nn.Parameter], whole: bool, limit: float) -> None:
    optimiser = torch.optim.Adam(parameters, lr=0.01, fused=True)
    for batch in batches():
        optimiser.zero_grad(set_to_none=not whole)
        net(batch).square().mean().backward()
        nn.utils.clip_grad_norm_(parameters, limit)
        optimiser.step()


def test_training_them_as_one_is_training_each() -> None:
    torch.manual_seed(0)
    one = networks()
    before, each = copy.deepcopy(one), copy.deepcopy(one)
    parameters = list(one.parameters())
    train(one, [flat(parameters)], whole=True, limit=0.05)
    train(each, list(each.parameters()), whole=False, limit=0.05)
    assert all(p is q for p, q in zip(parameters, one.parameters(), strict=True))
    for (name, found), expected in zip(one.named_parameters(), each.parameters(), strict=True):
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
        assert torch.equal(found, before.get_parameter(name)) == (name == "idle"), name


def test_values_layout_and_copies() -> None:
    net = networks()
    before = copy.deepcopy(net)
    whole = flat(list(net.parameters()))
    for found, expected in zip(net.parameters(), before.parameters(), strict=True):
        assert torch.equal(found, expected)
        assert found.stride() == expected.stride()
        assert found.data_ptr() % 64 == 0
        assert found.grad is not None
        assert not found.grad.any()
    whole.data.fill_(2.0)
    assert all(bool((p == 2).all()) for p in net.parameters())
    copied = copy.deepcopy(net)
    net.load_state_dict(before.state_dict())
    memory = whole.untyped_storage().data_ptr()
    assert all(p.untyped_storage().data_ptr() == memory for p in net.parameters())
    assert all(bool((p == 2).all()) for p in copied.parameters())
