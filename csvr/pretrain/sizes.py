"""Size of every network that pretraining builds: parameters, FLOPs and shapes, without any memory for it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from csvr.errors import UserError
from csvr.generation.tganv2 import Pyramid
from csvr.pretrain.model import CSVR

NEEDED = ("model", "clip", "sigma_v", "sigma_p", "sigma_c", "pose_input")


@dataclass(frozen=True)
class Network:
    """One row of the table.

    Attributes:
        name: What it is.
        parameters: Trainable numbers.
        flops: Of one forward pass, two for a multiplication and addition; convolutions and matrix products only.
        inputs, outputs: Shapes, the batch of one included.
    """

    name: str
    parameters: int
    flops: int
    inputs: list[tuple[int, ...]]
    outputs: list[tuple[int, ...]]


class Rows:
    """Collects a row for each network that is run."""

    def __init__(self) -> None:
        self.found: list[Network] = []

    def run(self, name: str, network: nn.Module, *inputs: Tensor | Sequence[Tensor]) -> Any:
        """The network's output; a row is added."""
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            output = network(*inputs)
        count = sum(parameter.numel() for parameter in network.parameters())
        flops, shapes = counter.get_total_flops(), [shape for value in inputs for shape in _shapes(value)]
        self.found.append(Network(name, count, flops, shapes, _shapes(output)))
        return output


def networks(params: dict[str, Any]) -> list[Network]:
    """All networks that pretraining builds, each run on one clip of the meta device.

    The generators run as in training: every level, with every second frame from one to the next.

    Args:
        params: At least those in `NEEDED`; `pose_extraction.stride` (or 1) says how many poses a clip has.

    Raises:
        UserError: One is missing, or the networks can't be built of them or don't fit together.
    """
    missing = [key for key in NEEDED if key not in params]
    if missing:
        raise UserError(f"--params: {missing[0]} is missing; it takes all of {', '.join(NEEDED)}, as in params.yaml")
    try:
        return _networks(params)
    except KeyError as error:
        raise UserError(f"--params: {error.args[0]} is missing") from error
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"--params: no networks can be built of these parameters: {error}") from error


def _networks(params: dict[str, Any]) -> list[Network]:
    shape = params["clip"]
    pose_frames = math.ceil(shape["frames"] * shape["stride"] / params.get("pose_extraction", {}).get("stride", 1))
    rows = Rows()
    with torch.device("meta"):
        model = CSVR(params, pose_frames).eval()
        clip = torch.empty(1, 3, shape["frames"], shape["crop"], shape["crop"])
        poses, iframe = torch.empty(1, pose_frames, 17, 3), torch.empty(1, 3, shape["crop"], shape["crop"])
    encoders = model.encoders
    static = rows.run("clip encoder, f_s", encoders.backbone, clip)
    motion, integrated = None, static
    if encoders.pose is not None and encoders.integration is not None:
        motion = rows.run("pose encoder, f_d", encoders.pose, poses)
        integrated, _ = rows.run("integration layer, f_i", encoders.integration, static, motion)
    if model.context is not None:
        image = rows.run("I-frame encoder", model.context.iframe, iframe)
        rows.run("projection head of clips", model.context.clip_head, static.flatten(2).mean(2))
        rows.run("projection head of I-frames", model.context.iframe_head, image)
    if model.pose is not None and motion is not None:
        future = rows.run("pose decoder", model.pose.decoder, motion, poses)
        rows.run("pose discriminator", model.pose.discriminator, poses, future, poses[..., 2])
    if model.video is not None:
        for name in model.video.NAMES:
            pyramid = rows.run(f"video generator, {name}", model.video.generators[name].train(), integrated)
            rows.run(f"video discriminator, {name}", model.video.discriminators[name], pyramid.clips)
    return rows.found


def _shapes(value: Any) -> list[tuple[int, ...]]:
    """Shapes of one tensor or of several; of a pyramid, those of its clips; None has none."""
    if isinstance(value, Tensor):
        return [tuple(value.shape)]
    values = value.clips if isinstance(value, Pyramid) else value or []
    return [shape for each in values for shape in _shapes(each)]
