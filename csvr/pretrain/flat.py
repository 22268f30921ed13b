"""All parameters of an optimiser as one tensor: hundreds of small ones cost it more in calls than in arithmetic."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

ALIGNED = 16  # numbers, 64 bytes of single precision: a parameter begins as torch's own memory does


def flat(parameters: Sequence[nn.Parameter]) -> nn.Parameter:
    """Lay parameters out end to end, in place: they become views of one parameter, their gradients of its gradient.

    What an optimiser does number by number, as Adam does, comes to the same. Gradients are to be set to zero and not
    to None, which would part them from the one: `zero_grad(set_to_none=False)`. So a parameter that nothing trains
    has the gradient 0, and Adam leaves it as it is.

    Args:
        parameters: At least one, all of one type and on the device where they stay (moving them ends the views). Each
            keeps its shape, its layout in memory and its name in its network.

    Returns:
        For the optimiser: 1-D, with a gradient of 0. Between parameters are zeros, whose gradient stays 0.
    """
    lengths = [-(-parameter.numel() // ALIGNED) * ALIGNED for parameter in parameters]
    whole = nn.Parameter(parameters[0].new_zeros(sum(lengths)))
    whole.grad = torch.zeros_like(whole)
    offset = 0
    for parameter, length in zip(parameters, lengths, strict=True):
        values, gradient = (
            tensor.as_strided(parameter.shape, parameter.stride(), offset) for tensor in (whole.data, whole.grad)
        )
        values.copy_(parameter.data)
        parameter.data, parameter.grad = values, gradient
        offset += length
    return whole
