"""Trains a few steps on random clips as one process, or as one of several under torchrun: see test_distributed.py."""

import json
import os
import sys
from pathlib import Path
from unittest import mock

import torch
from lightning_fabric import Fabric
from safetensors.torch import save_file

from csvr.adam import Adam
from csvr.checkpoints import Checkpoints
from csvr.data.batches import ClipShape, Features
from csvr.pretrain import loop
from csvr.pretrain.model import CSVR
from csvr.pretrain.processes import start


def main(inputs: Path, output: Path, fabric: Fabric, dies: str) -> None:
    params, videos = (json.loads((inputs / f"{name}.json").read_text()) for name in ("params", "videos"))
    features = Features(*([inputs / kind] for kind in ("clips", "poses", "iframes")), ClipShape(**params["clip"]))
    torch.manual_seed(5 if fabric.is_global_zero else 6)  # the first process's weights and numbers count
    model = CSVR(params, pose_frames=8)
    checkpoints = Checkpoints(output / "checkpoints", "x")
    gradients: dict[str, torch.Tensor] = {}
    taken = Adam.step

    def step(optimiser: Adam) -> None:
        if not gradients:
            if dies == os.environ.get("RANK"):
                raise RuntimeError("planted error")
            gradients.update({name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None})
        taken(optimiser)

    with mock.patch.object(Adam, "step", step):
        _, history, _ = loop.train(fabric, model, features, videos, params, 5, checkpoints, lambda step, row: None)
    if fabric.is_global_zero:
        save_file(gradients, output / "gradients.safetensors")
        save_file({n: v.contiguous() for n, v in model.state_dict().items()}, output / "networks.safetensors")
        (output / "history.json").write_text(json.dumps(history))


if __name__ == "__main__":
    torch.set_num_threads(1)
    # In single precision rounding alone can turn a unit on or off, and with it a gradient by a thousandth.
    torch.set_default_dtype(torch.float64)
    torch.Tensor.float = torch.Tensor.double  # type: ignore[method-assign]
    single = Features.keypoints
    Features.keypoints = lambda *args: single(*args).double()  # type: ignore[method-assign]
    processes = start("cpu", "32-true")
    # The rank that is to fail, then folders to train from and to write to: several, since a process starts for seconds.
    for source, target in zip(sys.argv[2::2], sys.argv[3::2], strict=True):
        main(Path(source), Path(target), processes, sys.argv[1])
