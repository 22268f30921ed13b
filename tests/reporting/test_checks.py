"""Quality control: each kind of finding, planted one at a time."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from csvr.data import shards
from csvr.data.index import COLUMNS
from csvr.errors import UserError
from csvr.reporting.checks import examine, write
from csvr.reporting.findings import Finding, listed
from csvr.reporting.generation_checks import Measured
from csvr.reporting.results import Expectation
from tests.reporting import test_generation
from tests.reporting.conftest import params, place

OUTLIER = 0.1


def index_file(folder: Path, problems: list[str]) -> Path:
    path = folder / "index.csv"
    rows = [dict.fromkeys(COLUMNS, k) | {"video": f"v_{k}", "problem": p} for k, p in enumerate(problems)]
    pd.DataFrame(rows).assign(run="7").to_csv(path, index=False)
    return path


def found(paths: list[Path], expect: dict[str, Any], **more: Any) -> list[Finding]:
    return examine([Expectation.of(expect)], paths, more.pop("indexes", []), more.pop("outlier", OUTLIER), **more)


def test_right_results_have_no_findings(make, expect) -> None:
    assert found(make(), expect, commit="0123abcd") == []


def test_a_missing_cell_is_an_error(make, expect) -> None:
    paths = make()
    gone = next(path for path in paths if path.parts[-4] == "no_pose" and path.parent.name == "seed2")
    gone.unlink()
    for given in (paths, [path for path in paths if path != gone]):
        (finding,) = found(given, expect)
        assert (finding.severity, finding.what, finding.where) == ("error", "missing cell", "no_pose seed 2")
    assert len(found([], expect)) == 7 * 3


def test_a_result_that_tables_would_refuse_is_an_error_and_not_missing(make, expect) -> None:
    def edit(variant, seed, cell):
        if (variant, seed) == ("full", 1):
            cell["code"]["evaluate"] = "other"
        if (variant, seed) == ("no_context", 0):
            cell["labels"][0] = 5

    findings = found(make(edit), expect)
    assert [(f.severity, f.what, f.where) for f in findings] == [
        ("error", "refused result", "full seed 1"), ("error", "refused result", "no_context seed 0"),
    ]  # fmt: skip
    assert "code.evaluate" in findings[0].detail and "labels has 5" in findings[1].detail


def test_an_unreadable_and_an_unexpected_file(make, expect, tmp_path) -> None:
    paths = make()
    paths[0].write_text("{")
    stray = tmp_path / "results" / "mannequin" / "fool" / "w" / "seed0" / "metrics.json"
    findings = found([*paths, stray], expect)
    assert [(f.what, f.where) for f in findings] == [
        ("unexpected file", str(stray)), ("refused result", "full seed 0")
    ]  # fmt: skip


def test_numbers_that_are_none_fail_a_seed(make, expect) -> None:
    def edit(variant, seed, cell):
        if (variant, seed) == ("full", 0):
            cell["pretext"]["pose"]["oks"] = float("nan")
        if (variant, seed) == ("no_pose", 1):
            cell["scores"]["linear_all"]["f_s"][3] = float("inf")

    findings = found(make(edit), expect)
    assert [(f.what, f.where) for f in findings] == [("failed seed", "full seed 0"), ("failed seed", "no_pose seed 1")]
    assert "pretext.pose.oks" in findings[0].detail and "scores.linear_all.f_s" in findings[1].detail


def test_a_protocol_that_was_asked_for_is_missing(make, expect) -> None:
    def edit(variant, seed, cell):
        if (variant, seed) == ("full", 0):
            del cell["scores"]["finetune"]

    (finding,) = found(make(edit), expect)
    assert finding.what == "missing protocol" and "finetune" in finding.detail


@pytest.mark.parametrize("limit", [0.1, 0.7])
def test_an_outlier_is_off_by_more_than_the_parameter(make, expect, limit: float) -> None:
    """Full's other seeds are at about 0.83; this one is at 0.25."""

    def edit(variant, seed, cell):
        if (variant, seed) == ("full", 2):
            cell["scores"]["finetune"]["all"] = [float(k % 4 == 0) for k in range(len(cell["videos"]))]

    findings = found(make(edit), expect, outlier=limit)
    if limit == 0.7:
        assert findings == []
        return
    # Its fellows are compared with a mean that it is in, and are off as well.
    assert {(f.severity, f.what) for f in findings} == {("warning", "outlier")}
    (finding,) = [f for f in findings if f.where == "full seed 2"]
    assert "finetune" in finding.detail and "top-1 25.0 %" in finding.detail


