"""The pretraining loop on small random data: determinism, resume, ablations."""

import shutil
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from csvr.checkpoints import Checkpoints
from csvr.data.batches import ClipShape, Features
from csvr.errors import UserError
from csvr.files import params_sha256
from csvr.pose.gan_losses import ADVERSARIAL, discriminator_loss, interpolate_penalty
from csvr.pose.heatmaps import HeatmapEncoder
from csvr.pose.networks import KINDS
from csvr.pretrain import loop
from csvr.pretrain.model import CSVR
from csvr.pretrain.processes import start
from csvr.pretrain.views import Views

from .small import POSE, SHAPE, VIDEOS, params, with_pose, write_features


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> Features:
    folder = tmp_path_factory.mktemp("features")
    write_features(folder)
    return Features([folder / "clips"], [folder / "poses"], [folder / "iframes"], ClipShape(**SHAPE))


def run(features: Features, folder: Path, p: dict[str, Any], stop_at: int | None = None) -> tuple[CSVR, list[Any]]:
    """Train; with `stop_at` die at that step as a killed job would."""
    torch.manual_seed(3)
    model = CSVR(p, pose_frames=8)
    settings = p["pretrain"]
    checkpoints = Checkpoints(folder, params_sha256(p), settings["keep_last"], settings["keep_best"])

    def report(step: int, row: dict[str, float]) -> None:
        if step == stop_at:
            raise KeyboardInterrupt

    try:
        fabric = start("cpu", settings["precision"])
        trained, history, _ = loop.train(fabric, model, features, VIDEOS, p, 3, checkpoints, report)
    except KeyboardInterrupt:
        return model, []
    checkpoints.finish(folder.with_suffix(".best"))
    return trained, history


def weights(model: CSVR) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


@pytest.mark.parametrize(("kind", "gan"), [("coordinates", "nonsaturating"), ("heatmaps", "wgan_gp")])
def test_same_seed_same_result_and_resume_changes_nothing(
    features: Features, tmp_path: Path, kind: str, gan: str
) -> None:
    p = with_pose(kind, {"gan": gan})
    whole, history = run(features, tmp_path / "a", p)
    again, _ = run(features, tmp_path / "b", p)
    run(features, tmp_path / "c", p, stop_at=5)
    assert (tmp_path / "c").exists()  # state of step 4
    resumed, resumed_history = run(features, tmp_path / "c", p)
    for name, value in weights(whole).items():
        assert torch.equal(value, weights(again)[name]), name
        assert torch.equal(value, weights(resumed)[name]), name
    assert [row["loss"] for row in resumed_history] == [row["loss"] for row in history]
    assert not list(tmp_path.iterdir())  # the state is removed at the end


def test_checkpoints_of_other_parameters_or_damaged_ones_are_not_used(features: Features, tmp_path: Path) -> None:
    expected, _ = run(features, tmp_path / "t", params())
    run(features, tmp_path / "s", params(sigma_p=0.5), stop_at=5)
    model, history = run(features, tmp_path / "s", params())
    assert len(history) == 6
    assert all(torch.equal(v, weights(expected)[n]) for n, v in weights(model).items())
    p = params(pretrain=params()["pretrain"] | {"keep_last": 2})
    run(features, tmp_path / "s", p, stop_at=5)
    newest, before = sorted((tmp_path / "s").glob("*/step*"), reverse=True)
    assert (newest.name, before.name) == ("step000004", "step000002")
    (newest / "state.pt").write_bytes(b"half a file")
    model, history = run(features, tmp_path / "s", p)
    assert [row["step"] for row in history] == [1, 2, 3, 4, 5, 6]
    assert all(torch.equal(v, weights(expected)[n]) for n, v in weights(model).items())


