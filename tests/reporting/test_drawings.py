"""The drawings of the networks: they show what is built, and nothing overlaps."""

from __future__ import annotations

import copy
import itertools
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_params import composed

from csvr import drawings
from csvr.errors import UserError
from csvr.integration.layer import MODES
from csvr.reporting.architecture import architecture, built, size
from csvr.reporting.diagram import HEIGHT, SMALLEST, WIDTH, Diagram
from csvr.reporting.layer_drawing import FORMULAS, integration
from tests.workflow.repository import ROOT

EMBEDDED: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text())
PAPER: dict[str, Any] = yaml.safe_load(composed(["+profile=paper"]))
PROFILES = {
    "embedded": EMBEDDED,
    "no_pose": EMBEDDED | EMBEDDED["ablations"]["no_pose"]["set"],
    "no_context": EMBEDDED | EMBEDDED["ablations"]["no_context"]["set"],
    "no_generation": EMBEDDED | EMBEDDED["ablations"]["no_generation"]["set"],
    "paper": PAPER,
}


def with_layer(**changes: Any) -> dict[str, Any]:
    params = copy.deepcopy(EMBEDDED)
    params["model"]["integration"] |= changes
    return params


def written(diagram: Diagram) -> list[str]:
    return [text.get_text() for box in diagram.boxes.values() for text in box.texts]


def tidy(diagram: Diagram) -> None:
    """Texts lie inside their boxes and apart from each other, boxes apart, all inside the figure."""
    figure = diagram.finish()
    renderer = diagram.canvas.get_renderer()
    for a, b in itertools.combinations(diagram.boxes.values(), 2):
        assert abs(a.x - b.x) >= WIDTH or abs(a.y - b.y) >= HEIGHT
    for box in diagram.boxes.values():
        outer = box.patch.get_window_extent(renderer)
        extents = [text.get_window_extent(renderer) for text in box.texts]
        for text, extent in zip(box.texts, extents, strict=True):
            assert outer.x0 < extent.x0 < extent.x1 < outer.x1, text.get_text()
            assert outer.y0 < extent.y0 < extent.y1 < outer.y1, text.get_text()
            assert float(text.get_fontsize()) > SMALLEST
        # Ascenders and descenders may touch the box of a line's neighbour, letters do not.
        for upper, lower in itertools.pairwise(extents):
            assert lower.y1 - upper.y0 < 0.25 * lower.height
    whole = figure.bbox
    for note in diagram.notes:
        extent = note.get_window_extent(renderer)
        assert whole.x0 < extent.x0 and extent.x1 < whole.x1 and whole.y0 < extent.y0 and extent.y1 < whole.y1


@pytest.mark.parametrize("name", list(PROFILES))
def test_architecture_shows_what_is_built(name: str) -> None:
    params = PROFILES[name]
    found = built(params)
    diagram = architecture(params, found)
    # Every network has a box, and no other branch one.
    assert set(found) <= set(diagram.boxes)
    for row in found.values():
        texts = " ".join(text.get_text() for text in diagram.boxes[row.name].texts)
        assert f"{row.parameters:,} parameters" in texts
        if "discriminator" not in row.name:
            shapes = row.outputs[:1] if row.name.startswith("integration") else row.outputs
            assert all(size(shape) in texts for shape in shapes), row.name
    for weight, box in (("sigma_v", "video"), ("sigma_p", "pose"), ("sigma_c", "context")):
        assert (box in diagram.boxes) == (params[weight] > 0)
        assert (f"L_{box}" in diagram.notes[1].get_text()) == (params[weight] > 0)
    assert ("poses" in diagram.boxes) == params["pose_input"]
    assert f"{sum(row.parameters for row in found.values()):,} parameters in all" in diagram.notes[1].get_text()
    tidy(diagram)


def test_paper_profile_is_drawn_at_its_size() -> None:
    shown = " ".join(written(architecture(PAPER, built(PAPER))))
    for text in ("3×16×112×112", "f_s: 2048×2×7×7", "clip encoder (R(2+1)D)", "3×4×56×56, 3×2×112×112"):
        assert text in shown


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("time", ["static", "motion"])
@pytest.mark.parametrize("standard", [True, False])
def test_layer_is_drawn_in_every_mode(mode: str, time: str, standard: bool) -> None:
    params = with_layer(mode=mode, time=time, normalize_static=standard, normalize_motion=standard)
    found = built(params)
    row = found["integration layer, f_i"]
    diagram = integration(params, found)
    texts = {name: [text.get_text() for text in box.texts] for name, box in diagram.boxes.items()}
    assert texts["f_s"][1] == size(row.inputs[0]) and texts["f_d"][1] == size(row.inputs[1])
    assert texts["f_i"][1:] == [FORMULAS[mode], size(row.outputs[0])]
    assert ("M" in texts) == (len(row.outputs) > 1) == ("mask" in mode)
    if "M" in texts:
        assert texts["M"][2] == size(row.outputs[1])
    assert ("γ" in texts) == ("adain" in mode)
    assert ("longer" in texts) == (time == "motion")
    assert ("moved" in texts) == standard
    tidy(diagram)


def test_command_writes_the_same_files_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def call(*words: object) -> None:
        monkeypatch.setattr(sys, "argv", ["csvr.drawings", *map(str, words)])
        drawings.main()

    params, contents = ROOT / "params.yaml", []
    for again in ("a", "b"):
        outputs = [tmp_path / f"{again}.png", tmp_path / f"{again}.svg"]
        call("integration", "--params", params, "--output", *outputs)
        contents.append([output.read_bytes() for output in outputs])
    assert contents[0] == contents[1]
    assert contents[0][0][:4] == b"\x89PNG" and b"<svg" in contents[0][1]
    with pytest.raises(UserError, match="written as .*png, .*svg, .*pdf"):
        call("architecture", "--params", params, "--output", tmp_path / "a.jpg")
    other = tmp_path / "no_pose.yaml"
    other.write_text(yaml.safe_dump(PROFILES["no_pose"]))
    with pytest.raises(UserError, match="no integration layer to draw"):
        call("integration", "--params", other, "--output", tmp_path / "a.png")