def test_two_seeds_tell_no_outlier(make, expect) -> None:
    paths = [path for path in make() if path.parent.name != "seed2"]
    findings = found(paths, expect | {"seeds": [0, 1]}, outlier=0.0)
    assert [(f.severity, f.what) for f in findings] == [("note", "few seeds")]


@pytest.mark.parametrize("commit", ["fffffff", None])
def test_commits(make, expect, commit: str | None) -> None:
    """Of several commits all are named but that of the reports, if it is known."""

    def edit(variant, seed, cell):
        cell["git"]["dirty"] = (variant, seed) == ("no_context", 1)
        if (variant, seed) == ("full", 2):
            cell["git"]["commit"] = "fffffff"

    findings = found(make(edit), expect, commit=commit)
    assert {f.severity for f in findings} == {"warning"}
    assert [f.what for f in findings] == ["dirty checkout"] + ["another commit"] * (1 if commit else 2)
    assert findings[0].where == "no_context seed 1"
    assert "20 of 21 cells were made at commit 0123abcd" in findings[1].detail
    assert not commit or "full seed 2" not in findings[1].where


def test_results_of_an_older_commit_are_a_note(make, expect) -> None:
    (finding,) = found(make(), expect, commit="fffffff")
    assert (finding.severity, finding.what) == ("note", "another commit")
    assert "21 of 21 cells" in finding.detail and "0123abcd" in finding.detail


def test_left_out_videos(tmp_path, expect) -> None:
    index = index_file(tmp_path, ["", "missing", "", *["unreadable (x)"] * 6])
    (finding,) = examine([], [], [index], OUTLIER)
    assert finding.severity == "warning" and finding.where == str(index)
    assert finding.detail == (
        "7: v_1, v_3, v_4, v_5, v_6 and 2 more; because: unreadable (x) (6); missing (1)"
    )  # fmt: skip
    assert examine([], [], [index_file(tmp_path, ["", ""])], OUTLIER) == []


def test_trainings_that_went_wrong(make, expect) -> None:
    def edit(variant, seed, cell):
        cell["warnings"] = ["exploding loss at step 30: 9 is …"] if (variant, seed) == ("full", 1) else []

    (finding,) = found(make(edit), expect, commit="0123abcd")
    assert finding == Finding("warning", "odd training", "full seed 1", "exploding loss at step 30: 9 is …")


def test_videos_in_which_nobody_was_found(make, expect, call, tmp_path) -> None:
    rates = {f"v{k}": 0.0 if k < 3 else 0.5 for k in range(20)}
    paths = [tmp_path / "set" / f"{k}.safetensors" for k in range(2)]
    for k, path in enumerate(paths):
        shards.write(path, {}, {"detection_rate": {v: r for v, r in rates.items() if int(v[1:]) % 2 == k}})
    for most, expected in ((0.15, []), (0.14, [("warning", "nobody found", str(tmp_path / "set"))])):
        findings = examine([], [], [], OUTLIER, poses=paths, nobody=most)
        assert [(f.severity, f.what, f.where) for f in findings] == expected
    assert findings[0].detail.startswith("in 3 of 20 videos, so that their poses teach nothing: v0, v2, v1; look")
    (tmp_path / "e.json").write_text(json.dumps(expect))
    call(
        "check", "--metrics", *make(), "--expect", tmp_path / "e.json", "--index", index_file(tmp_path, [""]),
        "--outlier", OUTLIER, "--poses", *paths, "--nobody", 0.1, "--output", tmp_path / "c.md",
    )  # fmt: skip
    assert "nobody found" in (tmp_path / "c.csv").read_text()


def test_shared_cells_are_named_once(make, expect) -> None:
    paths = make()
    paths[0].unlink()
    expected = Expectation.of(expect)
    assert examine([expected, expected], paths, [], OUTLIER) == examine([expected], paths, [], OUTLIER)


