"""Whole reports through the command line, on synthetic metrics."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from csvr.data import shards
from csvr.errors import UserError
from csvr.files import sha256
from csvr.reporting import style
from csvr.reporting.ablation import write
from csvr.reporting.claims import CONTRARY, NOT_SUPPORTED, SUPPORTED, UNTESTABLE, claims, interval_text
from csvr.reporting.groups import ordered
from csvr.reporting.per_class import panels, points
from csvr.reporting.results import Expectation, load
from csvr.reporting.statistics import Interval, accuracy
from tests.reporting.conftest import POSES, place

HEADS = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}


def assert_drawn(*paths: Path) -> None:
    """All three formats are there, and are what their suffixes say."""
    assert [path.suffix for path in paths] == list(HEADS)
    assert all(path.read_bytes().startswith(HEADS[path.suffix]) for path in paths)


@pytest.fixture
def ablation(call, tmp_path):
    """Make the ablation table, and the figure if asked for; returns the table's text by suffix."""

    def run(paths: list[Path], expect: dict, figure: Path | None = None) -> dict[str, str]:
        output = tmp_path / "reports" / "table.md"
        if figure:
            drawn = [figure.with_suffix(suffix) for suffix in HEADS]
            call(
                "ablation", "--metrics", *paths, "--expect", json.dumps(expect), "--output", output, "--figure", *drawn
            )
            assert_drawn(*drawn)
        else:
            write(load(paths, Expectation.of(expect)), output)
        return {suffix: output.with_suffix(suffix).read_text() for suffix in (".md", ".html", ".csv")}

    return run


def rows(markdown: str, heading: str) -> dict[str, list[str]]:
    """Cells of the first table below a heading, by the first cell."""
    lines = markdown.split(f"## {heading}")[1].split("\n##")[0].splitlines()
    cells = [[c.strip() for c in line.strip("|").split(" | ")] for line in lines if line.startswith("| ")]
    return {row[0].strip("| "): [c.strip("| ") for c in row[1:]] for row in cells}


def verdicts(results) -> list[str]:
    """Of each claim under the protocol that counts."""
    return [claim.findings[0].verdict for claim in claims(results)]


def test_table_has_the_numbers(make, expect, ablation):
    paths = make()
    text = ablation(paths, expect)
    table = rows(text[".md"], "Linear probe, 8 labels a class")
    assert table["variant"] == ["overall", "motion", "context", "both", *(f"Δ {c}" for c in list(table["variant"])[:4])]
    results = load(paths, Expectation.of(expect))
    values = [accuracy(x, results.masks()["motion"]) for x in results.scores("full", "linear_few").values()]
    assert table["title of full"][1] == f"{100 * np.mean(values):.1f} ± {100 * np.std(values, ddof=1):.1f} (3)"
    assert table["title of full"][4:] == ["–"] * 4
    assert table["title of no_pose"][5].startswith("**−") and table["title of no_pose"][5].endswith("]\\***")
    assert not table["title of no_generation"][4].startswith("**")
    assert table["title of supervised_scratch"] == ["–"] * 8
    assert "missing" not in text[".md"]
    assert rows(text[".md"], "Fine-tuned, 8 labels a class")["title of supervised_scratch"][0] != "–"


def test_readouts_name_the_control(make, expect, ablation):
    text = ablation(make(), expect)[".md"].split("## By read-out")[1].split("\n##")[0]
    full = [line for line in text.splitlines() if line.startswith("| title of full")]
    assert [line.split(" | ")[1] for line in full] == [
        "all (concatenation)", "f_s", "f_d", "f_i", "f_i, untrained integration (control)",
    ]  # fmt: skip
    assert len([line for line in text.splitlines() if line.startswith("| title of no_pose")]) == 2


def test_missing_runs_are_shown(make, expect, ablation):
    gone = {("no_pose", 2), *(("random_init", k) for k in range(3))}
    text = ablation(make(lambda v, s, _: (v, s) not in gone), expect)
    table = rows(text[".md"], "Linear probe, 8 labels a class")
    assert table["title of no_pose"][0].endswith("(2, 1 missing)")
    assert table["title of random_init"] == ["missing"] * 8
    assert "**Missing: no_pose seed 2, random_init seed 0, random_init seed 1, random_init seed 2.**" in text[".md"]
    assert "not testable" in text[".md"] and 'class="missing"' in text[".html"]
    lost = [row.split(",") for row in text[".csv"].splitlines() if row.startswith("linear_few,all,random_init,")]
    assert len(lost) == 12 and {row[5] for row in lost} == {""}


