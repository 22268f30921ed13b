"""Figure 2 of the paper, drawn from the parameters: the integration layer in its mode (`csvr.integration.layer`)."""

from __future__ import annotations

from typing import Any

from csvr.errors import UserError
from csvr.integration.layer import IntegrationLayer
from csvr.pretrain.sizes import Network
from csvr.reporting.architecture import POSE, SHARED, VIDEO, Params, size
from csvr.reporting.diagram import Diagram

FORMULAS = {
    "adain_mask": "f_i = M·D + (1 − M)·f_s",
    "adain": "f_i = D",
    "mask": "f_i = M·β(f_d) + (1 − M)·f_s",
    "concat": "f_i = W·[f_s, f_d]",
    "add": "f_i = f_s + β(f_d)",
}


def integration(params: Params, found: dict[str, Network]) -> Diagram:
    """The layer from f_s and f_d to f_i.

    Args:
        params: As `csvr.models.networks` takes them.
        found: Its networks by name.

    Raises:
        UserError: These parameters have no integration layer.
    """
    row = found.get("integration layer, f_i")
    if row is None:
        raise UserError("--params: without pose_input there is no integration layer to draw")
    (static, motion), made = row.inputs, row.outputs[0]
    layer = IntegrationLayer(static[1], motion[1], **params["model"]["integration"])
    steps = (*motion[:2], motion[2] if len(motion) > 2 else 1, 1, 1)
    affine = (*made[:2], steps[2], 1, 1)
    mode = layer.mode
    diagram = Diagram(
        6, 5, f"Integration layer, mode {mode}: {FORMULAS[mode]}",
        f"Shapes: channels × time × height × width.  {row.parameters:,} parameters.  "
        "γ, β and f_d are repeated over space and interpolated over time where they have other steps.",
    )  # fmt: skip
    diagram.box("f_s", 0, 2.5, "f_s (context)", [size(static)], SHARED)
    diagram.box("f_d", 0, 0.5, "f_d (motion)", [size(motion)], POSE)
    source = "f_s"
    if static[2] != made[2]:
        diagram.box("longer", 1, 2.5, "interpolate over time", [f"{static[2]} → {made[2]} steps", size(made)], SHARED)
        diagram.arrow("f_s", "longer", colour=SHARED)
        source = "longer"
    moved = "f_d"
    if params["model"]["integration"].get("normalize_motion", True):
        diagram.box("moved", 1, 0.5, "batch norm of f_d", ["no affine parameters", size(steps)], POSE)
        diagram.arrow("f_d", "moved", colour=POSE)
        moved = "moved"
    kept = source
    standard = params["model"]["integration"].get("normalize_static", True)
    if layer.mask is not None or (mode != "adain" and standard):
        about = ("batch norm of f_s", "no affine parameters") if standard else ("f_s", "as it is")
        diagram.box("kept", 2, 4.0 if layer.mask is not None else 2.5, about[0], [about[1], size(made)], SHARED)
        diagram.arrow(source, "kept", colour=SHARED)
        kept = "kept"
    diagram.box("f_i", 5, 2.5, "f_i", [FORMULAS[mode], size(made)], VIDEO)
    if mode in ("concat", "add"):
        _joined(diagram, layer, mode, kept, moved, made, affine)
    else:
        _modulated(diagram, layer, row, source, kept, moved, made, affine)
    return diagram


def _joined(
    diagram: Diagram, layer: IntegrationLayer, mode: str, kept: str, moved: str, made: Any, affine: Any
) -> None:
    """Concatenation and addition."""
    if mode == "concat":
        joined = (made[0], layer.beta.in_channels, *made[2:])
        diagram.box("joined", 3, 1.5, "concatenation", ["[f_s, f_d]", size(joined)], SHARED)
        diagram.box("W", 4, 2.5, "W: conv 1×1×1", [f"{joined[1]} → {made[1]} channels"], VIDEO)
        diagram.arrow(kept, "joined", colour=SHARED, into=0.4)
        diagram.arrow(moved, "joined", colour=POSE, into=-0.4)
        diagram.arrow("joined", "W")
        diagram.arrow("W", "f_i", colour=VIDEO)
        return
    diagram.box("β", 2, 0.5, "β(f_d)", ["conv 1×1×1", size(affine)], POSE)
    diagram.box("sum", 4, 2.5, "sum", ["f_s + β(f_d)", size(made)], VIDEO)
    diagram.arrow(moved, "β", colour=POSE)
    diagram.arrow(kept, "sum", colour=SHARED, into=0.3)
    diagram.arrow("β", "sum", colour=POSE, into=-0.3)
    diagram.arrow("sum", "f_i", colour=VIDEO)


def _modulated(
    diagram: Diagram, layer: IntegrationLayer, row: Network, source: str, kept: str, moved: str, made: Any, affine: Any
) -> None:
    """AdaIN and mask, both or one of them."""
    diagram.box("f̄_s", 2, 2.5, "instance norm: f̄_s", ["(f_s − μ) / σ over t, h, w", size(made)], SHARED)
    diagram.arrow(source, "f̄_s", colour=SHARED)
    low = 0.0 if layer.gamma is not None else 0.5
    if layer.gamma is not None:
        diagram.box("γ", 2, 1.0, "γ(f_d)", ["conv 1×1×1, starts at 0", size(affine)], POSE)
        diagram.arrow(moved, "γ", colour=POSE)
    diagram.box("β", 2, low, "β(f_d)", ["conv 1×1×1", size(affine)], POSE)
    diagram.arrow(moved, "β", colour=POSE)
    if layer.gamma is not None:
        diagram.box("D", 3, 1.0, "D = (1 + γ)·f̄_s + β", ["f_d denormalises f_s", size(made)], VIDEO)
        diagram.arrow("f̄_s", "D", colour=SHARED, into=0.5, out=-0.3)
        diagram.arrow("γ", "D", colour=POSE)
        diagram.arrow("β", "D", colour=POSE, into=-0.5)
    changed = "D" if layer.gamma is not None else "β"
    if layer.mask is None:
        diagram.arrow(changed, "f_i", lane=5.0, colour=VIDEO)
        return
    diagram.box("M", 3, 2.5, "mask M", ["sigmoid(conv 3×3×3(f̄_s))", size(row.outputs[1])], SHARED)
    second = "D" if layer.gamma is not None else "β(f_d)"
    diagram.box("blend", 4, 2.5, "blend", [f"M·{second} + (1 − M)·f_s", size(made)], VIDEO)
    diagram.arrow("f̄_s", "M", colour=SHARED)
    diagram.arrow("M", "blend", colour=SHARED)
    diagram.arrow(kept, "blend", lane=5.2, colour=SHARED, into=0.5)
    diagram.arrow(changed, "blend", lane=0.5 if changed == "D" else 5.2, colour=VIDEO, into=-0.5)
    diagram.arrow("blend", "f_i", colour=VIDEO)