def test_errors_stand_first_in_every_format(make, expect, tmp_path) -> None:
    findings = [Finding("error", "missing cell", "a | b seed 0", "<b>"), Finding("note", "few seeds", "full", "x")]
    output = tmp_path / "checks.md"
    write(findings, output, "mannequin", OUTLIER, 7)
    text = output.read_text()
    assert "**1 error, 0 warnings, 1 note** in 7 files of results" in text and "a \\| b" in text and "10 points" in text
    assert "<b>" not in output.with_suffix(".html").read_text()
    assert pd.read_csv(output.with_suffix(".csv")).severity.tolist() == ["error", "note"]
    write([], output, "mannequin", OUTLIER, 7)
    assert "Nothing is missing" in output.read_text()
    assert output.with_suffix(".csv").read_text() == "severity,what,where,detail\n"


@pytest.fixture
def measured(tmp_path, expect):
    """Measurements of generated clips of two variants, three seeds each; `change` may edit a cell or leave it out."""

    def run(change: Callable[..., Any] = lambda *_: None) -> Measured:
        paths, about = [], {}
        for name in ("full", "no_pose"):
            place = {"title": name, "description": "", "cell": f"{name}/w", "networks": f"{name}/w"}
            about[name] = place | {"params": test_generation.params(name)}
            for seed in (0, 1, 2):
                made = test_generation.cell(name, seed)
                for part in made["measures"]["generated"].values():
                    part |= {"psnr": 15.0 + 0.1 * seed, "ssim": 0.3, "frechet": 5.0 + seed}
                path = tmp_path / "results" / "mannequin" / name / "w" / f"seed{seed}" / "generation.json"
                paths.append(path)
                path.unlink(missing_ok=True)
                if change(name, seed, made) is not False:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(json.dumps(made))
        wanted = expect | {"variants": about, "order": list(about), "code": test_generation.CODE}
        return Measured(Expectation.of(wanted), paths, {"psnr": 0.05, "frechet": 0.5, "fvd": 0.5})

    return run


def test_measurements_of_generated_clips_are_looked_at_too(make, expect, measured) -> None:
    metrics = make()
    assert found(metrics, expect, measured=measured(), commit="0123abcd") == []

    def edit(variant, seed, cell):
        future = cell["measures"]["generated"]["future"]
        if (variant, seed) == ("full", 0):
            return False
        if (variant, seed) == ("full", 1):
            cell["measures"]["repeated"]["clip"]["ssim"] = float("nan")
        if (variant, seed) == ("no_pose", 0):
            cell["git"]["commit"] = "fffffff"
        if (variant, seed) == ("no_pose", 2):
            future |= {"frechet": 8.5, "psnr": 16.0}  # of the others 5.5 and 15.05
        return None

    findings = found(metrics, expect, measured=measured(edit), commit="0123abcd")
    assert [(f.severity, f.what, f.where) for f in findings] == [
        ("error", "missing cell", "full seed 0, generated clips"),
        ("error", "failed seed", "full seed 1, generated clips"),
        ("warning", "outlier", "no_pose seed 2, generated clips"),
        ("warning", "outlier", "no_pose seed 2, generated clips"),
        ("warning", "another commit", "no_pose seed 0, generated clips"),
    ]
    assert "repeated.clip.ssim not finite" in findings[1].detail and "generation_quality/full/w" in findings[0].detail
    assert {f.detail.split(",")[0] for f in findings[2:4]} == {"psnr of the future: 16", "frechet of the future: 8.5"}
    assert "1 of 26 cells" in findings[4].detail


def test_a_measurement_that_the_table_would_refuse(make, expect, measured) -> None:
    def edit(variant, seed, cell):
        if (variant, seed) == ("no_pose", 1):
            cell["code"] = cell["code"] | {"generation_quality": "old"}

    (finding,) = found(make(), expect, measured=measured(edit))
    assert (finding.what, finding.where) == ("refused result", "no_pose seed 1, generated clips")
    assert "code.generation_quality = 'old'" in finding.detail


def run_record(runs: Path, number: int, step: str, status: str, config: dict[str, Any], trace: str = "") -> None:
    folder = runs / str(number)
    folder.mkdir(parents=True)
    about = {"experiment": {"name": step}, "status": status, "start_time": "2020-01-01T00:00:00", "heartbeat": None}
    (folder / "run.json").write_text(json.dumps(about | {"fail_trace": trace.splitlines(keepends=True)}))
    (folder / "config.json").write_text(json.dumps(config))


