"""Check params.yaml before anything runs: python workflow/scripts/check_params.py [params.yaml]

One line for each thing that is wrong: key, value, what is allowed, the closest key that there is. The workflow calls
`problems` whenever it starts, and DVC runs this file as its first stage.
"""

from __future__ import annotations

import argparse
import functools
import math
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, validators

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from csvr.errors import closest  # noqa: E402  (this is a script, and may be started anywhere)
from csvr.variants import VARIED, applied  # noqa: E402

SCHEMA = ROOT / "workflow/schemas/params.schema.yaml"


def _is_number(_: Any, value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


# JSON Schema takes 3.0 for an integer, and YAML's .inf and .nan for numbers.
TYPES = Draft202012Validator.TYPE_CHECKER.redefine_many(
    {"number": _is_number, "integer": lambda _, value: isinstance(value, int) and not isinstance(value, bool)}
)
Validator = validators.extend(Draft202012Validator, type_checker=TYPES)


def problems(params: dict[str, Any], lists_only: bool = False) -> list[str]:
    """What is wrong with the parameters, a line each: types and ranges first, and only if they are right the rest.

    Args:
        params: All of them.
        lists_only: Whether videos need not be there yet (a dry-run looks at lists only).
    """
    # A key of a file may be any text, and must not look like a line of its own.
    return [line.replace("\n", "\\n") for line in _schema_lines(params) or _together(params, lists_only)]


def dotted(params: dict[str, Any], prefix: str = "") -> list[str]:
    """Dotted names of all parameters."""
    names = []
    for key, value in params.items():
        names.append(f"{prefix}{key}")
        if isinstance(value, dict):
            names += dotted(value, f"{prefix}{key}.")
    return names


@functools.cache
def _validator() -> Any:
    # Read once, and by libyaml: each ablation is validated too, whenever the workflow starts.
    return Validator(yaml.load(SCHEMA.read_text(), Loader=yaml.CSafeLoader))


def _schema_lines(params: dict[str, Any]) -> list[str]:
    lines = []
    errors = _validator().iter_errors(params)
    for error in sorted(errors, key=lambda e: list(map(str, e.absolute_path))):
        path = [str(part) for part in error.absolute_path]
        if error.validator == "additionalProperties" and error.schema["additionalProperties"] is False:
            known = list(error.schema["properties"])
            for name in [name for name in error.instance if name not in known]:
                full, value = ".".join([*path, str(name)]), str(error.instance[name])[:60]
                lines.append(f"{full} = {value}: there is no such parameter; {closest(str(name), known)}")
        elif error.validator == "enum":
            hint = closest(str(error.instance), list(map(str, error.validator_value)))
            lines.append(f"{'.'.join(path)} = {error.instance}: there is no such choice; {hint}")
        else:
            lines.append(f"{'.'.join(path) or 'top level'}: {error.message[:300]}")
    return lines


def _together(params: dict[str, Any], lists_only: bool) -> Iterator[str]:
    """What can only be seen from several parameters, or from the data's folder."""
    dataset, clip = params["dataset"], params["clip"]
    span = 2 * clip["frames"] * clip["stride"]
    generate = dataset.get("generate")
    if generate and span > generate["frames"]:
        yield (
            f"clip.frames = {clip['frames']}, clip.stride = {clip['stride']}: a clip and its future are {span} frames, "
            f"but videos have dataset.generate.frames = {generate['frames']}; at most clip.frames = "
            f"{generate['frames'] // (2 * clip['stride'])}"
        )
    if (clip["frames"] * clip["stride"]) % (every := params["pose_extraction"]["stride"]):
        yield (
            f"pose_extraction.stride = {every}: must divide the frames of a clip, clip.frames · clip.stride = "
            f"{clip['frames'] * clip['stride']}, so that all clips have as many poses"
        )
    if clip["crop"] > params["features"]["short_side"]:
        yield f"clip.crop = {clip['crop']}: at most features.short_side = {params['features']['short_side']}"
    yield from _folders("dataset", dataset, lists_only)
    if isinstance(dataset["split"], list) and not params["downstream"]:
        yield (
            f"dataset.split = {dataset['split']}: pretraining sees one split's training videos, which others test; "
            "several splits are for evaluation on another data set (downstream.split)"
        )
    if params["downstream"]:
        yield from _folders("downstream", params["downstream"], lists_only)
        if params["downstream"]["name"] == dataset["name"]:
            yield f"downstream.name = {dataset['name']}: that is the data set itself; leave downstream null"
    least, most = params["augment"]["area"]
    if least > most:
        yield f"augment.area = [{least}, {most}]: from a smaller share to a larger one"
    if params["pose_estimator"]["fresh"] > params["pose_estimator"]["pool"]:
        yield f"pose_estimator.fresh = {params['pose_estimator']['fresh']}: at most pose_estimator.pool"
    known = dotted({key: params[key] for key in VARIED})
    # Once, and not for every variant.
    common = list(_networks(params))
    yield from common
    ablations = {params["ablation"]["name"]: params["ablation"]} | params["ablations"]
    for name, ablation in ablations.items():
        if ablation["name"] != name:
            yield f"ablations.{name}.name = {ablation['name']}: must be {name}, as the file in params/ablation"
        unknown = [target for target in ablation["set"] if target not in known]
        for target in unknown:
            yield f"ablations.{name}.set: there is no parameter {target} to set; {closest(target, known)}"
        if not unknown:
            changed = params | applied(params, ablation["set"])
            for line in _schema_lines(changed) or _networks(changed):
                if line not in common:
                    yield f"ablations.{name}.set: {line}"
    for key, names in (("variants", params["variants"]), ("integration.variants", params["integration"]["variants"])):
        for name in names:
            if name not in ablations:
                yield f"{key}: there is no ablation {name}; {closest(name, list(ablations))}"
    fvd = params["generation_quality"]["fvd"]
    if fvd["weights"] and not fvd["sha256"]:
        yield (
            f"generation_quality.fvd.weights = {fvd['weights']}: needs generation_quality.fvd.sha256, the hash of "
            "the file that you mean; it holds code"
        )
    yield from _integration(params["integration"]["variants"], ablations)


def _folders(key: str, dataset: dict[str, Any], lists_only: bool) -> Iterator[str]:
    """Folders of a data set, and how it is re-encoded."""
    for name in ("root", "videos", "splits"):
        if found := sorted(set(dataset[name]) & set("{}<>")):
            yield (
                f"{key}.{name} = {dataset[name]}: Snakemake reads {' '.join(found)} in a path as a sign of its own; "
                "give the folder another name"
            )
    if "generate" not in dataset:
        for name in ("splits",) if lists_only else ("videos", "splits"):
            if not Path(dataset[name]).is_dir():
                yield (
                    f"{key}.{name} = {dataset[name]}: there is no such folder; put {dataset['name']} there "
                    f"(docs/datasets.md), or choose another `{key}`"
                )
    reencode = dataset["iframes"]["reencode"] if isinstance(dataset["iframes"], dict) else None
    if reencode and reencode["codec"] == "mpeg4" and not 1 <= reencode["quality"] <= 31:
        yield f"{key}.iframes.reencode.quality = {reencode['quality']}: 1 (best) to 31 with codec mpeg4"


def _integration(names: list[str], ablations: dict[str, Any]) -> Iterator[str]:
    """Alternatives of the integration layer that differ from full in more than that layer."""
    layer, full = "model.integration.", ablations["full"]["set"] if "full" in ablations else {}
    for name in names:
        changes = ablations[name]["set"] if name in ablations else {}
        for target in sorted(changes.keys() | full.keys()):
            here = changes.get(target, "(absent)"), full.get(target, "(absent)")
            if here[0] != here[1] and not target.startswith(layer):
                yield (
                    f"integration.variants: {name} sets {target} = {here[0]}, full {here[1]}; the rows of that table "
                    f"may differ in {layer}* alone"
                )


def _networks(params: dict[str, Any]) -> Iterator[str]:
    """What the networks of a variant can't be built with."""
    yield from _too_small(params["model"]["backbone"], params["clip"])
    yield from _uneven(params)
    if params["sigma_p"] and not params["pose_input"]:
        yield f"sigma_p = {params['sigma_p']:g}: must be 0 where pose_input is false"
    generator, crop = params["model"]["generation"]["generator"], params["clip"]["crop"]
    levels = len(generator["channels"])
    if generator["blocks_before_first_render"] > levels:
        yield (
            f"model.generation.generator.blocks_before_first_render = {generator['blocks_before_first_render']}: "
            f"at most the number of channels, {levels}"
        )
    elif params["sigma_v"] and crop % (largest := generator["start_size"] * 2**levels):
        yield (
            f"clip.crop = {crop}: must be a multiple of what model.generation.generator generates, "
            f"start_size · 2^(number of channels) = {largest}"
        )


def _uneven(params: dict[str, Any]) -> Iterator[str]:
    """Whether heat maps of a clip's future can't be equally far apart."""
    pose, clip = params["model"]["pose"], params["clip"]
    poses = math.ceil(clip["frames"] * clip["stride"] / params["pose_extraction"]["stride"])
    if params["sigma_p"] and pose["kind"] == "heatmaps" and poses % pose["heatmaps"]["stride"]:
        yield (
            f"model.pose.heatmaps.stride = {pose['heatmaps']['stride']}: must divide the poses of a clip, "
            f"clip.frames · clip.stride / pose_extraction.stride = {poses}"
        )


def _too_small(backbone: dict[str, Any], clip: dict[str, Any]) -> Iterator[str]:
    """Whether the clip encoder can't take such a clip: what is too short for its pooling, or not to be joined."""
    # Smallest frames and crop of csvr/context/{c3d,s3d}.py.
    frames, crop = {"c3d": (8, 16), "s3d": (5, 17)}.get(backbone["kind"], (1, 1))
    for key, least in (("frames", frames), ("crop", crop)):
        if clip[key] < least:
            yield f"clip.{key} = {clip[key]}: model.backbone.kind = {backbone['kind']} needs at least {least}"
    if not backbone.get("two_level"):
        return
    stages, stride = len(backbone.get("blocks", (2, 2, 2, 2))), backbone.get("stem_stride", (1, 2, 2))[0]
    if backbone["kind"] == "mc3" or stages < 2:
        yield "model.backbone.two_level = True: needs two stages, the last of which halves time (not kind mc3)"
    elif math.ceil(clip["frames"] / (stride * 2 ** (stages - 2))) % 2:
        yield (
            f"clip.frames = {clip['frames']}: model.backbone.two_level needs an even number of time steps before its "
            f"last stage, so a multiple of {stride * 2 ** (stages - 1)} frames"
        )


def message(found: list[str]) -> str:
    """What the user is told."""
    text = "params.yaml (params/, -S or --config):\n" + "\n".join(f"  {line}" for line in found)
    if os.environ.get("DVC_STAGE"):
        # After a failed experiment DVC leaves them there.
        text += "\nparams.yaml keeps these values; `git checkout HEAD params.yaml` brings back the committed ones."
    return text


def main() -> None:
    """Parse flags, check, say what is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("params", nargs="?", type=Path, default=Path("params.yaml"))
    args = parser.parse_args()
    found = problems(yaml.safe_load(args.params.read_text()))
    if found:
        sys.exit(message(found))


if __name__ == "__main__":
    main()
