"""Trains a small OpenPifPaf network from scratch on rendered figures.

Base-network wrapper, heads, losses, checkpoint format and decoder are OpenPifPaf's own, so that
`openpifpaf.Predictor(checkpoint=…)` takes the result without a plug-in. Rendering, augmentation and the
one-person encoding are csvr's (`estimator_data`, `encoding`), the loop is the one below.
"""

from __future__ import annotations

import copy
import logging
import math
import os
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from csvr.checkpoints import AVERAGE, NETWORKS, Checkpoints
from csvr.errors import UserError
from csvr.files import params_sha256, part_of, writing
from csvr.pose import quality
from csvr.pose.detector import Detector, to_batch
from csvr.pose.encoding import Heads, encode
from csvr.pose.estimator_data import Sample, augment, render
from csvr.pose.skeleton import KEYPOINTS
from csvr.progress import share
from csvr.tracking.sources import code_hash

log = logging.getLogger(__name__)

HELD_OUT = 1_000_003  # added to the seed: the held-out images are another series


@dataclass(frozen=True)
class Recipe:
    """Parameters of the training; see params/pose_estimator/rendered.yaml for what each does."""

    seed: int
    steps: int
    batch: int
    fresh: int
    pool: int
    empty: float
    lr: float
    warm_up: int
    flat: float
    weight_decay: float
    ema: float
    stem: int
    widths: tuple[int, ...]
    blocks: tuple[int, ...]
    keypoint_weights: dict[str, float]
    thresholds: dict[str, Any]
    save_every: int
    held_out: int

    @classmethod
    def of(cls, params: dict[str, Any]) -> Recipe:
        """Checked parameters.

        Raises:
            UserError: A parameter is missing, unknown or out of range.
        """
        names = {f.name for f in fields(cls)}
        if wrong := sorted(names ^ set(params)):
            raise UserError(f"pose estimator: parameters missing or unknown: {', '.join(wrong)}")
        recipe = cls(**{**params, "widths": tuple(params["widths"]), "blocks": tuple(params["blocks"])})
        if len(recipe.widths) != 4 or len(recipe.blocks) != 4:
            raise UserError("pose estimator: widths and blocks need four numbers each")
        if not 0 < recipe.fresh <= recipe.pool or recipe.batch < 2 or recipe.steps < 1:
            raise UserError("pose estimator: need 0 < fresh <= pool, batch > 1 and steps > 0")
        if unknown := sorted(set(recipe.keypoint_weights) - set(KEYPOINTS)):
            raise UserError(f"pose estimator: keypoint_weights: no such keypoint: {', '.join(unknown)}")
        return recipe


def network(stem: int, widths: Sequence[int], blocks: Sequence[int], weights: dict[str, float]) -> Any:
    """An OpenPifPaf network of stride 8 with COCO's CIF and CAF heads, random weights.

    A 5 × 5 convolution of stride 2, a 3 × 3 one of stride 2, then four stages of basic residual blocks at
    strides 4, 8, 8 and 8, the last one dilated by 2, so that every cell sees the whole 128-pixel frame.

    Args:
        stem: Channels of the first two convolutions.
        widths: Channels of the four stages.
        blocks: Residual blocks of the four stages.
        weights: Loss weight of keypoints (1 where not named); a limb weighs as much as its heavier end.
    """
    import openpifpaf
    from torchvision.models.resnet import BasicBlock

    def stage(channels: int, width: int, count: int, stride: int) -> nn.Sequential:
        shortcut = None
        if stride != 1 or channels != width:
            shortcut = nn.Sequential(nn.Conv2d(channels, width, 1, stride, bias=False), nn.BatchNorm2d(width))
        first = BasicBlock(channels, width, stride, shortcut)
        return nn.Sequential(first, *(BasicBlock(width, width) for _ in range(count - 1)))

    def residual(_pretrained: bool) -> nn.Sequential:
        """The eight leading children of a torchvision ResNet, which the wrapper takes apart."""
        parts = zip((stem, *widths[:-1]), widths, blocks, (1, 2, 1, 1), strict=True)
        convolution = nn.Conv2d(3, stem, 5, 2, 2, bias=False)
        pool = nn.Identity()  # the wrapper drops it
        return nn.Sequential(
            convolution, nn.BatchNorm2d(stem), nn.ReLU(inplace=True), pool, *(stage(*p) for p in parts)
        )

    class Wrapper(openpifpaf.network.basenetworks.Resnet):  # type: ignore[misc]
        input_conv2_stride = 2
        block5_dilation = 2

    base = Wrapper("csvr-rendered", residual, widths[-1])
    base.__class__ = openpifpaf.network.basenetworks.Resnet  # its pickle shall not need csvr
    base.stride = 8  # the wrapper assumes a third stage of stride 2
    metas = openpifpaf.datasets.factory("cocokp").head_metas
    keypoint = [weights.get(name, 1.0) for name in KEYPOINTS]
    metas[0].training_weights = keypoint
    metas[1].training_weights = [max(keypoint[a - 1], keypoint[b - 1]) for a, b in metas[1].skeleton]
    heads = [openpifpaf.network.heads.CompositeField4(meta, base.out_features) for meta in metas]
    net = openpifpaf.network.nets.Shell(base, heads)
    openpifpaf.network.nets.model_defaults(net)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.05  # OpenPifPaf's 0.01 lags behind so short a training
    return net


