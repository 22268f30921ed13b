"""The training step of the embedded profile, taken apart: its sections, and its networks one by one."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
import yaml
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from csvr.adam import Adam
from csvr.checkpoints import Checkpoints
from csvr.data import mannequin, shards
from csvr.data.batches import ClipShape, Features
from csvr.data.clips import read_video
from csvr.data.iframes import read_iframes
from csvr.generation.losses import gradient_penalty
from csvr.pretrain import loop
from csvr.pretrain.model import CSVR
from csvr.pretrain.processes import start
from csvr.pretrain.views import make_views
from csvr.variants import applied
from tests.bench import media
from tests.bench.figures import ROOT, Bench


@dataclass(frozen=True)
class Profile:
    """Parameters, and features of a few videos.

    Attributes:
        params: Of the workflow.
        folder: Of the shards.
        videos: Their names.
        device: Where it computes.
    """

    params: dict[str, Any]
    folder: Path
    videos: list[str]
    device: str

    def opened(self) -> Features:
        """The features, opened anew."""
        stores = ([self.folder / kind] for kind in ("clips", "poses", "iframes"))
        return Features(*stores, ClipShape(**self.params["clip"]))

    def variant(self, name: str) -> dict[str, Any]:
        """Effective parameters of an ablation."""
        return applied(self.params, self.params["ablations"][name]["set"])


def embedded(bench: Bench, device: str, count: int = 0) -> Profile:
    """The embedded profile with drawn videos, whose poses are the true ones."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    count = count or (24 if bench.quick else 120)
    folder, side = bench.scratch / f"embedded_{count}", params["features"]["short_side"]
    paths = media.drawn(bench.scratch / "drawn", count)
    if not folder.exists():
        store(folder, paths, side)
    return Profile(params, folder, [path.stem for path in paths], device)


def store(folder: Path, paths: list[Path], side: int) -> None:
    """Clips, I-frames and poses of drawn videos, as shards."""
    arrays: dict[str, dict[str, Any]] = {"clips": {}, "poses": {}, "iframes": {}}
    for path in paths:
        name, images = path.stem, read_video(path, side)
        found = read_iframes(path, side, frames=len(images))
        action, group, _ = name.removeprefix("v_").split("_")
        points = mannequin.render(mannequin.Clip(action, int(group[1:]), 1, True), 2617, len(images), 128)[1]
        poses = np.concatenate([points, np.ones_like(points[..., :1])], 2).astype(np.float32)
        arrays["clips"][name] = images
        arrays["poses"] |= {name: poses, f"{name}/frame": np.arange(len(images), dtype=np.int32)}
        arrays["iframes"] |= {name: found.images, f"{name}/index": found.index}
    part = folder.with_suffix(".part")
    for kind, found in arrays.items():
        shards.write(part / kind, found, {"run_id": "bench", "index_sha256": "bench"})
    part.rename(folder)


WAIT, CPU = "wait for data", "CPU time of its threads"
SECTIONS = (WAIT, "forward", "backward", "optimisers")


def steps(profile: Profile, count: int, variant: str, before: int = 1, **settings: Any) -> dict[str, float]:
    """Seconds of a training step, mean over `count` steps of csvr's own loop and one report.

    Args:
        profile: What to train on.
        count: A multiple of `penalty_every`, so that the penalty weighs as it does.
        variant: Name of the ablation.
        before: Steps that are not counted, at least one: they fetch memory and code, once in a training of hundreds.
        settings: Changes to the `pretrain` parameters.

    Returns:
        "step", the CPU time of all its threads, and the sections of it; on a GPU the wait for data alone.
    """
    params = profile.variant(variant)
    params["pretrain"] |= {"steps": before + count, "log_every": before + count, "checkpoint_every": 10**9} | settings
    features, fabric = profile.opened(), start(profile.device, params["pretrain"]["precision"])
    for store in (features.clips, features.poses, features.iframes):
        for name in store:  # whose checksums are compared once in a training of hundreds of steps, not in these few
            store[name]
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = CSVR(params, pose_frames=len(features.keypoints(profile.videos[0], 0)))
    spent, begun = dict.fromkeys(SECTIONS, 0.0), list[tuple[float, float]]()

    def timed(section: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            began = time.perf_counter()
            result = function(*args, **kwargs)
            if len(begun) > before:
                spent[section] += time.perf_counter() - began
            return result

        return call

    def begin() -> None:  # the clock of those that are counted is read once: it makes a GPU wait
        begun.append((now(profile.device), time.process_time()) if len(begun) == before else (0.0, 0.0))

    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.object(loop, "views_of_steps", waited(loop.views_of_steps, timed, begin)))
        # A GPU does these while the clock runs on: of it only the wait for data and the whole step mean anything.
        for section, owner, name in (
            ("forward", model, "forward"), ("backward", fabric, "backward"), ("optimisers", Adam, "step"),
        ) if profile.device == "cpu" else ():  # fmt: skip
            wrapped = timed(section, getattr(owner, name))
            stack.enter_context(mock.patch.object(owner, name, wrapped_method(wrapped, owner)))
        unused = Checkpoints(profile.folder / "checkpoints", "none")
        loop.train(fabric, model, features, profile.videos, params, 0, unused, lambda step, row: None)
        ended = now(profile.device), time.process_time()
    whole, cpu = ((end - start) / count for start, end in zip(begun[before], ended, strict=True))
    return {section: seconds / count for section, seconds in spent.items()} | {"step": whole, CPU: cpu}


