"""The workflow plans what it should; nothing is run."""

from __future__ import annotations

from pathlib import Path

from tests.workflow.repository import Run, planned

EVALUATED = ("features", "linear_probe", "retrieval", "action_recognition", "cost")


def test_dry_run_plans_everything(tiny: Path, snakemake: Run) -> None:
    done = snakemake(tiny, "-n")
    assert done.returncode == 0, done.stdout
    jobs = planned(done.stdout)
    assert jobs["extract_poses"] == jobs["extract_clips"] == jobs["extract_iframes"] == 2
    # Two seeds of four variants, two of which share networks; the one pair of loss weights that is not that of full;
    # another integration layer.
    assert jobs["pretrain"] == 6 + 1 + 1 and jobs["evaluate"] == 8 + 1 + 1
    assert "train_pose_estimator" not in jobs
    assert {"table_ablation", "figure_per_class", "table_pose_quality", "figure_dataset", "table_models"} <= set(jobs)
    assert {f"table_{name}" for name in EVALUATED} <= set(jobs) and "table_ssv2" not in jobs


def test_table_alone_is_the_documented_target(tiny: Path, snakemake: Run) -> None:
    done = snakemake(tiny, "reports/table_ablation.md", "-n", cores=8)
    assert done.returncode == 0, done.stdout
    jobs = planned(done.stdout)
    assert jobs["table_ablation"] == 1
    assert "score_poses" not in jobs
    assert jobs["pretrain"] == 6 and jobs["evaluate"] == 8
    assert "Using workflow specific profile profiles/default" in done.stdout


def test_generated_clips_are_measured_apart_from_the_ablation_table(tiny: Path, snakemake: Run) -> None:
    done = snakemake(tiny, "reports/table_generation_quality.md", "-n", cores=8)
    assert done.returncode == 0, done.stdout
    jobs = planned(done.stdout)
    # Not of random_init, whose generators are untrained; one judge for all.
    assert jobs["generation_quality"] == jobs["pretrain"] == 4
    assert jobs["clip_judge"] == jobs["write_expectation"] == 1 and "evaluate" not in jobs
    jobs = planned(snakemake(tiny, "reports/table_ablation.md", "-n", cores=8).stdout)
    assert not {"clip_judge", "generation_quality", "table_generation_quality"} & set(jobs)


def test_integration_table_shares_the_cells_of_full(tiny: Path, snakemake: Run, tmp_path: Path) -> None:
    done = snakemake(tiny, "reports/table_integration.md", "-n", cores=8)
    assert done.returncode == 0, done.stdout
    jobs = planned(done.stdout)
    assert jobs["table_integration"] == jobs["write_expectation"] == 1
    assert jobs["pretrain"] == jobs["evaluate"] == 2
    assert "results/mannequin/integration_concat/sigma_v=1__sigma_p=1__sigma_c=3/seed0" in done.stdout
    none = tmp_path / "none.yaml"
    none.write_text("integration: {variants: []}\n")
    done = snakemake(tiny, "-n", cores=8, also=(none,))
    assert done.returncode == 0, done.stdout
    assert "table_integration" not in planned(done.stdout)


def test_the_table_of_ssv2_is_one_of_that_data_set(tiny: Path, snakemake: Run, tmp_path: Path) -> None:
    other = tmp_path / "ssv2.yaml"
    other.write_text("dataset: {name: ssv2, layout: ssv2}\n")
    done = snakemake(tiny, "-n", "-p", cores=8, also=(other,))
    assert done.returncode == 0, done.stdout
    assert planned(done.stdout)["table_ssv2"] == 1
    assert "--published params/published/ssv2.csv --output reports/table_ssv2.md" in done.stdout


def test_published_weights_are_no_input_file(tiny: Path, snakemake: Run, tmp_path: Path) -> None:
    other = tmp_path / "weights.yaml"
    other.write_text("pose_extraction: {checkpoint: shufflenetv2k16, sha256: null}\n")
    done = snakemake(tiny, "-n", "--quiet", also=(other,))
    assert done.returncode == 0, done.stdout