def head_constants(net: Any) -> Heads:
    """What `encode` needs to know of the network's heads."""
    cif, caf = net.head_metas
    return Heads(np.asarray(cif.sigmas), np.asarray(caf.skeleton) - 1, np.asarray(cif.pose), cif.stride)


def batches(recipe: Recipe, heads: Heads, start: int) -> Iterator[tuple[torch.Tensor, list[torch.Tensor]]]:
    """Batches of steps `start`, `start + 1`, …: images (B, 3, 129, 129) and [CIF, CAF] targets.

    Images wait in a pool of the last `pool` rendered ones, `fresh` new ones a step, and are augmented anew
    each time they are drawn. What a step yields depends on the seed and its number alone.
    """
    first = start * recipe.fresh
    pool: deque[Sample] = deque(
        (render(recipe.seed, i, recipe.empty) for i in range(first, first + recipe.pool)), maxlen=recipe.pool
    )
    step = start
    while True:
        rng = np.random.default_rng((recipe.seed, HELD_OUT, step))
        drawn = [augment(pool[i], rng) for i in rng.choice(recipe.pool, recipe.batch, replace=False)]
        images = to_batch([sample.image for sample in drawn])
        targets = encode(np.stack([sample.points for sample in drawn]), (images.shape[2], images.shape[3]), heads)
        yield images, [torch.from_numpy(target) for target in targets]
        step += 1
        for i in range(recipe.fresh):
            pool.append(render(recipe.seed, first + recipe.pool + (step - start - 1) * recipe.fresh + i, recipe.empty))


def rate(step: int, recipe: Recipe) -> float:
    """Learning rate of a step: linear warm-up, flat until the share `flat` of the steps, then a cosine to 1 %."""
    if step < recipe.warm_up:
        return recipe.lr * (step + 1) / recipe.warm_up
    done = (step - recipe.flat * recipe.steps) / max(1.0, (1 - recipe.flat) * recipe.steps)
    return recipe.lr * (0.01 + 0.99 * (1 + math.cos(math.pi * min(max(done, 0.0), 1.0))) / 2)


def evaluate(net: Any, recipe: Recipe) -> dict[str, Any]:
    """Quality on `held_out` rendered images of an unseen series, all of them with a person."""
    detector = Detector(net, recipe.thresholds)
    samples = [render(recipe.seed + HELD_OUT, i, empty=0.0) for i in range(recipe.held_out)]
    poses = np.zeros((len(samples), 17, 3), dtype=np.float32)
    for start in range(0, len(samples), 16):
        for k, people in enumerate(detector([s.image for s in samples[start : start + 16]])):
            if people:
                poses[start + k] = people[0].points
    whole: NDArray[np.bool_] = np.array([bool((s.points[:, 2] > 0).all()) for s in samples])
    truth = np.stack([s.points[:, :2] for s in samples])
    return quality.summary(poses[whole], truth[whole])