def test_the_best_checkpoint_is_kept(features: Features, tmp_path: Path) -> None:
    p = params(pretrain=params()["pretrain"] | {"keep_best": True, "checkpoint_every": 1})
    _, history = run(features, tmp_path / "s", p)
    best = load_file(tmp_path / "s.best")
    lowest = min(history[:-1], key=lambda row: row["loss"])["step"]  # no checkpoint after the last step
    stopped, _ = run(features, tmp_path / "u", p, stop_at=int(lowest) + 1)
    (newest,) = (tmp_path / "u").glob(f"*/step{int(lowest):06d}")
    expected = load_file(newest / "networks.safetensors")
    assert best.keys() == expected.keys()
    assert all(torch.equal(value, expected[name]) for name, value in best.items())


def changed(**settings: Any) -> dict[str, Any]:
    """Parameters with other `pretrain` settings."""
    return params(pretrain=params()["pretrain"] | settings)


def test_the_average_moves_behind_the_weights_and_survives_a_kill(features: Features, tmp_path: Path) -> None:
    p = changed(average=0.5)
    steps: list[dict[str, torch.Tensor]] = []
    for count in (1, 2, 3):  # weights after each step: the schedule depends on `steps`, so stop instead
        run(features, tmp_path / "w", changed(checkpoint_every=1), stop_at=count + 1)
        (found,) = (tmp_path / "w").glob(f"*/step{count:06d}/networks.safetensors")
        steps.append(load_file(found))
        shutil.rmtree(tmp_path / "w")
    run(features, tmp_path / "a", p | {"pretrain": p["pretrain"] | {"checkpoint_every": 1}}, stop_at=4)
    (found,) = (tmp_path / "a").glob("*/step000003/average.safetensors")
    average = load_file(found)
    for name, value in steps[0].items():
        if value.is_floating_point():
            expected = (value / 2 + steps[1][name] / 2) / 2 + steps[2][name] / 2
            torch.testing.assert_close(average[f"module.{name}"], expected, atol=1e-6, rtol=1e-5)
    whole, _ = run(features, tmp_path / "b", p)
    run(features, tmp_path / "c", p, stop_at=5)
    resumed, _ = run(features, tmp_path / "c", p)
    plain, _ = run(features, tmp_path / "d", params())
    assert all(torch.equal(v, weights(resumed)[n]) for n, v in weights(whole).items())
    assert any(not torch.equal(v, weights(plain)[n]) for n, v in weights(whole).items())


@pytest.mark.parametrize("settings", [{"channels_last": True}, {"precision": "bf16-mixed"}])
def test_layout_and_precision_change_little(features: Features, tmp_path: Path, settings: dict[str, Any]) -> None:
    _, expected = run(features, tmp_path / "a", params())
    model, history = run(features, tmp_path / "b", changed(**settings))
    assert history[0]["loss"] == pytest.approx(expected[0]["loss"], rel=0.1)
    assert all(v.dtype == torch.float32 for v in weights(model).values() if v.is_floating_point())
    if "channels_last" in settings:
        assert history[0]["loss"] == pytest.approx(expected[0]["loss"], rel=1e-5)
        assert any(
            q.ndim == 5 and q.is_contiguous(memory_format=torch.channels_last_3d) and not q.is_contiguous()
            for q in model.parameters()
        )


def test_what_is_compiled(features: Features, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Compiling takes minutes on a CPU: tried by hand, losses as without.
    compiled: list[torch.nn.Module] = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self: compiled.append(self))
    model, _ = run(features, tmp_path / "a", changed(compile=True, steps=1))
    names = {name for name, module in model.named_modules() if any(module is found for found in compiled)}
    assert {"encoders.backbone", "context.iframe", "video.generators.clip.blocks.0"} <= names
    assert not any("discriminator" in name for name in names)  # their penalty is differentiated twice
    compiled.clear()
    run(features, tmp_path / "b", changed(steps=1))
    assert not compiled


def test_parts_of_a_batch_add_up(features: Features, tmp_path: Path) -> None:
    # Without what couples clips (contrast; batch norm sees parts) the gradient would be that of the whole; with it the
    # loss is a little different, and the number of optimiser steps the same.
    p = params(sigma_c=0, pretrain=params()["pretrain"] | {"batch": 4, "accumulate": 2})
    _, history = run(features, tmp_path / "a", p)
    _, whole = run(features, tmp_path / "b", p | {"pretrain": p["pretrain"] | {"accumulate": 1}})
    assert len(history) == 6
    assert history[0]["loss"] == pytest.approx(whole[0]["loss"], rel=0.2)
    with pytest.raises(UserError, match=r"pretrain.batch = 3 can't be shared evenly .* multiple of 2"):
        run(features, tmp_path / "c", changed(accumulate=2))


