"""Figures 1 and 2 of the paper, drawn from the parameters: the branches, and the integration layer.

Every shape and number of parameters is that of the networks that `csvr.models` builds of these parameters. A branch
whose weight is 0 is not built, and not drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from csvr.pretrain.sizes import Network, networks
from csvr.reporting import style
from csvr.reporting.diagram import Diagram

Params = dict[str, Any]
SHARED, CONTEXT, POSE, VIDEO = "#555555", style.PALETTE[0], style.PALETTE[2], style.PALETTE[1]
KINDS: Final = {
    "r3d": "R3D",
    "r2plus1d": "R(2+1)D",
    "r2plus1d_matched": "R(2+1)D",
    "mc3": "MC3",
    "c3d": "C3D",
    "s3d": "S3D",
}


def size(shape: Sequence[int]) -> str:
    """A shape without its batch: "64×1×7×7"."""
    return "×".join(map(str, shape[1:]))


def built(params: Params) -> dict[str, Network]:
    """The networks by name."""
    return {network.name: network for network in networks(params)}


def architecture(params: Params, found: dict[str, Network]) -> Diagram:
    """Figure 1: what pretraining trains, from clip, poses and I-frames to the losses.

    Args:
        params: As `csvr.models.networks` takes them.
        found: `built(params)`.
    """
    model, clip = params["model"], params["clip"]
    terms = {"v": "video", "p": "pose", "c": "context"}
    weights = {key: float(params[f"sigma_{key}"]) for key in terms}
    total = " + ".join(f"{weights[key]:g}·L_{name}" for key, name in terms.items() if weights[key])
    whole = sum(network.parameters for network in found.values())
    diagram = Diagram(
        6, 5, "Pretraining: networks, shapes (channels × time × height × width) and losses",
        f"L = {total or '0'}.  {whole:,} parameters in all, {_kept(found):,} of them kept for evaluation.  "
        "Video generators and discriminators work on every level that is listed.",
    )  # fmt: skip

    def add(name: str, column: float, row: float, head: str, colour: str, *lines: str) -> None:
        network = found.get(name)
        if network is not None:
            diagram.box(name, column, row, head, [f"{network.parameters:,} parameters", *lines], colour)

    static = found["clip encoder, f_s"]
    frames = f"{clip['frames']} frames, stride {clip['stride']}"
    diagram.box("clip", 0, 3, "clip", [frames, size(static.inputs[0])], SHARED)
    kind = KINDS.get(model["backbone"]["kind"], model["backbone"]["kind"])
    add(static.name, 1, 3, f"clip encoder ({kind})", SHARED, f"f_s: {size(static.outputs[0])}")
    diagram.arrow("clip", static.name, colour=SHARED)
    _context(diagram, found, add, params)
    _motion(diagram, found, add, params)
    _generation(diagram, found, add, params)
    return diagram


def _kept(found: dict[str, Network]) -> int:
    """Parameters of the encoders."""
    names = ("clip encoder, f_s", "pose encoder, f_d", "integration layer, f_i")
    return sum(found[name].parameters for name in names if name in found)


def _context(diagram: Diagram, found: dict[str, Network], add: Any, params: Params) -> None:
    if "I-frame encoder" not in found:
        return
    image, heads = found["I-frame encoder"], ("projection head of I-frames", "projection head of clips")
    context = params["model"]["context"]
    diagram.box("I-frames", 0, 4, "I-frames near the clip", [size(image.inputs[0])], CONTEXT)
    add(image.name, 1, 4, "I-frame encoder (2D ResNet)", CONTEXT, f"feature: {size(image.outputs[0])}")
    for row, name in zip((4, 3), heads, strict=True):
        add(name, 2, row, name, CONTEXT, f"embedding: {size(found[name].outputs[0])}")
    ways = "clip ↔ I-frame" if context["symmetric"] else "clip → I-frame"
    diagram.box("context", 5, 3.5, "L_context", ["MI-InfoNCE", f"{ways}, τ = {context['temperature']:g}"], CONTEXT)
    diagram.arrow("I-frames", image.name, colour=CONTEXT)
    diagram.arrow(image.name, heads[0], colour=CONTEXT)
    diagram.arrow("clip encoder, f_s", heads[1], colour=SHARED)
    for name, into in zip(heads, (0.4, -0.4), strict=True):
        # Long ways: turn shortly before the loss.
        diagram.arrow(name, "context", lane=9.6, colour=CONTEXT, into=into)


def _motion(diagram: Diagram, found: dict[str, Network], add: Any, params: Params) -> None:
    if "pose encoder, f_d" not in found:
        return
    motion, layer = found["pose encoder, f_d"], found["integration layer, f_i"]
    settings = params["model"]["pose"]
    maps = settings.get("kind", "heatmaps") == "heatmaps"
    lines = [f"{size(motion.inputs[0])} (x, y, confidence)"]
    lines += [f"as heat maps of {settings['heatmaps']['size']} pixels"] if maps else []
    diagram.box("poses", 0, 0, "poses during the clip", lines, POSE)
    kind = "3D CNN" if maps else "temporal CNN"
    add(motion.name, 1, 0, f"pose encoder ({kind})", POSE, f"f_d: {size(motion.outputs[0])}")
    mode = params["model"]["integration"].get("mode", "adain_mask")
    add(layer.name, 2, 1.5, f"integration layer ({mode})", SHARED, f"f_i: {size(layer.outputs[0])}")
    diagram.arrow("poses", motion.name, colour=POSE)
    diagram.arrow("clip encoder, f_s", layer.name, colour=SHARED, into=0.4)
    diagram.arrow(motion.name, layer.name, colour=POSE, into=-0.4)
    if "pose decoder" not in found:
        return
    add("pose decoder", 3, 0, "pose decoder", POSE, f"future poses: {size(found['pose decoder'].outputs[0])}")
    add("pose discriminator", 4, 0, "pose discriminator", POSE, "past + future, real or predicted")
    error = "squared error of heat maps" if maps else f"{settings['error']} of joints"
    terms = [f"{settings['reconstruction']:g} · {error}"]
    terms += [f"{settings['adversarial']:g} · {settings['gan']} GAN"] if settings["adversarial"] else []
    diagram.box("pose", 5, 0, "L_pose", terms, POSE)
    for source, target in (
        (motion.name, "pose decoder"), ("pose decoder", "pose discriminator"), ("pose discriminator", "pose"),
    ):  # fmt: skip
        diagram.arrow(source, target, colour=POSE)


def _generation(diagram: Diagram, found: dict[str, Network], add: Any, params: Params) -> None:
    if "video generator, clip" not in found:
        return
    settings = params["model"]["generation"]
    source = "integration layer, f_i" if "integration layer, f_i" in found else "clip encoder, f_s"
    for row, name, task in ((2, "clip", "reconstructs the clip"), (1, "future", "predicts the future")):
        generator, judge = f"video generator, {name}", f"video discriminator, {name}"
        levels = [size(shape) for shape in found[generator].outputs]
        lines = [", ".join(levels[k : k + 2]) for k in range(0, len(levels), 2)]
        add(generator, 3, row, f"generator: {task}", VIDEO, *lines)
        add(judge, 4, row, "video discriminator", VIDEO, "real or generated, each level")
        diagram.arrow(source, generator, colour=SHARED)
        diagram.arrow(generator, judge, colour=VIDEO)
    terms = [f"{settings['reconstruction']:g} · L1 of each level"]
    terms += [f"{settings['adversarial']:g} · {settings['gan']} GAN"] if settings["adversarial"] else []
    diagram.box("video", 5, 1.5, "L_video", terms, VIDEO)
    diagram.arrow("video discriminator, clip", "video", colour=VIDEO, into=0.4)
    diagram.arrow("video discriminator, future", "video", colour=VIDEO, into=-0.4)
