"""Tables of features, linear probes, retrieval, action recognition and cost, on synthetic metrics."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from csvr.errors import UserError
from tests.reporting.conftest import ACCURACY
from tests.workflow.repository import ROOT

PUBLISHED = ROOT / "params/published"
BESIDE = {"linear-probe": "linear", "retrieval": "retrieval", "action-recognition": "finetune"}
Make = Callable[..., list[Path]]


@pytest.fixture
def report(call: Callable[..., None], expect: dict[str, Any], tmp_path: Path) -> Callable[..., str]:
    """The Markdown text of a table; `wanted` changes what is expected."""

    def run(name: str, paths: list[Path], published: Path | None = None, **wanted: Any) -> str:
        flags = ["--metrics", *paths, "--expect", json.dumps(expect | wanted), "--output", tmp_path / f"{name}.md"]
        if name in BESIDE:
            flags += ["--published", published or PUBLISHED / f"{BESIDE[name]}.csv"]
        call(name, *flags)
        for suffix in (".html", ".tex", ".csv"):
            assert (tmp_path / f"{name}{suffix}").stat().st_size > 0
        return (tmp_path / f"{name}.md").read_text()

    return run


def rows(text: str, heading: str) -> dict[str, list[str]]:
    """Cells of the table below a heading, by the first cell; the head is "head"."""
    lines = text.split(f"## {heading}")[1].split("\n##")[0].splitlines()
    head, *found = [[c.strip() for c in line.strip("|").split(" | ")] for line in lines if line.startswith("| ")]
    return {"head": head} | {row[0].strip("| "): [c.strip("| ") for c in row[1:]] for row in found}


def mean(paths: list[Path], variant: str, part: str, protocol: str, readout: str, k: int | None = None) -> str:
    cells = [json.loads(path.read_text())[part][protocol][readout] for path in paths if path.parts[-4] == variant]
    values = [100 * np.mean(np.array(x) <= k if k else x) for x in cells]
    return f"{np.mean(values):.1f} ± {np.std(values, ddof=1):.1f} (3)"


def test_features(report: Callable[..., str], make: Make) -> None:
    paths = make()
    text = report("features", paths)
    found = rows(text, "overall (120 videos)")
    assert list(found)[1:] == ["f_s", "f_d", "f_i", "f_i, untrained integration (control)", "all (concatenation)"]
    assert found["head"][1:] == [
        "Linear probe, 8 labels a class", "Linear probe, all labels", "Nearest-neighbour retrieval, R@1",
    ]  # fmt: skip
    for k, protocol in enumerate(("linear_few", "linear_all", "retrieval")):
        assert found["f_d"][k] == mean(paths, "full", "scores", protocol, "f_d")
    assert rows(text, "motion (40 videos)")["f_i"][0] != found["f_i"][0]
    without = rows(text, "Without poses at test time")
    assert without["f_d"][1] == mean(paths, "full", "scores", "linear_all_no_pose", "f_d") != found["f_d"][1]
    assert without["f_s"] == found["f_s"] and "f_i, untrained" not in "".join(without)
    assert "f_s alone" in text and "abc123" in text and "| full | 0 → 100" in text


def test_linear_probe(report: Callable[..., str], make: Make) -> None:
    paths = make()
    text = report("linear-probe", paths)
    found = rows(text, "Ours")
    assert found["head"][5:] == [
        "all labels", "8 labels a class", "1 % (6 videos)", "10 % (30 videos)", "all labels, no pose at test time",
    ]  # fmt: skip
    for k, protocol in enumerate(("linear_all", "linear_few", "linear_1pct", "linear_10pct", "linear_all_no_pose"), 4):
        assert found["title of full (this run)"][k] == mean(paths, "full", "scores", protocol, "all")
    # Without poses there are none to be missing; without a probe there is nothing.
    assert found["title of no_pose (this run)"][-1] == "–" and found["title of no_pose (this run)"][3] == "RGB"
    assert found["title of supervised_scratch (this run)"][4:] == ["–"] * 5
    assert "Published numbers: none for this data set." in text and "## Published" not in text


def test_retrieval(report: Callable[..., str], make: Make, tmp_path: Path) -> None:
    paths = make()
    found = rows(text := report("retrieval", paths), "All features")
    assert found["head"][1:] == ["R@1", "R@5", "R@10", "R@20", "R@50"]
    for place, k in enumerate((1, 5, 10, 20, 50)):
        assert found["title of no_context"][place] == mean(paths, "no_context", "ranks", "retrieval", "all", k)
        assert rows(text, "f_s alone")["title of no_pose"][place] == mean(
            paths, "no_pose", "ranks", "retrieval", "f_s", k
        )
        assert rows(text, "By feature, variant full")["f_i"][place] == mean(
            paths, "full", "ranks", "retrieval", "f_i", k
        )
    assert found["title of supervised_scratch"] == ["–"] * 5
    table = pd.read_csv(tmp_path / "retrieval.csv")
    assert list(table)[:4] == ["table", "variant", "R@1", "R@1 std"]


def test_action_recognition(report: Callable[..., str], make: Make) -> None:
    paths = make()
    text = report("action-recognition", paths)
    found = rows(text, "Ours")
    assert len(found) == 1 + len(ACCURACY) and found["head"][5:] == ["top-1, 8 labels a class"]
    assert found["title of full (this run)"][:4] == ["mannequin", "r3d", "4x56", "RGB + poses"]
    assert found["title of random_init (this run)"][0] == "none"
    assert found["title of full (this run)"][4] == mean(paths, "full", "scores", "finetune", "all")
    assert "3 uniform clips of each of 120 test videos" in text and "Published numbers: none" in text


@pytest.mark.parametrize("name", list(BESIDE))
def test_published_rows_stand_beside_and_apart(report: Callable[..., str], make: Make, name: str) -> None:
    text = report(name, make(), dataset="ucf101")
    same = text.split("## Published, pretrained on UCF101")[1].split("\n##")[0]
    other = text.split("## Published, pretrained on other data")[1].split("\n##")[0]
    lines = {part: [x for x in part.splitlines() if x.startswith("| ")][1:] for part in (same, other)}
    assert lines[same] and all(line.split(" | ")[2] == "UCF101" for line in lines[same])
    assert lines[other] and all(line.split(" | ")[2] != "UCF101" for line in lines[other])
    # No number is set off, whatever it is beside.
    assert "**" not in same + other
    (own,) = [line for line in lines[other] if line.startswith("| CSVR |")]
    assert "not available" in own and "| CMD |" not in other or name == "action-recognition"
    assert "No number is in bold here" in text and "MVCGC paper" in text
    if name == "action-recognition":
        assert "| CMD | 2021 | UCF101 | R(2+1)D-26 | 16x112 | RGB | 79.7 | C |" in same
        assert "Ours are not comparable with the published rows" in text
        assert "conflict: V has 92.7" in other
    if name == "retrieval":
        assert "| VCOP | 2019 | UCF101 | R3D | not stated | RGB | 14.1 | 30.3 | 40.4 | 51.1 | 66.5 | I |" in same
        assert "| left out | – | – | – | – | C |" in same


def test_full_fine_tuning_is_not_called_incomparable(report: Callable[..., str], make: Make, expect: Any) -> None:
    def edit(variant: str, seed: int, cell: dict[str, Any]) -> None:
        cell["params"]["evaluate"]["finetune"]["per_class"] = None

    for about in expect["variants"].values():
        about["params"]["evaluate"]["finetune"]["per_class"] = None
    text = report("action-recognition", make(edit), dataset="hmdb51")
    assert "top-1, all labels" in text and "not comparable" not in text and "| 48.6 | C |" in text


def test_ssv2_has_its_own_published_rows(report: Callable[..., str], make: Make) -> None:
    text = report("action-recognition", make(), PUBLISHED / "ssv2.csv", dataset="ssv2")
    assert (
        "# Action recognition on ssv2" in text and "| 47.76 | R |" in text and "UCF101" not in text.split("## Ours")[1]
    )


def test_cost(report: Callable[..., str], make: Make, tmp_path: Path) -> None:
    def edit(variant: str, seed: int, cell: dict[str, Any]) -> Any:
        cell["seconds"]["pretrain"] += seed
        if variant == "no_pose":
            cell["peak_memory_mb"]["pretrain"] = None
        return (variant, seed) != ("no_context", 2) and variant != "random_init"

    found = rows(text := report("cost", make(edit)), "Cost")
    assert found["title of full"] == [
        "61.0 ± 1.0 (3)", "12.0 ± 0.0 (3)", "900 ± 0 (3)", "1001 ± 1 (3)", "1,000", "2,000", "0.250", "0.500",
    ]  # fmt: skip
    assert found["title of no_pose"][2] == "–" and found["title of random_init"] == ["missing"] * 8
    assert found["title of no_context"][0] == "60.5 ± 0.7 (2, 1 missing)"
    assert "**Missing: no_context seed 2, random_init seed 0" in text
    assert pd.read_csv(tmp_path / "cost.csv")["parameters, all"].tolist()[0] == "2000"


@pytest.mark.parametrize("name", ["features", "cost", *BESIDE])
def test_stale_results_are_refused_and_missing_ones_shown(report: Callable[..., str], make: Make, name: str) -> None:
    paths = make(lambda variant, seed, _: variant != "full" or seed == 0)
    assert "**Missing: full seed 1, full seed 2.**" in (text := report(name, paths)) and "(1, 2 missing)" in text
    cell = json.loads(paths[0].read_text())
    paths[0].write_text(json.dumps(cell | {"code": cell["code"] | {"evaluate": "old"}}))
    with pytest.raises(UserError, match="code.evaluate = 'old', expected 'eee.* --forcerun evaluate"):
        report(name, paths)


def test_a_number_without_a_source_makes_no_table(report: Callable[..., str], make: Make, tmp_path: Path) -> None:
    text = (PUBLISHED / "linear.csv").read_text().replace(",70.2,M,", ",70.2,-,")
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(UserError, match="bad.csv: line 2: a number without a source"):
        report("linear-probe", make(), tmp_path / "bad.csv")
