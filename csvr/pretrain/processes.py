"""Where pretraining computes: one process on a CPU or GPU, or as many processes as `torchrun` started."""

from __future__ import annotations

import logging
import os
from typing import Any, Literal

import torch
from torch import nn

from csvr.distributed import synchronise_batch_norm
from csvr.errors import UserError
from csvr.generation.tganv2 import GenBlock
from csvr.imports import put_off
from csvr.pretrain.model import CSVR


class NeverMade:
    """Stands for what `torch.compile` makes of a network: none is made here, see `prepare`."""


# One is asked for its version, the other for what a network is not: torch's compiler, which takes a second.
with put_off("torchmetrics"), put_off("torch._dynamo", OptimizedModule=NeverMade):
    from lightning_fabric import Fabric
    from lightning_fabric.plugins.environments.lightning import LightningEnvironment
    from lightning_fabric.plugins.precision.amp import MixedPrecision
    from lightning_fabric.strategies.ddp import DDPStrategy

log = logging.getLogger(__name__)


class Autocast(MixedPrecision):
    """bf16-mixed whose inputs stay as they are: they are targets of the losses, too."""

    def __init__(self, device: str) -> None:
        super().__init__("bf16-mixed", device)

    def convert_input(self, data: Any) -> Any:
        """Nothing is converted."""
        return data


def start(device: str, precision: Literal["32-true", "bf16-mixed"]) -> Fabric:
    """Join the other processes, if `torchrun` started any.

    Args:
        device: "cpu", "cuda", or "auto": a GPU if there is one.
        precision: The parameter `pretrain.precision`: "32-true" or "bf16-mixed".

    Raises:
        UserError: There is no GPU.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("--device cuda: torch finds no GPU; take --device cpu or auto")
    world, local = (int(os.environ.get(name, 1)) for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE"))
    device = "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"
    # One process is one process also inside a batch job of several tasks.
    plugins: list[Any] = [] if world > 1 else [LightningEnvironment()]
    plugins += [Autocast(device)] if precision == "bf16-mixed" else []
    fabric = Fabric(
        accelerator=device,
        devices=local,
        num_nodes=world // local,
        # Without generation nothing trains the integration layer; without adversarial loss no discriminator is run.
        strategy=DDPStrategy(find_unused_parameters=True) if world > 1 else "auto",
        plugins=plugins,
    )
    fabric.launch()
    if device == "cpu" and precision == "bf16-mixed":
        # oneDNN's 3D convolutions leave parts of bfloat16 gradients unwritten (torch 2.12, two time steps).
        torch.backends.mkldnn.set_flags(False)  # type: ignore[no-untyped-call]
        log.warning("bf16-mixed on a CPU: without oneDNN, whose gradients are wrong there, it is slow")
    return fabric


def prepare(model: CSVR, fabric: Fabric, settings: dict[str, Any]) -> None:
    """Make the networks ready for where they run, in place: before optimisers are made of their parameters.

    They are moved to the device. Batch norm is over all processes; with `channels_last` convolution weights lie as GPUs
    like them; with `compile` the encoders and the generators' blocks are compiled (not the discriminators: their
    penalty is differentiated twice).

    Args:
        model: All networks.
        fabric: Of `start`.
        settings: The `pretrain` parameters.
    """
    model.to(fabric.device)
    if fabric.world_size > 1:
        if fabric.device.type == "cuda":
            nn.SyncBatchNorm.convert_sync_batchnorm(model)
        else:
            synchronise_batch_norm(model)
    if settings["channels_last"]:
        layouts = {4: torch.channels_last, 5: torch.channels_last_3d}
        for parameter in model.parameters():
            if parameter.ndim in layouts:
                parameter.data = parameter.data.contiguous(memory_format=layouts[parameter.ndim])
    if settings["compile"]:
        networks: list[nn.Module] = [model.encoders.backbone]
        networks += [model.context.iframe] if model.context is not None else []
        if model.video is not None:
            networks += [block for block in model.video.generators.modules() if isinstance(block, GenBlock)]
        for network in networks:
            network.compile()
