"""The training loop of the three branches, resumable step by step."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from csvr import distributed
from csvr.adam import Adam
from csvr.checkpoints import AVERAGE, NETWORKS, Checkpoints
from csvr.data.ahead import ahead
from csvr.data.batches import Features
from csvr.errors import UserError
from csvr.pretrain.model import CSVR
from csvr.pretrain.processes import prepare
from csvr.pretrain.schedule import schedule
from csvr.pretrain.views import Views, make_views
from csvr.pretrain.watch import Watch

if TYPE_CHECKING:
    from lightning_fabric import Fabric

log = logging.getLogger(__name__)
History = list[dict[str, float]]


def train(
    fabric: Fabric,
    model: CSVR,
    features: Features,
    videos: list[str],
    params: dict[str, Any],
    seed: int,
    checkpoints: Checkpoints,
    report: Callable[[int, dict[str, float]], None],
) -> tuple[CSVR, History, list[str]]:
    """Train all networks.

    Two optimisers share each forward pass: one takes encoders and generators down `loss`, the other the
    discriminators down `discriminator`. Every `checkpoint_every` steps all state becomes a checkpoint; a run that
    finds one goes on from it and ends bit for bit as if it had never stopped. With `steps: 0` only batch-norm
    statistics are measured, so that untrained features are as well scaled as trained ones.

    The batch is shared by all processes, and each takes its share in `accumulate` parts, one after the other; only the
    contrast and batch norm see a difference between parts and a whole, as clips of other parts are no negatives.

    Args:
        fabric: Processes, device and precision (`csvr.pretrain.processes.start`).
        model: All networks; trained in place.
        features: Stored clips.
        videos: Training videos.
        params: Parameters as `CSVR` takes them, and `pretrain` and `augment`.
        seed: Seeds clips and augmentation (torch's own generator, of weights and noise, is seeded by the caller).
        checkpoints: Of runs with the same parameters, data, sources and seed.
        report: Called with step and mean losses every `log_every` steps, in the first process.

    Returns:
        The networks to keep (with `average`, the moving average of those that were trained), one row each time
        `report` was called, and what went wrong on the way (see `csvr.pretrain.watch`).

    Raises:
        UserError: The loss or a weight is no longer finite (the last checkpoint is from before, and stays), or the
            batch can't be shared evenly.
    """
    settings, steps = params["pretrain"], params["pretrain"]["steps"]
    require_even_shares(settings, model.futures, fabric.world_size)
    # All draw the same numbers.
    torch.set_rng_state(fabric.broadcast(torch.get_rng_state()))
    prepare(model, fabric, settings)
    generators = Adam(model.generators(), settings["lr"])
    judges = model.discriminators()
    # TGANv2's betas for its discriminators.
    optimisers = [generators, *([Adam(judges, settings["discriminator_lr"], (0.0, 0.9))] if judges else [])]
    networks = fabric.setup(model)
    average = None
    if settings["average"]:
        average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(settings["average"]), use_buffers=True)
    start, history = _resume(fabric, checkpoints, model, average, optimisers)
    watch = Watch(params)
    for row in history:
        watch.see(int(row["step"]), row, tell=False)
    share, parts = (fabric.global_rank, fabric.world_size), settings["accumulate"]
    model.train()
    recent: list[dict[str, Tensor]] = []
    began = time.monotonic()
    todo = range(start, steps)
    ready = views_of_steps(features, videos, params, seed, todo, model.futures, share, fabric.device)
    for step, views in zip(todo, ready, strict=True):
        generators.lr = settings["lr"] * schedule(step, steps, settings["warmup"])
        noise = model.noise(settings["batch"])
        mine = {name: value[share[0] :: share[1]].to(fabric.device) for name, value in noise.items()}
        views = views._replace(noise=mine)
        for optimiser in optimisers:
            optimiser.zero_grad()
        for k in range(parts):
            with fabric.no_backward_sync(networks, enabled=k < parts - 1):
                terms = networks(views.part(k, parts), step)
                fabric.backward((terms["loss"] + terms["discriminator"]) / parts)
            recent.append({name: value.detach() for name, value in terms.items()})
        for optimiser in optimisers:
            if settings["clip_gradient"]:
                optimiser.clip(settings["clip_gradient"])
            optimiser.step()
        if average is not None:
            average.update_parameters(model)
        done = step + 1
        if done % settings["log_every"] == 0 or done == steps:
            row = _means(recent)
            if not math.isfinite(row["loss"] + row["discriminator"]):
                raise UserError(_not_finite("the loss", done, checkpoints, f": {row}"))
            watch.see(done, row, tell=fabric.is_global_zero)
            row["lr"] = generators.lr
            row["clips_per_second"] = (done - start) * settings["batch"] / (time.monotonic() - began)
            history.append({"step": done} | row)
            recent = []
            if fabric.is_global_zero:
                report(done, row)
        keep = done % settings["checkpoint_every"] == 0 and not recent
        # The loss was finite before the weights were changed.
        if (keep or done == steps) and not _finite(model):
            raise UserError(_not_finite("a weight", done, checkpoints))
        if keep and done < steps and fabric.is_global_zero:
            _save(checkpoints, done, model, average, optimisers, history)
    if steps == 0:
        _measure_batch_norm(model, features, videos, params, seed, fabric.device, share)
    kept = cast(CSVR, average.module) if average is not None and steps else model
    return kept, history, list(watch.warnings.values())


def views_of_steps(
    features: Features,
    videos: list[str],
    params: dict[str, Any],
    seed: int,
    steps: range,
    futures: int,
    share: tuple[int, int],
    device: torch.device,
) -> Iterator[Views]:
    """What training steps train on; a thread makes the next one while the caller works on this one.

    A function of seed and step alone, so that a resumed run sees the same.

    Args:
        features, videos, seed, futures, share: As `Features.draw` takes them.
        params: `pretrain.batch`, `augment` and `clip.crop` of them.
        steps: Which.
        device: Where the tensors are to be.

    Raises:
        UserError: Stored features are damaged.
    """

    def made(step: int) -> Views:
        batch = features.draw(videos, params["pretrain"]["batch"], seed, step, futures, share).to(device)
        # Not torch's own generator, from which the networks draw meanwhile.
        state = int(np.random.SeedSequence([seed, 3, step]).generate_state(1, np.uint64)[0])
        return make_views(batch, params["augment"], params["clip"]["crop"], torch.Generator().manual_seed(state))

    return ahead(map(made, steps))


def require_even_shares(settings: dict[str, Any], futures: int, processes: int) -> None:
    """Raise a UserError unless every process and part gets as many clips of a batch, and generates as many.

    Otherwise the mean over processes would not be the mean over clips.
    """
    shares = processes * settings["accumulate"]
    for key, count in (("pretrain.batch", settings["batch"]), ("model.generation.clips", futures)):
        if count % shares:
            raise UserError(
                f"{key} = {count} can't be shared evenly by {processes} processes × pretrain.accumulate = "
                f"{settings['accumulate']}; take a multiple of {shares}"
            )


def _finite(model: CSVR) -> bool:
    """Whether all weights are numbers."""
    return bool(torch.stack([value.isfinite().all() for value in model.parameters()]).all())


def _not_finite(what: str, step: int, checkpoints: Checkpoints, more: str = "") -> str:
    """Message about a training that ends here."""
    good = max(checkpoints.steps(), default=None)
    left = "there is no checkpoint from before"
    if good is not None:
        left = f"the checkpoint of step {good} is kept: {checkpoints.path(good)}"
    mend = "try a lower pretrain.lr, or pretrain.clip_gradient"
    return f"{what} is no longer finite at step {step}{more}; {mend}; {left}"


def _means(recent: list[dict[str, Tensor]]) -> dict[str, float]:
    """Mean of each loss term over steps, parts and processes."""
    rows = torch.stack([torch.stack([value.float() for value in terms.values()]) for terms in recent])
    means = [sum(column) / len(recent) for column in zip(*rows.tolist(), strict=True)]
    shared = distributed.mean(torch.tensor(means, dtype=torch.float64, device=rows.device))
    return dict(zip(recent[0], shared.tolist(), strict=True))


def _measure_batch_norm(
    model: CSVR,
    features: Features,
    videos: list[str],
    params: dict[str, Any],
    seed: int,
    device: torch.device,
    share: tuple[int, int],
    batches: int = 20,
) -> None:
    """Running statistics of all encoder batch norms as plain averages over some batches; weights stay."""
    for module in model.encoders.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = None
    with torch.no_grad():
        for views in views_of_steps(features, videos, params, seed, range(batches), 0, share, device):
            model.encoders(views.clip, views.poses)


def _save(
    checkpoints: Checkpoints,
    step: int,
    model: CSVR,
    average: AveragedModel | None,
    optimisers: list[Adam],
    history: History,
) -> None:
    """A checkpoint of everything; the best one has the lowest mean loss since the checkpoint before."""
    before = max(checkpoints.steps(), default=0)
    recent = [row["loss"] for row in history if row["step"] > before]
    tensors = {NETWORKS: model.state_dict()}
    tensors |= {AVERAGE: average.state_dict()} if average is not None else {}
    state = {"history": history, "rng": torch.get_rng_state(), "optimisers": [o.state_dict() for o in optimisers]}
    checkpoints.save(step, sum(recent) / len(recent), tensors, state)


def _resume(
    fabric: Fabric,
    checkpoints: Checkpoints,
    model: CSVR,
    average: AveragedModel | None,
    optimisers: list[Adam],
) -> tuple[int, History]:
    """Step to go on from and the history so far; (0, []) without a checkpoint."""
    step = fabric.broadcast(checkpoints.newest() if fabric.is_global_zero else None)
    if step is None:
        return 0, []
    tensors, state = checkpoints.read(step)
    model.load_state_dict(tensors[NETWORKS])
    if average is not None:
        average.load_state_dict(tensors[AVERAGE])
    for optimiser, saved in zip(optimisers, state["optimisers"], strict=True):
        optimiser.load_state_dict(saved)
    torch.set_rng_state(state["rng"])
    log.info("resuming from step %d", step)
    return step, list(state["history"])
