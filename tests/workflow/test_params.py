"""params.yaml is what params/ composes to, and what is wrong in it is named."""

from __future__ import annotations

import copy
import inspect
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from check_params import problems
from compose_params import composed
from snakemake.utils import update_config

from csvr.context.backbone import CONVOLUTIONS, ResNet3D
from csvr.context.c3d import C3D
from csvr.context.iframe import IFrameEncoder
from csvr.context.projection import ProjectionHead
from csvr.context.s3d import S3D
from csvr.data.layouts import LAYOUTS
from csvr.data.mannequin import ACTIONS
from csvr.generation.discriminator import VideoDiscriminator
from csvr.generation.tganv2 import VideoGenerator
from csvr.integration.layer import MODES, IntegrationLayer
from csvr.pose.gan import PoseDecoder, PoseDiscriminator, PoseEncoder
from csvr.pose.gan_losses import ADVERSARIAL
from csvr.pose.heatmaps import Canvas, HeatmapDecoder, HeatmapDiscriminator, HeatmapEncoder
from csvr.pose.networks import KINDS
from csvr.pose.skeleton import KEYPOINTS
from tests.workflow.repository import ROOT, Run, command

COMPOSE = "workflow/scripts/compose_params.py"


def test_committed_file_is_the_composition() -> None:
    done = command(sys.executable, COMPOSE, "--check", cwd=ROOT)
    assert done.returncode == 0, done.stdout


def test_check_fails_on_another_value(tmp_path: Path) -> None:
    other = tmp_path / "params.yaml"
    other.write_text((ROOT / "params.yaml").read_text())
    done = command(sys.executable, COMPOSE, "sigma_p=0.123", "--check", "--output", other, cwd=ROOT)
    assert done.returncode == 1
    assert "make params" in done.stdout


def test_unknown_override_is_a_message() -> None:
    done = command(sys.executable, COMPOSE, "sigma_q=1", "--check", cwd=ROOT)
    assert done.returncode == 1
    # Hydra's own message has no closest key.
    assert done.stdout == "params: sigma_q = 1: there is no such parameter; did you mean sigma_v?\n"


def test_every_ablation_file_is_composed() -> None:
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    assert set(params["ablations"]) == {path.stem for path in (ROOT / "params" / "ablation").glob("*.yaml")}
    assert set(params["variants"]) <= set(params["ablations"])


def test_groups_are_those_of_the_generator() -> None:
    groups = yaml.safe_load((ROOT / "params/dataset/mannequin.yaml").read_text())["groups"]
    assert {name: group for group, names in groups.items() for name in names} == {
        name: action.group for name, action in ACTIONS.items()
    }