def test_gradients_are_clipped(features: Features, tmp_path: Path) -> None:
    _, history = run(features, tmp_path / "a", changed(clip_gradient=1e-12, steps=1))
    start_weights = weights(untrained(3))
    model, _ = run(features, tmp_path / "b", changed(clip_gradient=1e-12, steps=1))
    # Adam divides by the gradient's size, but for its epsilon of 1e-8: clipped this far, weights hardly move.
    moved = [(v - start_weights[n]).abs().max() for n, v in model.named_parameters()]
    assert max(moved) < 1e-5
    free, _ = run(features, tmp_path / "c", changed(steps=1))
    assert max((v - start_weights[n]).abs().max() for n, v in free.named_parameters()) > 1e-4
    assert np.isfinite(history[0]["loss"])


def untrained(seed: int) -> CSVR:
    torch.manual_seed(seed)
    return CSVR(params(), pose_frames=8)


@pytest.mark.parametrize(
    ("changes", "absent"),
    [
        ({"sigma_p": 0}, {"pose"}),
        ({"sigma_p": 0, "pose_input": False}, {"pose", "encoders.pose", "encoders.integration"}),
        ({"sigma_c": 0}, {"context"}),
        ({"sigma_v": 0}, {"video"}),
    ],
)
def test_a_branch_without_weight_is_not_built(features: Features, changes: dict[str, Any], absent: set[str]) -> None:
    p = params(**changes)
    names = {name for name, _ in CSVR(p, 8).named_parameters()}
    for part in ("pose", "context", "video", "encoders.pose", "encoders.integration"):
        assert any(name.startswith(f"{part}.") for name in names) == (part not in absent)
    model, history = run(features, Path("unused"), p | {"pretrain": p["pretrain"] | {"steps": 1}})
    assert np.isfinite(history[0]["loss"])


def test_the_loss_is_the_weighted_sum(features: Features) -> None:
    p = params(sigma_v=2.0, sigma_p=3.0, sigma_c=5.0)
    model = CSVR(p, 8)
    terms = model(loop.make_views(features.draw(VIDEOS, 3, 0, 0, model.futures), p["augment"], 28), 0)
    expected = 2 * terms["video"] + 3 * terms["pose"] + 5 * terms["context"]
    torch.testing.assert_close(terms["loss"], expected)


@pytest.mark.parametrize("gan", ADVERSARIAL)
@pytest.mark.parametrize("kind", KINDS)
def test_each_loss_reaches_its_own_networks_only(features: Features, kind: str, gan: str) -> None:
    """The video discriminators are passed once for both losses: what either sends beyond is nothing but rounding."""
    p = with_pose(kind, {"gan": gan})
    model = CSVR(p, 8)
    terms = model(loop.make_views(features.draw(VIDEOS, 3, 0, 0, model.futures), p["augment"], 28), 0)
    terms["loss"].backward(retain_graph=True)
    assert all(q.grad is None or q.grad.abs().amax() < 1e-8 for q in model.discriminators())
    assert all(q.grad is not None for q in model.encoders.parameters())
    model.zero_grad()
    terms["discriminator"].backward()
    assert not any(q.grad is not None and q.grad.any() for q in model.generators())
    assert all(q.grad is not None for q in model.discriminators())