def test_csv_is_long_and_right(make, expect, ablation, tmp_path):
    paths = make()
    ablation(paths, expect)
    table = pd.read_csv(tmp_path / "reports" / "table.csv")
    assert list(table) == [
        "protocol", "readout", "variant", "seed", "group", "top1", "n_videos", "run_id", "pretrain_run_id",
    ]  # fmt: skip
    chosen = table.query("protocol == 'linear_all' and readout == 'f_d' and variant == 'full' and seed == 1")
    assert chosen.n_videos.tolist() == [120, 40, 40, 40] and set(chosen.run_id) == {101}
    scores = json.loads(paths[1].read_text())["scores"]["linear_all"]["f_d"]
    assert chosen.top1.tolist()[0] == pytest.approx(np.mean(scores), abs=1e-6)
    assert not table.top1.isna().any()


def test_footer_says_where_numbers_come_from(make, expect, ablation):
    def edit(variant, seed, cell):
        if (variant, seed) == ("full", 0):
            cell["git"] = {"commit": "ffff", "dirty": True}

    text = ablation(make(edit), expect)
    for part in (
        "ffff (dirty: files differed from it) [1 cells]; 0123abcd (clean) [20 cells]",
        "abc123", Expectation.of(expect).digest, "25.2 min", "A CPU, 2 cores, host here, 1 thread(s) a job",
        expect["command"], "available", "0 → 100", "Chance is 16.7", "2000 draws",
    ):  # fmt: skip
        assert part in " ".join(text[".md"].split()), part
        assert part in " ".join(text[".html"].split()), part
    assert "CSVR's own table values: not available" in text[".md"]


def test_names_are_escaped(make, expect, ablation):
    text = ablation(make(), expect)
    assert "<script>" not in text[".html"] and "&lt;script&gt;alert(1)" in text[".html"]
    assert "<script>" not in text[".md"] and "At\\|City" in text[".md"]


def test_claims_of_the_synthetic_method(make, expect):
    results = load(make(), Expectation.of(expect))
    found = claims(results)
    assert [claim.findings[0].verdict for claim in found] == [SUPPORTED] * 4 + [NOT_SUPPORTED, SUPPORTED]
    numbers = found[1].findings[0].numbers
    assert (
        numbers.startswith("full − no_pose: motion +7")
        and "context +" in numbers
        and "margin of motion over" in numbers
    )


def test_contrary_and_cost_on_the_wrong_group(make, expect):
    def edit(variant, seed, cell):
        for values in cell["scores"].values():
            if variant == "no_generation":
                values["all"] = [1.0] * 120
            if variant == "no_context":
                values["all"] = [0.5] * 40 + [0.6] * 40 + [0.0] * 40
            if variant == "no_pose":
                values["all"] = [1.0] * 40 + [0.0] * 80

    results = load(make(edit), Expectation.of(expect))
    found = verdicts(results)
    assert found[4] == CONTRARY
    assert found[3] == NOT_SUPPORTED  # costs something on the context group, but more on "both"
    assert found[1] == CONTRARY  # motion is better without the pose branch


def test_largest_loss_without_a_certain_margin_is_not_most(make, expect):
    """no_pose loses on motion beyond doubt, and a little less on context: which one is larger stays open."""

    def edit(variant, seed, cell):
        if variant == "no_pose":
            motion, context, both = 40 * [0.0], 40 * [0.0], 40 * [1.0]
            context[:2] = 2 * [0.9]
            for values in cell["scores"].values():
                values["all"] = motion + context + both
        if variant == "full":
            for values in cell["scores"].values():
                values["all"] = 120 * [1.0]

    finding = claims(load(make(edit), Expectation.of(expect)))[1].findings[0]
    assert finding.numbers.startswith("full − no_pose: motion +100.0 [+100.0, +100.0]")
    assert "margin of motion over context +4.5 [+0.0" in finding.numbers
    assert finding.verdict == NOT_SUPPORTED


def test_data_sets_without_groups(make, expect, ablation):
    text = ablation(make(), expect | {"groups": {}})
    assert "the data set has no motion group" in text[".md"]
    assert f"<strong>{UNTESTABLE}</strong>" in text[".html"]


def test_one_seed_has_no_spread(make, expect, ablation):
    text = ablation(make(lambda v, s, _: s == 0), expect | {"seeds": [0]})
    assert rows(text[".md"], "Linear probe, 8 labels a class")["title of full"][0].endswith("(1)")
    assert "±" not in rows(text[".md"], "Linear probe, 8 labels a class")["title of full"][0]
    assert "nan" not in text[".md"]


