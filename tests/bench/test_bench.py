"""The benchmarks themselves, not what they measure: one runs, what is measured is kept, pages say what is met."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from csvr.data import video
from tests.bench import figures as bench_figures
from tests.bench import gpu, growth, iframes, report
from tests.bench.figures import CSVR, Bench, Figure, Figures, Goal, Unavailable


def figure(case: str, name: str, *values: float, unit: str = "s") -> Figure:
    return Figure("iframes", case, name, unit, list(values), "", "made")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    found = Bench(tmp_path / "raw.jsonl", tmp_path / "scratch")
    found.goal = "iframes"
    return found


def test_i_frames_are_measured_and_reported(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.random.default_rng(0).integers(0, 256, (12, 48, 64, 3), dtype=np.uint8)
    video.encode(tmp_path / "a.avi", images, 25, 4)
    monkeypatch.setattr(iframes, "videos", lambda bench: {f"{iframes.DENSE}, small": tmp_path / "a.avi"})
    bench.quick = True
    iframes.measure(bench)
    found = bench.figures("iframes")
    case = f"{iframes.DENSE}, small"
    assert found.median(case, iframes.SAME) == 1
    assert found.median(case) and found.median(case, iframes.FULL)
    report.write(tmp_path / "benchmarks.md", bench, ["iframes"])
    text = (tmp_path / "benchmarks.md").read_text()
    assert f"**{case}**" in text and "| decord | – | – | – | 0 | not installed" in text
    assert "| 1 | exactly the I pictures of a full decode, in all cases | 1 of 1 | ≥ 1 of 1 | met |" in text
    assert (tmp_path / "benchmarks_iframes.png").stat().st_size


def test_what_is_measured_is_not_measured_again_until_sources_change(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[str] = []
    ways = {name: (lambda name=name: (runs.append(name), float(len(runs)))[1]) for name in ("a", "b")}
    bench.compare("case", {"a": ways["a"]}, 3, warm=False)
    with bench.raw.open("a") as file:
        file.write('{"goal": "iframes", "case": "ca')  # killed while it wrote
    bench.compare("case", ways, 2, warm=False)
    assert runs == ["a", "a", "a", "b", "b"]
    assert bench.figures("iframes").median("case", "a") == 2
    monkeypatch.setattr(bench_figures, "made", lambda goal: "other sources")
    assert not bench.figures("iframes").all


def test_ways_take_turns_and_absent_ones_are_noted(bench: Bench) -> None:
    runs: list[str] = []

    def absent() -> float:
        raise Unavailable("not installed")

    ways = {name: (lambda name=name: (runs.append(name), 1.0)[1]) for name in ("a", "b")}
    bench.compare("case", {**ways, "c": absent}, 2)
    assert runs == ["a", "b"] * 3
    (noted,) = [f for f in bench.figures("iframes").all if f.name == "c"]
    assert not noted.values and noted.note == "not installed"


@pytest.mark.parametrize(
    ("found", "least", "words"),
    [(2.0, True, ("2 ×", "≥ 1.5 ×", "met")), (2.0, False, ("2 ×", "≤ 1.5 ×", "**missed**")),
     (1.504, False, ("1.504 ×", "≤ 1.5 ×", "**missed**")),
     (None, True, ("not measured", "≥ 1.5 ×", "")), (float("nan"), True, ("not measured", "≥ 1.5 ×", ""))],
)  # fmt: skip
def test_goals_say_whether_they_are_met(found: float | None, least: bool, words: tuple[str, str, str]) -> None:
    assert report.outcome(Goal("text", found, 1.5, least)) == words


def test_ratios_are_of_medians_to_csvr() -> None:
    found = Figures([figure("x", CSVR, 0.001, 0.002, 0.009), figure("x", "peer", 0.006)])
    assert found.ratio("x", "peer") == pytest.approx(3)
    assert found.ratio("x", "absent") is None
    rows = report.table("x", found.all)
    assert rows[4:] == ["| csvr | 2 | ± 200 % | 1.00 | 3 |  |", "| peer | 6 |  | 3.00 | 1 |  |"]


def test_the_exponent_of_what_grows_with_the_square_is_2() -> None:
    found = Figures([figure("x", f"{count} videos", 3.0 * count**2) for count in (2, 20, 200)])
    assert growth.exponent(found, "x") == pytest.approx(2)
    assert growth.last_exponent(found, "x") == pytest.approx(2)


def test_of_a_gpu_the_three_biggest_costs_are_named(bench: Bench) -> None:
    bench.keep(gpu.CASE, {gpu.PLAIN: [3.0], CSVR: [1.0]})
    bench.keep(gpu.COSTS, {"a": [1.0, 5.0, 5.0], "b": [2.0, 2.0, 2.0], "c": [9.0, 0.5, 0.5], "d": [3.0, 3.0, 3.0]})
    (goal,) = gpu.goals(bench.figures("iframes"))
    assert goal.found == 3 and goal.note.endswith(": a, d, b")