def test_failed_runs_of_a_cell(make, expect, measured, tmp_path) -> None:
    """Errors where the cell has no result; attempts with other parameters, seeds or variants are of no matter."""
    runs = tmp_path / "runs"
    paths = make(lambda variant, seed, _: (variant, seed) != ("no_pose", 1))
    config = {name: params(name) | {"variant": name, "seed": 1} for name in ("full", "no_pose")}
    trained = {key: value for key, value in config["no_pose"].items() if key != "evaluate"}
    run_record(runs, 9, "pretrain", "RUNNING", trained)
    run_record(runs, 10, "pretrain", "FAILED", trained, "Traceback\n  File\ncsvr.errors.UserError: no memory\n\n")
    run_record(runs, 2, "evaluate", "INTERRUPTED", config["full"])
    run_record(runs, 3, "evaluate", "FAILED", config["full"] | {"sigma_p": 0.25}, "x")
    run_record(runs, 4, "evaluate", "FAILED", config["full"] | {"seed": 7}, "x")
    run_record(runs, 5, "evaluate", "COMPLETED", config["full"])
    run_record(runs, 6, "clips", "FAILED", {"seed": 1}, "x")
    run_record(runs, 7, "generation_quality", "FAILED", test_generation.params("full") | {"variant": "full", "seed": 0})
    (runs / "8").mkdir()
    (runs / "8" / "run.json").write_text("{")
    findings = found(paths, expect, runs=runs, measured=measured(), commit="0123abcd")
    assert [(f.severity, f.what, f.where) for f in findings] == [
        ("error", "missing cell", "no_pose seed 1"),
        ("error", "failed run", "no_pose seed 1"),
        ("note", "failed run", "full seed 1"),
        ("note", "failed run", "full seed 0"),
    ]
    assert findings[1].detail == "pretrain in runs 9, 10: FAILED (csvr.errors.UserError: no memory)"
    assert findings[2].detail == "evaluate in run 2: INTERRUPTED; the result is that of run 101"
    assert findings[3].detail == "generation_quality in run 7: FAILED; the result is that of run 200"
    assert found(paths, expect, runs=tmp_path / "none") == found(paths, expect)


def test_a_failed_pretraining_is_one_of_all_that_share_its_networks(make, expect, tmp_path) -> None:
    expect["variants"]["supervised_scratch"]["networks"] = place("random_init")
    trained = {key: value for key, value in params("random_init").items() if key != "evaluate"}
    run_record(tmp_path / "runs", 9, "pretrain", "FAILED", trained | {"variant": "random_init", "seed": 1}, "x\n")
    findings = found(make(), expect, runs=tmp_path / "runs", commit="0123abcd")
    assert [(f.what, f.where) for f in findings] == [
        ("failed run", "random_init seed 1"), ("failed run", "supervised_scratch seed 1")
    ]  # fmt: skip


def test_the_command_writes_it(make, expect, call, tmp_path) -> None:
    paths, index = make(), index_file(tmp_path, [""])
    paths[0].unlink()
    expect_file = tmp_path / "expected.json"
    expect_file.write_text(json.dumps(expect))
    output = tmp_path / "reports" / "checks.md"
    run_record(tmp_path / "runs", 1, "evaluate", "FAILED", params("full") | {"variant": "full", "seed": 0}, "x\n")
    flags = (
        "check", "--metrics", *paths, "--expect", expect_file, "--index", index, "--outlier", OUTLIER,
        "--runs", tmp_path / "runs", "--output", output,
    )  # fmt: skip
    quality = tmp_path / "results" / "mannequin" / place("full") / "seed0" / "generation.json"
    only = json.dumps(expect | {"variants": {"full": expect["variants"]["full"]}, "order": ["full"], "seeds": [0]})
    with pytest.raises(UserError, match="--quality and --expect-quality"):
        call(*flags, "--quality", quality)
    call(*flags, "--quality", quality, "--expect-quality", only, "--outlier-quality", '{"psnr": 0.05}')
    # What this checkout's commit is, the synthetic cells can't know.
    table = pd.read_csv(output.with_suffix(".csv"))
    assert table.query("what == 'missing cell'")["where"].tolist() == ["full seed 0", "full seed 0, generated clips"]
    assert table.query("what == 'failed run'")["detail"].tolist() == ["evaluate in run 1: FAILED (x)"]
    assert "in 22 files of results" in output.read_text()


def test_long_lists_are_cut() -> None:
    assert listed(list("abcde")) == "a, b, c, d, e"
    assert listed(list("abcdefg")) == "a, b, c, d, e and 2 more"