def test_reports_are_reproducible(make, expect, ablation, tmp_path):
    paths = make()
    one, two = tmp_path / "figures" / "one.png", tmp_path / "figures" / "two.png"
    assert ablation(paths, expect, one) == ablation(paths[::-1], expect, two)
    for suffix in HEADS:
        assert one.with_suffix(suffix).read_bytes() == two.with_suffix(suffix).read_bytes()


def test_figure_with_missing_runs(make, expect, ablation, tmp_path):
    paths = make(lambda v, s, _: v != "random_init" and s != 2)
    ablation(paths, expect | {"groups": {}}, tmp_path / "one.png")


def test_interval_text_has_no_negative_zero():
    assert interval_text(Interval(-0.0001, -0.021, 0.5, 3)) == "+0.0 [−2.1, +50.0]"


def test_per_class(make, expect, call, tmp_path):
    outputs = [tmp_path / f"per_class{suffix}" for suffix in HEADS]
    call("per-class", "--metrics", *make(), "--expect", json.dumps(expect), "--output", *outputs)
    assert_drawn(*outputs)


def test_per_class_of_many_classes_is_a_page_with_a_panel_for_each_group(monkeypatch):
    classes = [f"class {k}" for k in range(101)]
    groups = {"motion": classes[::2], "context": classes[1:61:2]}
    order = ordered(groups, classes)
    values = {readout: np.random.default_rng(0).uniform(0, 100, (3, 101)) for readout in ("f_s", "f_d", "f_i")}
    drawn = []
    monkeypatch.setattr(style, "save", lambda figure, *_: drawn.append(figure))
    points(values, order, groups, "t", 1.0, Path("x.png"))
    (figure,) = drawn
    assert max(figure.get_size_inches()) < 14
    shown = {axis.get_title(): [label.get_text() for label in axis.get_yticklabels()] for axis in figure.axes}
    assert [len(names) for names in shown.values()] == [26, 25, 30, 20]
    assert list(shown) == ["motion (1 of 2)", "motion (2 of 2)", "context", "no group"]
    assert sum(shown.values(), []) == order
    # The mean of a class stands in its row.
    (_, _, points_of_fi) = [line for line in figure.axes[2].lines if line.get_marker() in "osD"]
    place = order.index("class 5") - 51
    assert points_of_fi.get_xdata()[place] == pytest.approx(values["f_i"][:, 51 + place].mean())
    assert round(points_of_fi.get_ydata()[place]) == place
    assert [title for title, _ in panels(classes, {})] == [""] * 3


def test_per_class_needs_full(make, expect, call, tmp_path):
    paths = make(lambda v, s, _: v != "full")
    with pytest.raises(UserError, match="full"):
        call("per-class", "--metrics", *paths, "--expect", json.dumps(expect), "--output", tmp_path / "x.png")


def write_history(path: Path, table: pd.DataFrame, expect: dict[str, Any]) -> Path:
    """A history, and beside it the encoders that say how it was made."""
    path.parent.mkdir(parents=True)
    table.to_csv(path, index=False)
    made = {
        "params": {"sigma_p": expect["variants"][path.parts[-4]]["params"]["sigma_p"]},
        "code": expect["code"]["pretrain"], "history_sha256": sha256(path),
    }  # fmt: skip
    shards.write(path.with_name("networks.safetensors"), {"w": np.zeros(1)}, made)
    return path


def test_curves(call, expect, tmp_path):
    paths = []
    for variant in ("full", "no_pose"):
        for seed in (0, 1):
            path = tmp_path / place(variant) / f"seed{seed}" / "history.csv"
            table = pd.DataFrame(
                {"step": [10, 20, 30], "loss": [3.0, 2.0, 1.0 + seed], "lr": 0.1, "novel": [1, 2, 3], "run": "7"}
            )
            paths.append(write_history(path, table if variant == "full" else table.drop(columns="novel"), expect))
    untrained = tmp_path / place("random_init") / "seed0" / "history.csv"
    write_history(untrained, pd.DataFrame({"step": [0], "run": "7"}), expect)
    outputs = [tmp_path / f"curves{suffix}" for suffix in HEADS]
    flags = "--expect", json.dumps(expect), "--output", *outputs
    call("training-curves", "--history", *paths, untrained, *flags)
    assert_drawn(*outputs)
    with pytest.raises(UserError, match="not trained"):
        call("training-curves", "--history", untrained, *flags)
    untrained.write_text("")
    with pytest.raises(UserError, match=r"random_init/.*/seed0.*history_sha256 = .*expected .*--forcerun pretrain"):
        call("training-curves", "--history", untrained, *flags)
    other = expect | {"code": expect["code"] | {"pretrain": "new"}}
    with pytest.raises(UserError, match="code = 'ppp.*expected 'new'.*--forcerun pretrain"):
        call("training-curves", "--history", *paths, "--expect", json.dumps(other), "--output", *outputs)