class Trainer:
    """The training's whole state: network, averaged network, optimiser, step and runs; resumes from `state`.

    Args:
        recipe: Parameters.
        folder: Where the checkpoints of an unfinished training are, from the newest of which this one goes on.
    """

    def __init__(self, recipe: Recipe, folder: Path) -> None:
        import openpifpaf

        self.recipe = recipe
        made = params_sha256([asdict(recipe), code_hash("pose_estimator")])
        self.checkpoints = Checkpoints(folder, made, last=2)
        torch.manual_seed(recipe.seed)
        self.net = network(recipe.stem, recipe.widths, recipe.blocks, recipe.keypoint_weights)
        self.net = self.net.to(memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.net)
        self.loss = openpifpaf.network.losses.Factory().factory(self.net.head_metas)
        decayed = [p for p in self.net.parameters() if p.ndim > 1]
        others = [p for p in self.net.parameters() if p.ndim <= 1]
        groups = [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": others, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=recipe.lr)
        self.step = 0
        self.runs: list[str] = []
        newest = self.checkpoints.newest()
        if newest is not None:
            tensors, state = self.checkpoints.read(newest)
            self.net.load_state_dict(tensors[NETWORKS])
            self.average.load_state_dict(tensors[AVERAGE])
            self.optimizer.load_state_dict(state["optimizer"])
            self.step, self.runs = newest, list(state["runs"])
            log.info("resuming %s at step %d", folder, self.step)

    def save(self) -> None:
        """Write a checkpoint."""
        tensors = {NETWORKS: self.net.state_dict(), AVERAGE: self.average.state_dict()}
        state = {"optimizer": self.optimizer.state_dict(), "runs": self.runs}
        self.checkpoints.save(self.step, 0.0, tensors, state)

    def export(self, path: Path, meta: dict[str, Any]) -> None:
        """Write the averaged network as an OpenPifPaf checkpoint, atomically."""
        net = copy.deepcopy(self.average).eval()
        net.requires_grad_(False)
        part = part_of(path)
        try:
            with writing(path), part.open("wb") as file:
                torch.save({"model": net, "epoch": self.step, "meta": meta}, file)
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)

    def update(self, images: torch.Tensor, targets: list[torch.Tensor]) -> dict[str, float]:
        """One optimiser step on one batch; returns the losses by name."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate(self.step, self.recipe)
        self.net.train()
        total, parts = self.loss(self.net(images, head_mask=[True, True]), targets)
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()
        self.optimizer.step()
        self.step += 1
        keep = min(self.recipe.ema, self.step / (self.step + 10))
        with torch.no_grad():
            for mean, new in zip(self.average.parameters(), self.net.parameters(), strict=True):
                mean.lerp_(new, 1 - keep)
            for mean, new in zip(self.average.buffers(), self.net.buffers(), strict=True):
                mean.copy_(new)
        names = ["total", *(name.split(".", 1)[1] for name in self.loss.field_names)]
        return {name: value.item() for name, value in zip(names, (total, *parts), strict=True)}


def train(params: dict[str, Any], output: Path, run: Any) -> dict[str, Any]:
    """Train, write the checkpoint to `output`, and return what was measured on held-out images.

    Args:
        params: Fields of `Recipe`.
        output: The OpenPifPaf checkpoint. The folder `<output>.checkpoints` beside it holds the state while the
            training runs: a killed training goes on from there when it is started again with the same parameters.
        run: Sacred run; gets the loss curves and the held-out quality over the steps.

    Returns:
        runs (ids of the runs that trained it, more than one if it was resumed), steps, losses (means over the last
        50 steps, by name) and held_out (see `evaluate`).

    Raises:
        UserError: A parameter is wrong.
    """
    recipe = Recipe.of(params)
    trainer = Trainer(recipe, output.with_name(f"{output.name}.checkpoints"))
    trainer.runs.append(run._id)
    output.parent.mkdir(parents=True, exist_ok=True)
    log.info("%d parameters, stride 8", sum(p.numel() for p in trainer.net.parameters()))
    begun, first = time.monotonic(), trainer.step
    recent: deque[dict[str, float]] = deque(maxlen=50)
    measured: dict[str, Any] = {}
    for images, targets in batches(recipe, head_constants(trainer.net), first):
        if trainer.step >= recipe.steps:
            break
        recent.append(trainer.update(images, targets))
        if trainer.step % 50 == 0:
            losses = {name: sum(r[name] for r in recent) / len(recent) for name in recent[0]}
            for name, value in losses.items():
                run.log_scalar(f"loss.{name}", value, trainer.step)
            pace = (time.monotonic() - begun) / (trainer.step - first)
            log.info(
                "step %d/%d  loss %.1f  lr %.1e  %.3f s/step  ETA %.1f min",
                trainer.step, recipe.steps, losses["total"], rate(trainer.step, recipe), pace,
                (recipe.steps - trainer.step) * pace / 60, extra=share(trainer.step, recipe.steps),
            )  # fmt: skip
        if trainer.step % recipe.save_every == 0 or trainer.step == recipe.steps:
            trainer.save()
            measured = evaluate(trainer.average, recipe)
            trainer.export(output.with_name(f"{output.name}.part"), {"params": params, "held_out": measured})
            for name in ("detected", "found", "oks", "pck@0.1"):
                run.log_scalar(f"held_out.{name}", measured[name], trainer.step)
            wrists = [measured["pck@0.1 by keypoint"][f"{side}_wrist"] for side in ("left", "right")]
            log.info(
                "held out: detected %.3f  PCK@0.1 %.3f  wrists %.3f  OKS %.3f",
                measured["detected"], measured["pck@0.1"], sum(wrists) / 2, measured["oks"],
            )  # fmt: skip
    losses = {name: sum(r[name] for r in recent) / len(recent) for name in recent[0]} if recent else {}
    if not measured:
        measured = evaluate(trainer.average, recipe)
    trainer.export(output, {"params": params, "held_out": measured, "runs": trainer.runs})
    output.with_name(f"{output.name}.part").unlink(missing_ok=True)
    trainer.checkpoints.finish()
    return {"runs": trainer.runs, "steps": trainer.step, "losses": losses, "held_out": measured}