@pytest.mark.parametrize(
    ("name", "first", "last"), [("ucf101", "ApplyEyeMakeup", "YoYo"), ("hmdb51", "brush_hair", "wave")]
)
def test_groups_of_published_data_sets_have_each_class_once(name: str, first: str, last: str) -> None:
    groups = yaml.safe_load((ROOT / f"params/dataset/{name}.yaml").read_text())["groups"]
    names = [member for members in groups.values() for member in members]
    assert list(groups) == ["motion", "context", "both"]
    assert len(names) == len({member.lower() for member in names}) == LAYOUTS[name].classes
    assert (sorted(names)[0], sorted(names)[-1]) == (first, last)
    assert all(members == sorted(members, key=str.lower) for members in groups.values())
    if name == "ucf101":
        order = sorted(names, key=str.lower)
        assert [order.index(known) + 1 for known in ("Haircut", "HandstandPushups", "Typing")] == [34, 37, 95]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"sigma_q": 1.0}, "sigma_q = 1.0: there is no such parameter; did you mean sigma_"),
        ({"sigma_p": -1.0}, "sigma_p: -1.0 is less than the minimum of 0"),
        ({"sigma_p": "much"}, "sigma_p: 'much' is not of type 'number'"),
        ({"pretrain": {"stpes": 3}}, "pretrain.stpes = 3: there is no such parameter; did you mean steps?"),
        ({"dataset": {"split": [1, 2]}}, "dataset.split = [1, 2]: pretraining sees one split's training videos"),
        ({"dataset": {"root": "data/<a> {b}"}}, "dataset.root = data/<a> {b}: Snakemake reads < > { } in a path as"),
        ({"variants": ["full", "no_poes"]}, "variants: there is no ablation no_poes; did you mean no_pose?"),
        ({"ablations": {"full": {"set": {"sigma_z": 0}}}}, "ablations.full.set: there is no parameter sigma_z"),
        ({"ablations": {"full": {"set": {"evaluate.probe.fw": 0}}}}, "did you mean evaluate.probe.few?"),
        ({"ablations": {"full": {"set": {"sigma_p": -2}}}}, "ablations.full.set: sigma_p: -2.0 is less than"),
        ({"ablations": {"full": {"name": "fool"}}}, "ablations.full.name = fool: must be full"),
        ({"clip": {"frames": 5}}, "a clip and its future are 40 frames, but videos have dataset.generate.frames = 32"),
        ({"clip": {"crop": 65}}, "clip.crop = 65: at most features.short_side = 64"),
        ({"clip": {"crop": 50}}, "clip.crop = 50: must be a multiple of what model.generation.generator generates"),
        ({"sigma_p": math.inf}, "sigma_p: inf is not of type 'number'"),
        ({"pose_input": False}, "sigma_p = 1: must be 0 where pose_input is false"),
        ({"ablations": {"full": {"set": {"pose_input": False}}}}, "ablations.full.set: sigma_p = 1: must be 0"),
        ({"augment": {"area": [1.0, 0.5]}}, "augment.area = [1.0, 0.5]: from a smaller share"),
        ({"pretrain": {"steps": 3.0}}, "pretrain.steps: 3.0 is not of type 'integer'"),
        (
            {"model": {"backbone": {"widht": 8}}},
            "model.backbone.widht = 8: there is no such parameter; did you mean width?",
        ),
        (
            {"model": {"backbone": {"kind": "r3"}}},
            "model.backbone.kind = r3: there is no such choice; did you mean r3d?",
        ),
        (
            {"model": {"pose": {"encoder": {"kernel": 4}}}},
            "model.pose.encoder.kernel = 4: there is no such choice; known: 1, 3, 5",
        ),
        (
            {"model": {"context": {"temperature": 0}}},
            "model.context.temperature: 0 is less than or equal to the minimum",
        ),
        ({"model": {"generation": {"generator": {"channels": []}}}}, "model.generation.generator.channels: [] "),
        (
            {"model": {"integration": {"time": "still"}}},
            "model.integration.time = still: there is no such choice",
        ),
        (
            {"ablations": {"integration_concat": {"set": {"model.integration.mode": "concta"}}}},
            "ablations.integration_concat.set: model.integration.mode = concta: there is no such choice; did",
        ),
        (
            {"integration": {"variants": ["integration_concta"]}},
            "integration.variants: there is no ablation integration_concta; did you mean integration_concat?",
        ),
        (
            {"integration": {"variants": ["no_pose"]}},
            "integration.variants: no_pose sets pose_input = False, full (absent); the rows of that table",
        ),
        ({"integration": {"variants": ["full"]}}, "integration.variants: ['full'] should not be valid"),
        (
            {"generation_quality": {"fvd": {"weights": "i3d.pt"}}},
            "generation_quality.fvd.weights = i3d.pt: needs generation_quality.fvd.sha256",
        ),
        ({"generation_quality": {"fvd": {"sha256": "ab"}}}, "generation_quality.fvd.sha256: 'ab' does not match"),
        (
            {"generation_quality": {"fvd": {"arguments": {"resise": True}}}},
            "generation_quality.fvd.arguments.resise = True: there is no such parameter; did you mean resize?",
        ),
        ({"clip_judge": {"epoch": 3}}, "clip_judge.epoch = 3: there is no such parameter; did you mean epochs?"),
        ({"integration": {"seed": 1}}, "integration.seed = 1: there is no such parameter; did you mean seeds?"),
        ({"pose_estimator": {"blocks": [1, 1]}}, "pose_estimator.blocks: [1, 1] is too short"),
        ({"pose_estimator": {"fresh": 4000}}, "pose_estimator.fresh = 4000: at most pose_estimator.pool"),
        (
            {"pose_estimator": {"keypoint_weights": {"left_wirst": 1.0}}},
            "pose_estimator.keypoint_weights.left_wirst = 1.0: there is no such parameter; did you mean left_wrist?",
        ),
        (
            {"pose_extraction": {"decoder": {"caf": 2}}},
            "pose_extraction.decoder.caf: 2 is greater than the maximum of 1",
        ),
        (
            {"pose_extraction": {"strid": 2}},
            "pose_extraction.strid = 2: there is no such parameter; did you mean stride?",
        ),
        (
            {"evaluate": {"semi": {"fractions": [0.1, 1.5]}}},
            "evaluate.semi.fractions.1: 1.5 is greater than or equal to",
        ),
        ({"evaluate": {"semi": {"fraction": [0.1]}}}, "evaluate.semi.fraction = [0.1]: there is no such parameter"),
        ({"evaluate": {"no_pose_test": "yes"}}, "evaluate.no_pose_test: 'yes' is not of type 'boolean'"),
        ({"evaluate": {"probe": {"C": 1.0}}}, "evaluate.probe.C = 1.0: there is no such parameter"),
        (
            {"evaluate": {"finetune": {"epoch": 3}}},
            "evaluate.finetune.epoch = 3: there is no such parameter; did you mean e",
        ),
        (
            {"pose_extraction": {"stride": 3}},
            "pose_extraction.stride = 3: must divide the frames of a clip, clip.frames · clip.stride = 16",
        ),
        (
            {"model": {"backbone": {"kind": "r3d_18"}}},
            "model.backbone.kind = r3d_18: there is no such choice; did you mean r3d?",
        ),
    ],
)
def test_wrong_parameter_is_named(tiny: Path, change: dict[str, object], named: str) -> None:
    params = yaml.safe_load((tiny / "tiny.yaml").read_text())
    assert problems(params) == []
    update_config(params, change)
    assert sum(named in line for line in problems(params)) == 1