def test_sigma(make, call, expect, tmp_path):
    """Two variants of the table stand for two pairs of weights."""
    names = {"no_context": (0.5, 3.0), "full": (1.0, 3.0)}
    about = {name: expect["variants"][name] for name in names}
    for name, (sigma_p, sigma_c) in names.items():
        about[name]["params"] |= {"sigma_p": sigma_p, "sigma_c": sigma_c}

    def edit(variant: str, seed: int, cell: dict[str, Any]) -> bool:
        cell["params"] |= about[variant]["params"] if variant in names else {}
        return variant in names and seed < 2

    paths = make(edit)
    wanted = json.dumps(expect | {"variants": about, "order": list(names), "seeds": [0, 1]})
    output, drawn = tmp_path / "table_sigma.md", [tmp_path / f"sigma{suffix}" for suffix in HEADS]
    call("sigma", "--metrics", *paths, "--expect", wanted, "--output", output, "--figure", *drawn)
    text = output.read_text()
    found = [line.split("|")[1:4] for line in text.splitlines() if re.match(r"\| (0.5|1) \| 3 \|", line)]
    assert [row[:2] for row in found] == [[" 0.5 ", " 3 "], [" 1 ", " 3 "]] * 4
    cells = [json.loads(path.read_text()) for path in paths if path.parts[-4] == "no_context"]
    mean = 100 * np.mean([cell["scores"]["linear_few"]["all"] for cell in cells])
    assert found[0][2].startswith(f" {mean:.1f} ± ")
    assert "minus variant full (σ_p = 1, σ_c = 3)" in text
    assert_drawn(*drawn)
    with pytest.raises(UserError, match="sigma_p = 0.5, expected 0.25"):
        call("sigma", "--metrics", *paths, "--expect", wanted.replace("0.5", "0.25"), "--output", output,
             "--figure", *drawn)  # fmt: skip


def test_summary(make, call, expect, tmp_path):
    losses = {"full": 2.0, "no_pose": 1.0}
    histories = [
        write_history(
            tmp_path / place(name) / f"seed{seed}" / "history.csv",
            pd.DataFrame({"step": [10, 20], "loss": [9.0, loss + seed], "lr": 0.1, "run": "7"}),
            expect,
        )
        for name, loss in losses.items()
        for seed in (0, 1)
    ]
    output, plots = tmp_path / "metrics.json", tmp_path / "plots"
    paths = make(lambda v, s, cell: cell["scores"].pop("finetune") and None if v == "full" else None)

    def run(main: str) -> dict[str, Any]:
        call(
            "summary", "--metrics", *paths, "--history", *histories, "--expect", json.dumps(expect | {"main": main}),
            "--output", output, "--plots", plots,
        )  # fmt: skip
        return json.loads(output.read_text())

    found = run("full")
    assert found["main"] == found["variants"]["full"] and list(found["variants"]) == list(expect["variants"])
    assert found["variants"]["full"]["loss"] == {"loss": 2.5} and "loss" not in found["variants"]["random_init"]
    # What was not measured is left out.
    shown = {"linear_few", "linear_all", "linear_1pct", "linear_10pct", "linear_few_no_pose", "linear_all_no_pose"}
    assert set(found["main"]["top1"]) == shown and "pose_estimator" not in found
    assert found["main"]["pose"] == pytest.approx(POSES | {"mpjpe": 0.3}) and "pose" not in found["variants"]["no_pose"]
    cells = [json.loads(path.read_text()) for path in paths if path.parts[-4] == "full"]
    expected = np.mean([cell["scores"]["linear_few"]["all"] for cell in cells])
    assert found["main"]["top1"]["linear_few"]["overall"] == pytest.approx(expected, abs=1e-6)
    expected = np.mean([cell["scores"]["retrieval"]["all"] for cell in cells])
    assert found["main"]["R@1"]["overall"] == pytest.approx(expected, abs=1e-6)
    ranks = np.array([cell["ranks"]["retrieval"]["all"] for cell in cells])
    assert found["main"]["R@10"]["overall"] == pytest.approx((ranks <= 10).mean(), abs=1e-6)
    assert set(found["main"]["top1"]["linear_few"]) == {"overall", "motion", "context", "both"}
    assert pd.read_csv(plots / "training_curves.csv").to_dict("list") == {"step": [10, 20], "loss": [9.0, 2.5]}
    assert pd.read_csv(plots / "per_class.csv")["class"].tolist() == cells[0]["classes"]
    assert run("no_pose")["main"]["loss"] == {"loss": 1.5}
    # An untrained main variant has no curve.
    assert "loss" not in run("random_init")["main"]
