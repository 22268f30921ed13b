"""Adam over parameters that lie end to end, as one tensor.

The arithmetic is torch's own. `torch.optim.Adam` makes hundreds of small tensors cost more in calls than in arithmetic,
and imports torch's compiler for its first step: a second, as long as the rest of torch takes.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.optim.adam import adam

ALIGNED = 16  # numbers, 64 bytes of single precision: a parameter begins as torch's own memory does


class Adam:
    """Adam (Kingma and Ba, 2015), as `torch.optim.Adam` has it, of all parameters at once.

    A parameter that nothing trains has the gradient 0, not None: it stays as it is, but for weight decay.

    Args:
        parameters: At least one, all of one type and on the device where they are to stay: moving them later, or
            setting their gradients to None, parts them from the whole. Each keeps its shape and its layout in memory.
        lr: Learning rate.
        betas: Of the running averages of the gradient and of its square, each in [0, 1).
        weight_decay: What of each parameter is added to its gradient.

    Attributes:
        lr: As above; may be set before each step.
        whole: All parameters, 1-D; zeros between them, which stay so.
        gradient: Their gradients, likewise.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        weight_decay: float = 0.0,
    ) -> None:
        self.whole, self.gradient = _end_to_end(list(parameters))
        self.lr, self._betas, self._weight_decay = lr, betas, weight_decay
        self._mean, self._square = torch.zeros_like(self.gradient), torch.zeros_like(self.gradient)
        self._steps = torch.zeros((), device=self.gradient.device)

    def zero_grad(self) -> None:
        """Set all gradients to 0."""
        self.gradient.zero_()

    def clip(self, limit: float) -> None:
        """Scale all gradients down to a norm of at most `limit`."""
        nn.utils.clip_grad_norm_([self.whole], limit)

    @torch.no_grad()
    def step(self) -> None:
        """Change all parameters by their gradients."""
        adam(
            [self.whole], [self.gradient], [self._mean], [self._square], [], [self._steps],
            fused=True, amsgrad=False, beta1=self._betas[0], beta2=self._betas[1], lr=self.lr,
            weight_decay=self._weight_decay, eps=1e-8, maximize=False,
        )  # fmt: skip

    def state_dict(self) -> dict[str, Tensor]:
        """What a continued training needs of it."""
        return {"mean": self._mean, "square": self._square, "steps": self._steps}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from what `state_dict` gave."""
        for name, value in self.state_dict().items():
            value.copy_(state[name])


def _end_to_end(parameters: list[nn.Parameter]) -> tuple[nn.Parameter, Tensor]:
    """One parameter and its gradient, of which all parameters and their gradients become views."""
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
    return whole, whole.grad