@pytest.mark.parametrize("kind", KINDS)
def test_predictions_are_poses_whatever_the_kind(features: Features, kind: str) -> None:
    p = with_pose(kind)
    torch.manual_seed(3)
    model = CSVR(p, 8)
    views = loop.make_views(features.draw(VIDEOS, 3, 0, 0, 0), p["augment"], 28)
    assert model.pose is not None
    torch.nn.init.normal_(model.pose.decoder.layers[-1].weight)
    predicted = model.pose.predict(model.encoders(views.clip, views.poses)["f_d"], views.poses)
    assert predicted.shape == views.future_poses[..., :2].shape
    model.eval()
    maps = model.encoders(views.clip, views.poses)
    assert torch.equal(model.pose.predict(maps["f_d"], views.poses), model.pose.predict(maps["f_d"], views.poses))
    assert maps["f_i"].shape == maps["f_s"].shape


@pytest.mark.parametrize("kind", KINDS)
def test_hidden_joints_change_no_loss(features: Features, kind: str) -> None:
    """Of the future, wherever a missing joint is said to be."""
    p = with_pose(kind)
    terms = []
    for elsewhere in (0.0, 0.7):
        torch.manual_seed(3)
        model = CSVR(p, 8)
        assert model.pose is not None
        torch.nn.init.normal_(model.pose.decoder.layers[-1].weight)
        views = loop.make_views(features.draw(VIDEOS, 3, 0, 0, 0), p["augment"], 28)
        hidden = views.future_poses[..., 2:] == 0
        assert hidden.any()
        views.future_poses[..., :2] += elsewhere * hidden
        terms.append(model.pose(model.encoders(views.clip, views.poses)["f_d"], views))
    assert {name: value.item() for name, value in terms[0].items()} == {n: v.item() for n, v in terms[1].items()}


@pytest.mark.parametrize("kind", KINDS)
def test_critic_has_the_penalty(features: Features, kind: str) -> None:
    p = with_pose(kind, {"gan": "wgan_gp", "penalty": 7.0})
    torch.manual_seed(3)
    model = CSVR(p, 8).eval()  # no noise
    views = loop.make_views(features.draw(VIDEOS, 3, 0, 0, 0), p["augment"], 28)
    pose = model.pose
    assert pose is not None
    motion = model.encoders(views.clip, views.poses)["f_d"]
    torch.manual_seed(5)
    found = pose(motion, views)["pose_discriminator"]
    visible = views.future_poses[..., 2] > 0
    target, fake = pose.decoder.target(views.future_poses), pose.decoder(motion, views.poses).detach()
    real, fake = (pose.discriminator.join(views.poses, future, visible) for future in (target, fake))
    torch.manual_seed(5)
    critic = discriminator_loss(pose.discriminator.judge(real), pose.discriminator.judge(fake), "wgan_gp")
    penalty = interpolate_penalty(pose.discriminator.judge, real, fake, 7.0)
    torch.testing.assert_close(found, critic + penalty)
    assert penalty > 0.1


def test_unknown_kind_is_named() -> None:
    with pytest.raises(UserError, match=r"model.pose.kind = skeletons: there are heatmaps, coordinates"):
        CSVR(params(model=params()["model"] | {"pose": POSE["heatmaps"] | {"kind": "skeletons"}}), 8)
    unnamed = {key: value for key, value in POSE["heatmaps"].items() if key != "kind"}
    model = CSVR(params(model=params()["model"] | {"pose": unnamed}), 8)
    assert isinstance(model.encoders.pose, HeatmapEncoder)


def test_zero_steps_change_statistics_but_no_weight(features: Features, tmp_path: Path) -> None:
    p = params(pretrain=params()["pretrain"] | {"steps": 0})
    torch.manual_seed(3)
    before = dict(CSVR(p, 8).encoders.named_parameters())
    model, _ = run(features, tmp_path / "s", p)
    assert all(torch.equal(v, before[n]) for n, v in model.encoders.named_parameters())
    assert model.encoders.backbone.stem[1].running_mean.abs().sum() > 0