def test_the_workflow_says_all_that_is_wrong_and_nothing_else(tiny: Path, snakemake: Run, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(yaml.safe_dump({"sigma_q": 1.0, "pretrain": {"steps": 3.0}}))
    done = snakemake(tiny, "-n", "--quiet", also=(wrong,))
    assert done.returncode != 0 and "Traceback" not in done.stdout and "Building DAG" not in done.stdout
    for named in ("sigma_q = 1.0: there is no such parameter", "pretrain.steps: 3.0 is not of type 'integer'"):
        assert sum(named in line for line in done.stdout.splitlines()) == 1


def leaves(params: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Paths of all mappings."""
    if isinstance(params, dict):
        yield path
        for key, value in params.items():
            yield from leaves(value, (*path, key))


def test_every_key_is_checked() -> None:
    """An unknown key is refused in every mapping, but for those whose keys one may choose."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    free = {("ablations",), ("dataset", "groups")}
    paths = [path for path in leaves(params) if path not in free and path[-1:] != ("set",)]
    assert ("model", "generation", "generator") in paths
    for path in paths:
        changed = copy.deepcopy(params)
        found = changed
        for key in path:
            found = found[key]
        found["no_such_key"] = 1
        assert f"{'.'.join((*path, 'no_such_key'))} = 1: there is no such parameter" in problems(changed)[0]


def test_schema_has_the_arguments_of_the_networks() -> None:
    whole = yaml.safe_load((ROOT / "workflow/schemas/params.schema.yaml").read_text())
    schema, definition = whole["properties"], whole["$defs"]["backbone"]
    pose, decoder = whole["$defs"]["pose"], set(whole["$defs"]["pose_decoder"]["properties"])
    model = schema["model"]["properties"]

    def arguments(network: type, *given: str) -> set[str]:
        return set(inspect.signature(network).parameters) - set(given)

    def keys(node: dict[str, Any], *path: str) -> set[str]:
        for key in path:
            node = node["properties"][key] if key in node.get("properties", {}) else node[key]
        return set(node["properties"])

    generation = model["generation"]
    kinds = {kind["if"]["properties"]["kind"].get("const", "r3d"): kind["then"] for kind in definition["allOf"]}
    for kind, network in (("r3d", ResNet3D), ("c3d", C3D), ("s3d", S3D)):
        assert set(kinds[kind]["properties"]) - {"kind"} == arguments(network, "in_channels", "kind")
    coordinates, heatmaps = pose["allOf"][0]["then"], pose["allOf"][1]["then"]
    assert keys(coordinates, "encoder") == arguments(PoseEncoder, "keypoints")
    assert decoder == arguments(PoseDecoder, "in_channels", "future", "keypoints", "error")
    assert keys(coordinates, "discriminator") == arguments(PoseDiscriminator, "keypoints")
    assert keys(heatmaps, "heatmaps") == arguments(Canvas)
    assert keys(heatmaps, "encoder") == arguments(HeatmapEncoder, "canvas", "keypoints")
    assert decoder == arguments(HeatmapDecoder, "in_channels", "future", "canvas", "keypoints")
    assert keys(heatmaps, "discriminator") == arguments(HeatmapDiscriminator, "canvas", "keypoints")
    assert [part["if"]["properties"]["kind"]["const"] for part in pose["allOf"]] == ["coordinates", "heatmaps"]
    assert set(pose["properties"]["kind"]["enum"]) == set(KINDS)
    assert whole["$defs"]["adversarial_or_critic"]["enum"] == list(ADVERSARIAL)
    assert keys(model["context"], "iframe") == arguments(IFrameEncoder)
    assert keys(model["context"], "head") == arguments(ProjectionHead, "in_channels")
    assert keys(model, "integration") == arguments(IntegrationLayer, "channels", "motion_channels")
    assert keys(generation, "generator") == arguments(VideoGenerator, "in_channels", "frames")
    assert keys(generation, "discriminator") == arguments(VideoDiscriminator, "levels", "in_channels")
    assert set(definition["properties"]["kind"]["enum"]) == {*CONVOLUTIONS, "c3d", "s3d"}
    assert model["integration"]["properties"]["mode"]["enum"] == list(MODES)
    assert list(schema["pose_estimator"]["properties"]["keypoint_weights"]["properties"]) == list(KEYPOINTS)


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "params/pose").glob("*.yaml")))
def test_every_pose_group_is_right_everywhere(name: str) -> None:
    assert problems(yaml.safe_load(composed([f"pose={name}", "model.pose.gan=wgan_gp"]))) == []
    paper = problems(yaml.safe_load(composed(["+profile=paper", f"pose={name}"])))
    assert all(line.startswith("dataset.") for line in paper)


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        (["~model.pose.kind"], "model.pose: 'kind' is a required property"),
        (["pose=heatmaps", "+model.pose.error=l1"], "model.pose.error = l1: there is no such parameter"),
        (["+model.pose.heatmaps.size=56"], "model.pose.heatmaps = {'size': 56}: there is no such parameter"),
        (["pose=heatmaps", "model.pose.heatmaps.size=50"], "model.pose.heatmaps.size: 50 is not a multiple of 8"),
        (
            ["pose=heatmaps", "model.pose.heatmaps.stride=3"],
            "model.pose.heatmaps.stride = 3: must divide the poses of a clip, "
            "clip.frames · clip.stride / pose_extraction.stride = 16",
        ),
        (["model.generation.gan=wgan_gp"], "model.generation.gan = wgan_gp: there is no such choice"),
        (["model.pose.gan=wgan"], "model.pose.gan = wgan: there is no such choice; did you mean wgan_gp?"),
    ],
)
def test_wrong_pose_networks_are_named(overrides: list[str], named: str) -> None:
    assert any(named in line for line in problems(yaml.safe_load(composed(overrides))))


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "params/backbone").glob("*.yaml")))
def test_every_backbone_is_right_in_the_paper_profile(name: str) -> None:
    params = yaml.safe_load(composed(["+profile=paper", f"backbone={name}"]))
    assert all(line.startswith("dataset.") for line in problems(params))
    assert params["clip"]["crop"] == 112 and params["model"]["generation"]["generator"]["start_size"] == 7


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        (["backbone=c3d"], "clip.frames = 4: model.backbone.kind = c3d needs at least 8"),
        (["backbone=s3d", "clip.crop=16"], "clip.crop = 16: model.backbone.kind = s3d needs at least 17"),
        (["backbone=r3d_26"], "clip.frames = 4: model.backbone.two_level needs an even number of time steps"),
        (["+model.backbone.two_level=true", "model.backbone.kind=mc3"], "the last of which halves time (not kind mc3)"),
        (["backbone=c3d", "+model.backbone.widht=8"], "there is no such parameter; did you mean width?"),
        (["~model.backbone.kind"], "model.backbone: 'kind' is a required property"),
    ],
)
def test_wrong_backbone_is_named(overrides: list[str], named: str) -> None:
    assert any(named in line for line in problems(yaml.safe_load(composed(overrides))))


