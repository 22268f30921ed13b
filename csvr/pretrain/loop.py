"""The training loop of the three branches, resumable step by step."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from csvr.data.batches import Features
from csvr.errors import UserError
from csvr.pretrain.model import CSVR
from csvr.pretrain.views import make_views

log = logging.getLogger(__name__)
History = list[dict[str, float]]


def schedule(step: int, steps: int, warmup: int) -> float:
    """Factor on the learning rate: linear warm-up, then cosine to 0 (CMD's schedule)."""
    return min(1.0, (step + 1) / max(warmup, 1)) * 0.5 * (1 + math.cos(math.pi * step / steps))


def train(
    model: CSVR,
    features: Features,
    videos: list[str],
    params: dict[str, Any],
    seed: int,
    state_file: Path,
    report: Callable[[int, dict[str, float]], None],
) -> History:
    """Train `model` in place.

    Two optimisers share each forward pass: one takes encoders and generators down `loss`, the other the
    discriminators down `discriminator`. Every `checkpoint_every` steps all state goes to `state_file`; a run that
    finds it there, made with the same parameters, data and seed, goes on from it and ends bit for bit as if it had
    never stopped. With `steps: 0` only batch-norm statistics are measured, so that untrained features are as well
    scaled as trained ones.

    Args:
        model: All networks.
        features: Stored clips.
        videos: Training videos.
        params: Parameters as `CSVR` takes them, and `pretrain` and `augment`.
        seed: Seeds the order of clips (torch's own generator is seeded by the caller).
        state_file: Resume state; deleted at the end.
        report: Called with step and mean losses every `log_every` steps.

    Returns:
        One row each time `report` was called.

    Raises:
        UserError: The loss is no longer finite.
    """
    settings, steps = params["pretrain"], params["pretrain"]["steps"]
    generators = torch.optim.Adam(model.generators(), lr=settings["lr"])
    judges = model.discriminators()
    # TGANv2's betas for its discriminators.
    discriminators = torch.optim.Adam(judges, lr=settings["discriminator_lr"], betas=(0.0, 0.9)) if judges else None
    optimisers = [o for o in (generators, discriminators) if o is not None]
    fingerprint = hashlib.sha256(json.dumps([params, seed, videos], sort_keys=True).encode()).hexdigest()
    start, history = _resume(state_file, fingerprint, model, optimisers)
    model.train()
    recent: list[dict[str, float]] = []
    began = time.monotonic()
    for step in range(start, steps):
        for group in generators.param_groups:
            group["lr"] = settings["lr"] * schedule(step, steps, settings["warmup"])
        batch = features.draw(videos, settings["batch"], seed, step)
        terms = model(make_views(batch, params["augment"], params["clip"]["crop"], model.futures), step)
        for optimiser in optimisers:
            optimiser.zero_grad()
        (terms["loss"] + terms["discriminator"]).backward()  # type: ignore[no-untyped-call]
        for optimiser in optimisers:
            optimiser.step()
        recent.append({name: value.item() for name, value in terms.items()})
        if not math.isfinite(recent[-1]["loss"] + recent[-1]["discriminator"]):
            raise UserError(f"the loss is no longer finite at step {step}: {recent[-1]}; try a lower pretrain.lr")
        done = step + 1
        if done % settings["log_every"] == 0 or done == steps:
            row = {name: sum(r[name] for r in recent) / len(recent) for name in recent[0]}
            row["lr"] = generators.param_groups[0]["lr"]
            row["clips_per_second"] = (done - start) * settings["batch"] / (time.monotonic() - began)
            history.append({"step": done} | row)
            recent = []
            report(done, row)
        if done % settings["checkpoint_every"] == 0 and done < steps and not recent:
            _save(state_file, fingerprint, done, model, optimisers, history)
    if steps == 0:
        _measure_batch_norm(model, features, videos, params, seed)
    state_file.unlink(missing_ok=True)
    return history


def _measure_batch_norm(
    model: CSVR, features: Features, videos: list[str], params: dict[str, Any], seed: int, batches: int = 20
) -> None:
    """Running statistics of all encoder batch norms as plain averages over some batches; weights stay."""
    for module in model.encoders.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.momentum = None
    with torch.no_grad():
        for step in range(batches):
            batch = features.draw(videos, params["pretrain"]["batch"], seed, step)
            views = make_views(batch, params["augment"], params["clip"]["crop"], model.futures)
            model.encoders(views.clip, views.poses)


def _save(
    file: Path, fingerprint: str, step: int, model: CSVR, optimisers: list[torch.optim.Adam], history: History
) -> None:
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        torch.save(
            {
                "fingerprint": fingerprint, "step": step, "history": history, "rng": torch.get_rng_state(),
                "model": model.state_dict(), "optimisers": [o.state_dict() for o in optimisers],
            },
            part,
        )  # fmt: skip
        os.replace(part, file)
    finally:
        part.unlink(missing_ok=True)


def _resume(file: Path, fingerprint: str, model: CSVR, optimisers: list[torch.optim.Adam]) -> tuple[int, History]:
    """Step to go on from and the history so far; (0, []) without a matching state."""
    if not file.exists():
        return 0, []
    try:
        state = torch.load(file, weights_only=True)
    except Exception as error:  # a damaged file raises any of many types; starting anew is right
        log.warning("%s can't be read (%s): starting from step 0", file, error)
        return 0, []
    if state["fingerprint"] != fingerprint:
        log.warning("%s belongs to other parameters or data: starting from step 0", file)
        return 0, []
    model.load_state_dict(state["model"])
    for optimiser, saved in zip(optimisers, state["optimisers"], strict=True):
        optimiser.load_state_dict(saved)
    torch.set_rng_state(state["rng"])
    log.info("resuming from step %d", state["step"])
    return int(state["step"]), list(state["history"])
