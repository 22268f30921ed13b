"""Cells of tables, shared by Snakemake, DVC and experiments: made once, and again if what is behind them changes."""

from __future__ import annotations

from tests.workflow.experiments import Repository, computed, folder, header, here


def test_computed_once_whichever_command_asks(baseline: Repository) -> None:
    """Back and forth, as points of a sweep, as a variant that sets only a weight, by Snakemake and by DVC."""
    half = "sigma_p=0.5"
    baseline.dvc("exp", "run", "-S", half)
    before = computed(baseline)
    baseline.dvc("exp", "run", "-S", "sigma_p=1.0")
    here(baseline, 1.0)
    baseline.dvc("exp", "run", "-S", half)
    here(baseline, 0.5)
    baseline.snakemake("--config", "sigma_p=1.0")
    # Points of a sweep that were experiments …
    sweep = "sweep.sigma_p=[0.5,1.0]", "sweep.sigma_c=[3.0]"
    baseline.dvc("exp", "run", *(word for value in ("sigma_p=1.0", *sweep) for word in ("-S", value)))
    assert "| 0.5 | 3 |" in (baseline.path / "reports/table_sigma.md").read_text()
    here(baseline, 1.0)
    assert computed(baseline) == before
    baseline.dvc("plots", "show", "-o", "plots")
    assert "sigma_sweep.png" in (baseline.path / "plots/index.html").read_text()
    # … an experiment that was such a point, and a variant that is one.
    baseline.dvc("exp", "run", "-S", "sweep.sigma_p=[0.25]", "-S", "sweep.sigma_c=[3.0]")
    again = computed(baseline)
    assert again == before | {step: before[step] + 1 for step in ("pretrain", "evaluate")}
    baseline.dvc("exp", "run", "-S", "sigma_p=0.25")
    here(baseline, 0.25)
    (baseline.path / "params/ablation/quarter.yaml").write_text(
        "name: quarter\ntitle: quarter\ndescription: A quarter of the weight.\nset:\n  sigma_p: 0.25\n"
    )
    baseline.git("add", "params")
    baseline.dvc("exp", "run", "-S", "ablation=quarter")
    here(baseline, 1.0)
    assert computed(baseline) == again
    metrics = baseline.json("reports/metrics.json")
    assert metrics["main"] == metrics["variants"]["quarter"] != metrics["variants"]["full"]


def test_cell_put_aside_follows_what_it_is_made_of(baseline: Repository) -> None:
    """Poses are extracted anew while another σ_p is looked at; then DVC gives all files any age."""
    baseline.dvc("exp", "run", "-S", "sigma_p=0.5", "-S", "pose_extraction.stride=2")
    here(baseline, 0.5)
    for path in (baseline.path / folder(1.0)).iterdir():
        path.touch()
    old = header(baseline)["run_id"]
    baseline.snakemake("--config", "sigma_p=1.0")
    assert header(baseline)["run_id"] != old
