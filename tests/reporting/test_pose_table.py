"""The table of poses through the command line: estimated and predicted ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from csvr.errors import UserError


def test_pose_quality(make, call, expect, tmp_path):
    one = {
        "frames": 10, "detected": 0.9, "found": 0.8, "oks": 0.75, "mpjpe": 0.02, "pck@0.1": 0.912,
        "pck@0.1 by keypoint": {"nose": 0.5, "left_wrist": 0.625},
    }  # fmt: skip
    nobody = {"frames": 5, "detected": 0.0}
    source, output = tmp_path / "pose_quality.json", tmp_path / "table.md"
    made = expect["features"]["poses"] | {"index_sha256": "abc123"}
    found = {
        "run_id": "9", "runs": {"a": "3", "b": "4"}, "all": one, "by_video": {"v_a": one, "v_b": nobody},
        "made": made, "code": expect["code"]["pose_quality"],
    }  # fmt: skip
    common = "pose-quality", "--metrics", *make(), "--expect", json.dumps(expect), "--output", output
    flags = *common, "--pose-quality", source
    source.write_text(json.dumps(found))
    call(*flags)
    text = output.read_text()
    assert "| left_wrist | 0.625 |" in text and "| PCK@0.1, all keypoints | 0.912 |" in text
    assert "Nobody found in: v_b." in text and "drawn figures only and shares its renderer" in text
    assert "scored in 9; poses extracted in 3, 4" in text
    assert text.index("## Estimated poses") < text.index("## Predicted future poses")
    for key, wrong, named in (
        ("code", "old", "code = 'old', expected 'ppp.*--forcerun score_poses"),
        ("made", made | {"code": "old"}, "poses.code = 'old', expected 'ppp.*--forcerun extract_poses"),
        ("made", made | {"params": {"short_side": 32}}, "poses.params.short_side = 32, expected 64"),
    ):
        source.write_text(json.dumps(found | {key: wrong}))
        with pytest.raises(UserError, match=named):
            call(*flags)
    source.write_text("{}")
    with pytest.raises(UserError, match=r"pose_quality\.json: not what"):
        call(*flags)


def test_predicted_poses(make, call, expect, tmp_path):
    """Of every variant that predicts some, beside what needs no network; without true keypoints nothing else."""
    output = tmp_path / "table.md"

    def run(paths: list[Path]) -> tuple[str, list[list[str]]]:
        call("pose-quality", "--metrics", *paths, "--expect", json.dumps(expect), "--output", output)
        text = output.read_text()
        lines = text.split("## Predicted future poses")[1].split("###")[0].splitlines()
        return text, [[cell.strip() for cell in line.strip("| ").split("|")] for line in lines if line[:2] == "| "]

    text, (head, *found) = run(paths := make())
    assert "Estimated poses" not in text and "**Missing" not in text
    assert head == ["variant", "future", "MPJPE", "PCK@0.1", "OKS"]
    assert found[:3] == [
        ["title of full", "predicted", "0.300 ± 0.100 (3)", "0.900 ± 0.000 (3)", "0.800 ± 0.000 (3)"],
        ["title of full", "last pose repeated", "0.400 ± 0.000 (3)", "0.700 ± 0.000 (3)", "0.600 ± 0.000 (3)"],
        ["title of full", "constant velocity", "0.600 ± 0.000 (3)", "0.500 ± 0.000 (3)", "0.250 ± 0.000 (3)"],
    ]
    shown = ["full", "no_context", "no_generation", "pose_input_no_loss"]
    assert [row[0] for row in found[::3]] == [f"title of {name}" for name in shown]
    assert "| full | 0 → 100 | 1 → 101 | 2 → 102 |" in text and "| no_pose |" not in text
    assert f"command: `snakemake --cores 8 {output}`" in text
    cell = json.loads(paths[0].read_text())
    assert cell["git"]["commit"] in text and cell["data"]["index_sha256"] in text
    for path in paths:
        if path.parts[-4] == "full" and path.parent.name == "seed1":
            path.unlink()
        elif path.parts[-4] == "no_context":  # nobody was visible there
            path.write_text(json.dumps(json.loads(path.read_text()) | {"pretext": {"pose": {}}}))
    text, (_, *found) = run([path for path in paths if path.exists()])
    assert "**Missing: full seed 1.**" in text and "| full | 0 → 100 | missing | 2 → 102 |" in text
    assert found[0][2:] == [
        "0.300 ± 0.141 (2, 1 missing)",
        "0.900 ± 0.000 (2, 1 missing)",
        "0.800 ± 0.000 (2, 1 missing)",
    ]
    assert found[3] == ["title of no_context", "predicted", "–", "–", "–"]
    paths[0].write_text(paths[0].read_text().replace('"steps": 300', '"steps": 200'))
    with pytest.raises(UserError, match="pretrain.steps = 200, expected 300.*--forcerun pretrain"):
        run([path for path in paths if path.exists()])