def test_a_whole_file_is_not_merged(tiny: Path, snakemake: Run, tmp_path: Path) -> None:
    """Keys of params.yaml that its groups have and the file's have not would be left over; a part of one is merged."""
    other = tmp_path / "other.yaml"
    overrides = "+profile=tiny", "backbone=r3d_18", "clip.frames=4", "pose=heatmaps"
    made = command(sys.executable, COMPOSE, *overrides, "--output", other, cwd=tiny)
    assert made.returncode == 0, made.stdout
    whole = command("snakemake", "reports/table_models.md", "-n", "-p", "--configfile", other, cwd=tiny)
    assert whole.returncode == 0, whole.stdout
    (line,) = [line for line in whole.stdout.splitlines() if "csvr.models --params" in line]
    model = json.loads(line.split("--params '")[1].split("'")[0])["model"]
    assert model == yaml.safe_load(other.read_text())["model"]
    assert model["pose"]["kind"] == "heatmaps" and "stem_stride" not in model["backbone"]
    part = tmp_path / "part.yaml"
    part.write_text("seeds: [7]")
    done = snakemake(tiny, "-n", also=(part,))
    assert done.returncode == 0 and "seed7" in done.stdout and "seed1" not in done.stdout


def test_unknown_backbone_names_all() -> None:
    done = command(sys.executable, COMPOSE, "backbone=r3d_19", "--check", cwd=ROOT)
    assert done.returncode == 1
    assert "Could not find 'backbone/r3d_19'" in done.stdout and "r3d_18" in done.stdout


def test_missing_data_set_is_named(tiny: Path) -> None:
    made = command(sys.executable, COMPOSE, "dataset=ucf101", "--output", "ucf101.yaml", cwd=tiny)
    assert made.returncode == 0, made.stdout
    done = command(sys.executable, "workflow/scripts/check_params.py", "ucf101.yaml", cwd=tiny)
    assert done.returncode == 1
    assert "dataset.videos = data/ucf101/UCF-101: there is no such folder; put ucf101 there" in done.stdout


def test_right_parameters_pass(tiny: Path) -> None:
    done = command(sys.executable, "workflow/scripts/check_params.py", "tiny.yaml", cwd=tiny)
    assert (done.returncode, done.stdout) == (0, "")
