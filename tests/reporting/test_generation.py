"""The table of generated clips, on synthetic measurements."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from csvr.errors import UserError
from tests.reporting.conftest import FEATURES

CODE = {name: name[0] * 64 for name in ("pretrain", "clip_judge", "generation_quality")}
Table = Callable[..., str]


def params(name: str) -> dict[str, Any]:
    return {
        "sigma_p": 0 if name == "no_pose" else 1,
        "judge": {"clip_judge": {"epochs": 4}},
        "generation_quality": {"fvd": {"weights": None, "sha256": None, "size": 224, "arguments": {}}},
    }


def cell(name: str, seed: int) -> dict[str, Any]:
    """Full is better than no_pose; the baseline is the same everywhere."""
    better = 1.0 if name == "full" else 0.0
    measures = {
        kind: {
            part: {"psnr": 14 + shift + better + seed, "ssim": 0.25 + 0.1 * seed, "frechet": 11.125 + shift}
            for part, shift in (("clip", 1.0), ("future", 0.0))
        }
        for kind in ("generated", "repeated")
    }
    measures["repeated"] = {part: {"psnr": 13.5, "ssim": 0.5, "frechet": 1.625} for part in ("clip", "future")}
    return {
        "run_id": f"{200 + seed}", "pretrain_run_id": f"{seed}", "variant": name, "seed": seed, "params": params(name),
        "data": {"index_sha256": "abc123", "clips": ["1"], "poses": ["2"], "made": copy.deepcopy(FEATURES)},
        "judge": {
            "path": "judge", "sha256": "j" * 64, "run_id": "42", "accuracy": 0.4321, "seconds": 61.0,
            "data": {"index_sha256": "abc123", "clips": ["1"]},
        },
        "code": CODE, "git": {"commit": "0123abcd", "dirty": False}, "threads": 1,
        "host": {"cpu": "A CPU", "cores": 2, "hostname": "here"},
        "seconds": {"pretrain": 50.0, "generation_quality": 10.0},
        "measures": measures | {"clips": 120, "dimension": 64},
    }  # fmt: skip


@pytest.fixture
def table(call: Callable[..., None], expect: dict[str, Any], tmp_path: Path) -> Table:
    """The text of the table; `change(variant, seed, cell)` may edit a cell, or return False to leave it out."""

    def run(change: Callable[[str, int, dict[str, Any]], Any] = lambda *_: None, **wanted: Any) -> str:
        paths, about = [], {}
        for name in ("full", "no_pose"):
            about[name] = {
                "title": f"title of {name}",
                "description": "",
                "params": params(name),
                "cell": f"{name}/w",
                "networks": f"{name}/w",
            }
            for seed in (0, 1):
                found = cell(name, seed)
                if change(name, seed, found) is not False:
                    path = tmp_path / "results" / "mannequin" / name / "w" / f"seed{seed}" / "generation.json"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(json.dumps(found))
                    paths.append(path)
        shown = expect | {"variants": about, "order": ["full", "no_pose"], "seeds": [0, 1], "code": CODE} | wanted
        output = tmp_path / "table.md"
        call("generation-quality", "--quality", *paths, "--expect", json.dumps(shown), "--output", output)
        return output.read_text()

    return run


def lines(text: str, heading: str) -> list[str]:
    return [line for line in text.split(f"## {heading}")[1].split("\n##")[0].splitlines() if line.startswith("| ")]


def test_table_has_the_numbers_and_the_baseline(table: Table) -> None:
    text = table()
    assert lines(text, "Reconstruction of the clip") == [
        "| variant | PSNR (dB) ↑ | SSIM ↑ | Fréchet distance (own supervised features) ↓ |",
        "| title of full | 16.50 ± 0.71 (2) | 0.300 ± 0.071 (2) | 12.12 ± 0.00 (2) |",
        "| title of no_pose | 15.50 ± 0.71 (2) | 0.300 ± 0.071 (2) | 12.12 ± 0.00 (2) |",
        "| last frame repeated | 13.50 | 0.500 | 1.62 |",
    ]
    assert lines(text, "Prediction of the future")[1].startswith("| title of full | 15.50 ± 0.71 (2)")
    # What biases the distance, what it is not, and where everything comes from.
    for part in (
        "64 features of 120 clips", "gets 43.2 % of the test videos right", "**It is not FVD**", "abc123",
        "judge: Sacred run 42", "0 → 200", "time of pretraining and measurement, all cells added up: 4.0 min",
        f"clip_judge {CODE['clip_judge']}",
    ):  # fmt: skip
        assert part in " ".join(text.split()), part
    assert "FVD ↓" not in text and "Missing" not in text


def test_missing_cells_are_shown(table: Table) -> None:
    text = table(lambda name, seed, _: name == "full" and seed == 0)
    assert "**Missing: full seed 1, no_pose seed 0, no_pose seed 1.**" in text
    found = lines(text, "Prediction of the future")
    assert found[1].startswith("| title of full | 15.00 (1, 1 missing) |")
    assert found[2] == "| title of no_pose | missing | missing | missing |"


def test_network_of_the_user_has_a_column(table: Table) -> None:
    def edit(name: str, seed: int, found: dict[str, Any]) -> None:
        for kind in ("generated", "repeated"):
            for part in ("clip", "future"):
                found["measures"][kind][part]["fvd"] = 321.0
        found["params"]["generation_quality"]["fvd"] |= {"weights": "i3d.pt", "sha256": "f" * 64}

    with pytest.raises(UserError, match=r"weights = 'i3d.pt', expected None.*--forcerun generation_quality"):
        table(edit)
    about = {
        name: {"title": name, "description": "", "params": params(name), "cell": f"{name}/w", "networks": f"{name}/w"}
        for name in ("full", "no_pose")
    }
    for found in about.values():
        found["params"]["generation_quality"]["fvd"] |= {"weights": "i3d.pt", "sha256": "f" * 64}
    text = table(edit, variants=about)
    assert lines(text, "Prediction of the future")[0].endswith("| FVD ↓ |")
    assert lines(text, "Prediction of the future")[3].endswith("| 321.0 |") and f"sha256 {'f' * 64}" in text


def set_at(found: dict[str, Any], path: str, value: Any) -> None:
    *parents, last = path.split(".")
    for key in parents:
        found = found[key]
    found[last] = value


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("params.sigma_p", 7, "sigma_p = 7, expected 1; run snakemake .* --forcerun pretrain"),
        ("params.judge.clip_judge.epochs", 5, "epochs = 5, expected 4; run .* --forcerun clip_judge"),
        ("code.pretrain", "old", "code.pretrain = 'old', expected 'ppp.* --forcerun pretrain"),
        ("code.clip_judge", "old", "code.clip_judge = 'old', expected 'ccc.* --forcerun clip_judge"),
        ("code.generation_quality", "old", "code.generation_quality = 'old'.* --forcerun generation_quality"),
        ("data.index_sha256", "other", "data.index_sha256 = 'other', expected 'abc123'.* --forcerun pretrain"),
        ("data.made.clips.code", "old", "clips.code = 'old', expected .* --forcerun extract_clips"),
        ("judge.sha256", "k", "judge.sha256 = k, but jjj.* in .*full.*seed0.* --forcerun generation_quality"),
        ("seed", 3, "seed = 3, expected 1; run .* --forcerun pretrain"),
        ("measures", {}, "not what csvr.generation_quality writes"),
    ],
)
def test_stale_results_are_refused(table: Table, path: str, value: Any, named: str) -> None:
    def edit(name: str, seed: int, found: dict[str, Any]) -> None:
        if (name, seed) == ("full", 1):
            found["code"] = dict(CODE)
            set_at(found, path, value)

    with pytest.raises(UserError, match=f"full/w/seed1/generation.json: .*{named}"):
        table(edit)
