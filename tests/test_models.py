"""The table of networks."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import torch
import yaml
from compose_params import composed
from torchvision.models import get_model_weights

from csvr.errors import UserError
from csvr.pretrain.model import CSVR
from csvr.pretrain.sizes import Rows, networks
from csvr.reporting.networks import table, text
from tests.workflow.repository import ROOT, command


@pytest.fixture
def params() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "params.yaml").read_text()))


def test_a_convolution_by_hand() -> None:
    rows = Rows()
    with torch.device("meta"):
        rows.run("one", torch.nn.Conv3d(3, 5, 3, padding=1), torch.empty(1, 3, 4, 6, 6))
    (row,) = rows.found
    assert (row.parameters, row.inputs, row.outputs) == (5 * 3 * 27 + 5, [(1, 3, 4, 6, 6)], [(1, 5, 4, 6, 6)])
    assert row.flops == 2 * 5 * 3 * 27 * 4 * 6 * 6


def test_every_parameter_is_in_one_row(params: dict[str, Any]) -> None:
    found = networks(params)
    assert len(found) == 12
    assert sum(row.parameters for row in found) == sum(p.numel() for p in CSVR(params, 16).parameters())
    assert all(row.flops > 0 for row in found)
    poses = {row.name: row.inputs for row in found}["pose encoder, f_d"]
    assert poses == [(1, 16, 17, 3)]
    shown = text(params, table(found))
    assert "| pose decoder | 101,410 |" in shown and "clip of 4 × 56 × 56" in shown


def test_networks_that_are_not_built_have_no_row(params: dict[str, Any]) -> None:
    names = {row.name for row in networks(params | {"sigma_v": 0, "sigma_p": 0, "pose_input": False})}
    assert names == {"clip encoder, f_s", "I-frame encoder", "projection head of clips", "projection head of I-frames"}


@pytest.mark.parametrize("backbone", [path.stem for path in (ROOT / "params/backbone").glob("*.yaml")])
def test_every_backbone_reaches_112_pixels(backbone: str) -> None:
    """And no memory is needed for it: nothing of it is allocated."""
    found = {row.name: row for row in networks(yaml.safe_load(composed(["+profile=paper", f"backbone={backbone}"])))}
    assert found["pose encoder, f_d"].outputs == [(1, 64, 4, 7, 7)]
    assert found["pose decoder"].outputs == [(1, 17, 16, 56, 56)]
    frames = max(found["clip encoder, f_s"].outputs[0][2], 4)
    assert found["integration layer, f_i"].outputs[0][2] == frames
    assert found["I-frame encoder"].outputs == [(1, 512)]
    assert len(found) == 12
    for name in ("clip", "future"):
        assert found[f"video generator, {name}"].outputs == [
            (1, 3, 16, 14, 14), (1, 3, 8, 28, 28), (1, 3, 4, 56, 56), (1, 3, 2, 112, 112)
        ]  # fmt: skip
    if backbone in ("r3d_18", "r2plus1d_18", "mc3_18"):
        # Published by torchvision for such a clip, a multiplication and an addition counted as one.
        (published,) = {weights.meta["_ops"] for weights in get_model_weights(backbone)}
        # Its count has the last layer too.
        assert found["clip encoder, f_s"].flops / 2e9 == pytest.approx(published, abs=1e-3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"clip": None}, "clip is missing"),
        ({"model": {"pose": {}}}, "backbone is missing"),
        ({"model": {"backbone": {"kind": "r3"}}}, r"model.backbone.kind = r3: did you mean r3d\?"),
        ({"clip": {"frames": 4, "stride": 4, "crop": 8}, "model": {"backbone": {"kind": "c3d"}}}, "no networks can be"),
    ],
)
def test_wrong_parameters_are_one_message(params: dict[str, Any], change: dict[str, Any], message: str) -> None:
    for key, value in change.items():
        if value is None:
            del params[key]
        else:
            params[key] = params[key] | value if "backbone" in value or key == "clip" else value
    with pytest.raises(UserError, match=message):
        networks(params)


def test_command(tmp_path: Any) -> None:
    output = tmp_path / "table.md"
    done = command(
        sys.executable, "-W", "ignore", "-m", "csvr.models", "--params", "params.yaml", "--output", output, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout
    assert done.stdout == output.read_text()
    done = command(sys.executable, "-W", "ignore", "-m", "csvr.models", "--params", "{model: {}}", cwd=ROOT)
    assert done.returncode == 2
    assert "csvr: --params: clip is missing" in done.stdout and "Traceback" not in done.stdout
