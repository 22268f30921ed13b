"""The pretraining loop on small random data: determinism, resume, ablations."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from csvr.data import shards
from csvr.data.batches import ClipShape, Features
from csvr.errors import UserError
from csvr.pose.gan_losses import ADVERSARIAL, discriminator_loss, interpolate_penalty
from csvr.pose.heatmaps import HeatmapEncoder
from csvr.pose.networks import KINDS
from csvr.pretrain import loop
from csvr.pretrain.model import CSVR

VIDEOS = [f"v{k}" for k in range(6)]
SHAPE = {"frames": 4, "stride": 2, "crop": 28, "iframe_window": 8, "iframe_inside": True}


COMMON = {
    "encoder": {"width": 8, "out_channels": 8}, "decoder": {"noise_channels": 2, "width": 8},
    "discriminator": {"width": 4}, "gan": "nonsaturating", "penalty": 10.0, "adversarial": 0.1, "reconstruction": 1.0,
}  # fmt: skip
CANVAS = {"size": 16, "sigma": 1.0, "extent": 1.5, "stride": 2}
POSE: dict[str, dict[str, Any]] = {
    "coordinates": COMMON | {"kind": "coordinates", "error": "smooth_l1"},
    "heatmaps": COMMON | {"kind": "heatmaps", "heatmaps": CANVAS},
}


def with_pose(kind: str, pose: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """The same with pose networks of this kind, and `pose` changed of their parameters."""
    return params(model=params()["model"] | {"pose": POSE[kind] | (pose or {})}, **changes)


def params(**changes: Any) -> dict[str, Any]:
    """Parameters of a very small CSVR."""
    return {
        "clip": SHAPE,
        "augment": {
            "area": [0.5, 1.0], "colour": 0.5, "permute": 0.5, "clip_gray": 0.3, "iframe_gray": 1.0, "invert": 0.5,
        },
        "model": {
            "backbone": {"width": 4, "blocks": [1, 1], "stem_stride": [2, 2, 2]},
            "pose": POSE["coordinates"],
            "context": {
                "iframe": {"width": 4, "blocks": [1]}, "head": {"hidden": 8, "out_channels": 8},
                "temperature": 0.1, "symmetric": True,
            },
            "integration": {"mode": "adain_mask"},
            "generation": {
                "generator": {"clstm_channels": 8, "channels": [8, 4], "time": "inject"},
                "discriminator": {"width": 4, "blocks": 2}, "gan": "nonsaturating", "adversarial": 0.1,
                "reconstruction": 1.0, "penalty": 0.5, "penalty_every": 2, "clips": 2,
            },
        },
        "pretrain": {
            "steps": 6, "batch": 3, "lr": 1e-3, "warmup": 2, "discriminator_lr": 1e-3, "checkpoint_every": 2,
            "log_every": 1,
        },
        "sigma_v": 1.0, "sigma_p": 1.0, "sigma_c": 1.0, "pose_input": True,
    } | changes  # fmt: skip


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> Features:
    folder = tmp_path_factory.mktemp("features")
    rng = np.random.default_rng(0)
    clips, poses, iframes = {}, {}, {}
    for name in VIDEOS:
        clips[name] = rng.integers(0, 256, (20, 32, 36, 3), dtype=np.uint8)
        keypoints = rng.uniform(0, 32, (20, 17, 3)).astype(np.float32)
        keypoints[rng.random((20, 17)) < 0.1] = 0
        poses |= {name: keypoints, f"{name}/frame": np.arange(20, dtype=np.int32)}
        iframes |= {name: clips[name][[0, 12]], f"{name}/index": np.array([0, 12], np.int32)}
    for stem, arrays in (("clips", clips), ("poses", poses), ("iframes", iframes)):
        shards.write(folder / stem, arrays, {"run_id": stem})
    return Features([folder / "clips"], [folder / "poses"], [folder / "iframes"], ClipShape(**SHAPE))


def run(features: Features, state: Path, p: dict[str, Any], stop_at: int | None = None) -> tuple[CSVR, list[Any]]:
    """Train; with `stop_at` die at that step as a killed job would."""
    torch.manual_seed(3)
    model = CSVR(p, pose_frames=8)

    def report(step: int, row: dict[str, float]) -> None:
        if step == stop_at:
            raise KeyboardInterrupt

    try:
        return model, loop.train(model, features, VIDEOS, p, 3, state, report)
    except KeyboardInterrupt:
        return model, []


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


def test_state_of_other_parameters_is_not_used(features: Features, tmp_path: Path) -> None:
    run(features, tmp_path / "s", params(sigma_p=0.5), stop_at=5)
    model, history = run(features, tmp_path / "s", params())
    expected, _ = run(features, tmp_path / "t", params())
    assert len(history) == 6
    assert all(torch.equal(v, weights(expected)[n]) for n, v in weights(model).items())
    (tmp_path / "s").write_bytes(b"half a file")
    model, history = run(features, tmp_path / "s", params())
    assert all(torch.equal(v, weights(expected)[n]) for n, v in weights(model).items())


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
    terms = model(loop.make_views(features.draw(VIDEOS, 3, 0, 0), p["augment"], 28, model.futures), 0)
    expected = 2 * terms["video"] + 3 * terms["pose"] + 5 * terms["context"]
    torch.testing.assert_close(terms["loss"], expected)


@pytest.mark.parametrize("gan", ADVERSARIAL)
@pytest.mark.parametrize("kind", KINDS)
def test_each_loss_reaches_its_own_networks_only(features: Features, kind: str, gan: str) -> None:
    p = with_pose(kind, {"gan": gan})
    model = CSVR(p, 8)
    terms = model(loop.make_views(features.draw(VIDEOS, 3, 0, 0), p["augment"], 28, model.futures), 0)
    terms["loss"].backward(retain_graph=True)
    assert all(q.grad is None for q in model.discriminators())
    assert all(q.grad is not None for q in model.encoders.parameters())
    model.zero_grad()
    terms["discriminator"].backward()
    assert all(q.grad is None for q in model.generators())
    assert all(q.grad is not None for q in model.discriminators())


@pytest.mark.parametrize("kind", KINDS)
def test_predictions_are_poses_whatever_the_kind(features: Features, kind: str) -> None:
    p = with_pose(kind)
    torch.manual_seed(3)
    model = CSVR(p, 8)
    views = loop.make_views(features.draw(VIDEOS, 3, 0, 0), p["augment"], 28, 0)
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
        views = loop.make_views(features.draw(VIDEOS, 3, 0, 0), p["augment"], 28, 0)
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
    views = loop.make_views(features.draw(VIDEOS, 3, 0, 0), p["augment"], 28, 0)
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
    seen = [features.draw(VIDEOS, 3, 7, step) for step in range(2)]
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


def test_missing_features_are_named(features: Features) -> None:
    with pytest.raises(UserError, match="v9"):
        features.require([*VIDEOS, "v9"])


def test_a_loss_that_is_not_finite_ends_the_run(features: Features, tmp_path: Path) -> None:
    p = params(pretrain=params()["pretrain"] | {"lr": float("inf")})
    with pytest.raises(UserError, match="no longer finite"):
        run(features, tmp_path / "s", p)