def waited(
    made: Callable[..., Iterator[Any]], timed: Callable[..., Any], begin: Callable[[], None]
) -> Callable[..., Iterator[Any]]:
    """The same views; a step begins where the loop asks for some, and waits for them."""

    def generate(*args: Any) -> Iterator[Any]:
        views = made(*args)
        take = timed(WAIT, lambda: next(views, None))
        begin()
        while (found := take()) is not None:
            yield found
            begin()

    return generate


def wrapped_method(function: Callable[..., Any], owner: Any) -> Callable[..., Any]:
    """The function; of a class, such that it is bound as a method."""
    return (lambda self, *args, **kwargs: function(self, *args, **kwargs)) if isinstance(owner, type) else function


def now(device: str) -> float:
    """Clock, after all that a GPU has to do."""
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


@dataclass(frozen=True)
class Call:
    """One use of a network in a training step.

    Attributes:
        name: Of the network.
        run: Calls it.
        args: Of the call, detached; those that had a gradient to give have one.
        trained: Whether its weights got a gradient.
    """

    name: str
    run: Callable[..., Any]
    args: tuple[Any, ...]
    trained: bool


def networks(model: CSVR) -> dict[str, nn.Module]:
    """The networks of a variant, each of which is called as a whole."""
    found: dict[str, nn.Module | None] = {
        "clip encoder": model.encoders.backbone, "pose encoder": model.encoders.pose,
        "integration layer": model.encoders.integration,
    }  # fmt: skip
    if model.context is not None:
        found |= {"I-frame encoder": model.context.iframe, "clip head": model.context.clip_head}
        found |= {"I-frame head": model.context.iframe_head}
    if model.pose is not None:
        found |= {"pose decoder": model.pose.decoder, "pose discriminator": model.pose.discriminator}
    if model.video is not None:
        for name in model.video.NAMES:
            found |= {f"video generator, {name}": model.video.generators[name]}
            found |= {f"video discriminator, {name}": model.video.discriminators[name]}
    return {name: network for name, network in found.items() if network is not None}


def calls(profile: Profile, variant: str) -> tuple[CSVR, list[Call]]:
    """All uses of networks in one training step (without a penalty), with what went into them."""
    params = profile.variant(variant)
    features = profile.opened()
    torch.manual_seed(0)
    model = CSVR(params, pose_frames=len(features.keypoints(profile.videos[0], 0))).to(profile.device).train()
    batch = features.draw(profile.videos, params["pretrain"]["batch"], 0, 0, model.futures).to(
        torch.device(profile.device)
    )
    views = make_views(batch, params["augment"], params["clip"]["crop"])
    noise = {name: value.to(profile.device) for name, value in model.noise(batch.total[0]).items()}
    found: list[Call] = []

    def keep(name: str, network: nn.Module, run: Callable[..., Any], args: tuple[Any, ...]) -> None:
        free = pytree.tree_map(
            lambda x: x.detach().requires_grad_(x.requires_grad) if isinstance(x, Tensor) else x, args
        )
        found.append(Call(name, run, free, any(p.requires_grad for p in network.parameters())))

    with contextlib.ExitStack() as stack:
        for name, network in networks(model).items():
            # The pose discriminator is called by what its `forward` calls too.
            inner = "judge" if name == "pose discriminator" else "forward"
            stack.enter_context(_kept(name, network, inner, keep))
        model(views._replace(noise=noise), 1)
    return model, found


@contextlib.contextmanager
def _kept(name: str, network: nn.Module, inner: str, keep: Callable[..., None]) -> Iterator[None]:
    run = getattr(network, inner)

    def call(*args: Any) -> Any:
        keep(name, network, run, args)
        return run(*args)

    with mock.patch.object(network, inner, call):
        yield


def bare(profile: Profile, variant: str) -> tuple[dict[str, float], float]:
    """Seconds of forward and backward pass of each network of a variant, as often as a step uses it.

    Returns:
        Of passes one after the other, each network's after another's, as in a step; "penalty" is that of the video
        discriminators, by `penalty_every`. And the sum of such passes where each is taken twice in a row and the second
        one counts, whose weights and activations the caches still have.
    """
    torch.set_num_threads(1)
    model, found = calls(profile, variant)
    seconds, again = dict.fromkeys(networks(model), 0.0), 0.0
    for call in found:
        timed_once(profile, model, call)
    for call in found:
        seconds[call.name] += timed_once(profile, model, call)
    for call in found:
        timed_once(profile, model, call)
        again += timed_once(profile, model, call)
    if model.video is not None and model.video.adversarial:
        seconds["penalty"] = 0.0
        for call in found:
            if call.name.startswith("video discriminator") and call.trained:
                # The first half of the clips is real.
                real = [clip[: len(clip) // 2].detach().requires_grad_() for clip in call.args[0]]
                began = now(profile.device)
                gradient_penalty(call.run(real), real, 1.0, reduction="mean").backward()
                seconds["penalty"] += (now(profile.device) - began) / model.video.penalty_every
        again += seconds["penalty"]
    return seconds, again


def timed_once(profile: Profile, model: CSVR, call: Call) -> float:
    """Seconds of one forward and backward pass."""
    networks(model)[call.name].requires_grad_(call.trained)
    began = now(profile.device)
    outputs = [x for x in pytree.tree_leaves(call.run(*call.args)) if isinstance(x, Tensor) and x.requires_grad]
    torch.autograd.backward(outputs, [torch.ones_like(output) for output in outputs])
    return now(profile.device) - began