def test_batches_cover_every_video_once_an_epoch_and_hold_the_right_frames(features: Features) -> None:
    seen = [features.draw(VIDEOS, 3, 7, step, 3) for step in range(2)]
    starts = []
    for batch in seen:
        for n in range(3):
            first = batch.clip[n, :, 0].permute(1, 2, 0).numpy()
            where = [(v, t) for v in VIDEOS for t in range(20) if np.array_equal(features.clips[v][t], first)]
            assert len(where) == 1
            (name, start) = where[0]
            starts.append(name)
            np.testing.assert_array_equal(
                batch.future[n].permute(1, 2, 3, 0).numpy(), features.clips[name][start + 8 : start + 16 : 2]
            )
            np.testing.assert_array_equal(batch.future_poses[n].numpy(), features.poses[name][start + 8 : start + 16])
            own = batch.iframes[batch.owner == n].permute(0, 2, 3, 1).numpy()
            index = [t for t in (0, 12) if start - 8 <= t < start + 16]
            np.testing.assert_array_equal(own, features.clips[name][index])
    assert sorted(starts) == VIDEOS


def test_views_are_a_function_of_seed_and_step(features: Features, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread makes them while the networks draw from torch's own generator, at times that nobody knows."""
    p, made, threads = params(), loop.make_views, set()

    def make(*args: Any) -> Views:
        threads.add(threading.get_ident())
        return made(*args)

    def views(seed: int, steps: range) -> list[Views]:
        found = loop.views_of_steps(features, VIDEOS, p, seed, steps, 2, (0, 1), torch.device("cpu"))
        return [one for one in found if torch.rand(1) < 2]

    monkeypatch.setattr(loop, "make_views", make)
    torch.manual_seed(0)
    together, state = views(7, range(2, 5)), torch.get_rng_state()
    torch.manual_seed(0)
    torch.rand(3)
    assert torch.equal(torch.get_rng_state(), state)  # three numbers, and all by this thread
    assert threads and threading.get_ident() not in threads
    for step, one in zip(range(2, 5), together, strict=True):
        (alone,), (other,) = views(7, range(step, step + 1)), views(8, range(step, step + 1))
        for name in ("clip", "future", "poses", "future_poses", "iframes", "owner"):
            assert torch.equal(getattr(one, name), getattr(alone, name))
        assert not torch.equal(one.clip, other.clip)
    assert views(7, range(3, 3)) == []


def test_each_step_has_its_own_augmentation(features: Features, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same clips twice: the views differ."""
    batch = features.draw(VIDEOS, 3, 7, 0, 2)
    monkeypatch.setattr(features, "draw", lambda *_: batch)
    first, second = loop.views_of_steps(features, VIDEOS, params(), 7, range(2), 2, (0, 1), torch.device("cpu"))
    for name in ("clip", "iframes"):
        assert not torch.equal(getattr(first, name), getattr(second, name))


def test_missing_features_are_named(features: Features) -> None:
    with pytest.raises(UserError, match="v9"):
        features.require([*VIDEOS, "v9"])


def test_a_loss_that_is_not_finite_ends_the_run(features: Features, tmp_path: Path) -> None:
    p = params(pretrain=params()["pretrain"] | {"lr": float("inf")})
    with pytest.raises(UserError, match="no longer finite"):
        run(features, tmp_path / "s", p)


@pytest.mark.parametrize("what", ["loss", "weight"])
def test_what_is_not_finite_ends_the_run_and_the_last_good_checkpoint_stays(
    features: Features, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """The loss of step 6; or weights after the update of step 4, whose loss was finite: no checkpoint has these."""
    forward = CSVR.forward

    def broken(self: CSVR, views: Any, step: int) -> dict[str, torch.Tensor]:
        terms = forward(self, views, step)
        if what == "loss" and step == 5:
            terms["loss"] = terms["loss"] * float("nan")
        if what == "weight" and step == 3:
            terms["loss"].register_hook(lambda gradient: gradient * float("inf"))
        return terms

    monkeypatch.setattr(CSVR, "forward", broken)
    step, good = (6, 4) if what == "loss" else (4, 2)
    with pytest.raises(UserError, match=rf"{what} is no longer finite at step {step}.* of step {good} is kept: "):
        run(features, tmp_path / "s", params())
    (path,) = (tmp_path / "s").glob("*/step*")
    assert path.name == f"step{good:06d}"
    saved = load_file(path / "networks.safetensors")
    assert all(value.isfinite().all() for value in saved.values())
