"""What the processes of one training share. With one process, or none started, everything here is the identity.

Process r of W takes clips r, r + W, … of every batch, and all draw the same random numbers for the whole batch, so that
W processes compute what one would: its gradient is the mean of theirs (`DistributedDataParallel`). For that, terms
that are no mean over clips need the other processes' part: the contrast (`gather`), batch norm
(`synchronise_batch_norm`) and means over as many numbers as happen to be there (`mean`).
"""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.nn.functional import all_gather, all_reduce
from torch.nn.modules.batchnorm import _BatchNorm


def processes() -> int:
    """How many there are, W."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Which of them this is, 0 … W − 1."""
    return dist.get_rank() if processes() > 1 else 0


def gather(rows: Tensor) -> Tensor:
    """Rows of all processes, in their order; the gradient flows back to the process that they came from.

    If each process derives the same loss from them, each row gets W times the loss's gradient, which the averaging over
    processes undoes.

    Args:
        rows: (N_r, ...); the processes may have different numbers of rows.

    Returns:
        (Σ N_r, ...).
    """
    if processes() == 1:
        return rows
    counts = [torch.zeros(1, dtype=torch.long, device=rows.device) for _ in range(processes())]
    dist.all_gather(counts, torch.tensor([len(rows)], device=rows.device))
    longest = int(torch.cat(counts).max())
    padded = torch.cat([rows, rows.new_zeros(longest - len(rows), *rows.shape[1:])])
    parts = all_gather(padded)
    return torch.cat([part[: int(count)] for part, count in zip(parts, counts, strict=True)])


def mean(value: Tensor) -> Tensor:
    """Mean over processes; carries no gradient."""
    if processes() == 1:
        return value
    total = value.detach().clone()
    dist.all_reduce(total)
    return total / processes()


class SharedBatchNorm(_BatchNorm):
    """Batch norm by the statistics of all processes, on any device (torch's `SyncBatchNorm` knows GPUs only)."""

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim < 2:
            raise ValueError(f"batch norm needs (N, C, ...), not {tuple(input.shape)}")

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, ...) → the same shape."""
        self._check_input_dim(input)
        if not self.training or processes() == 1:
            return super().forward(input)
        values = input.float().transpose(0, 1).flatten(1)
        count = mean(values.new_tensor(values.shape[1])) * processes()
        average = all_reduce(values.sum(1)) / count
        # In a second pass: the mean of squares less the squared mean cancels where a channel's mean is large.
        variance = all_reduce((values - average[:, None]).square().sum(1)) / count
        self._track(average.detach(), variance.detach(), float(count))
        shape = (1, -1) + (1,) * (input.ndim - 2)
        normal: Tensor = (input.float() - average.view(shape)) * (variance + self.eps).rsqrt().view(shape)
        if self.affine:
            normal = normal * self.weight.view(shape) + self.bias.view(shape)
        return normal.to(input.dtype)

    @torch.no_grad()
    def _track(self, average: Tensor, variance: Tensor, count: float) -> None:
        """Running statistics as torch keeps them: momentum None is a plain average, the variance is unbiased."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked += 1
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(average, share)
        self.running_var.lerp_(variance * count / max(count - 1, 1), share)


def synchronise_batch_norm(module: nn.Module) -> nn.Module:
    """Replace every batch norm inside `module` (in place) by one over all processes; parameters and names stay."""
    for name, child in module.named_children():
        if isinstance(child, _BatchNorm):
            shared = SharedBatchNorm(
                child.num_features, child.eps, child.momentum, child.affine, child.track_running_stats
            )
            shared.load_state_dict(child.state_dict())
            # The same parameters, which optimisers may hold already.
            shared.weight, shared.bias = child.weight, child.bias
            setattr(module, name, shared.train(child.training))
        else:
            synchronise_batch_norm(child)
    return module
