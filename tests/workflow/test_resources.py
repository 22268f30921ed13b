"""What jobs ask of a machine or a cluster: every rule says it, and profiles name rules that there are."""

import re
from pathlib import Path

import yaml

from tests.workflow.repository import ROOT, command

RULES = {
    name: text
    for file in sorted((ROOT / "workflow/rules").glob("*.smk"))
    for name, text in re.findall(r"(?ms)^ *rule (\w+):\n(.*?)(?=^ *rule |\Z)", file.read_text())
}
ON_GPUS = {"pretrain", "evaluate", "extract_poses"}


def profile(name: str) -> dict:
    return yaml.safe_load((ROOT / f"profiles/{name}/profile.yaml").read_text())


def test_every_rule_states_threads_memory_and_time() -> None:
    assert len(RULES) > 25
    for name, text in RULES.items():
        for needed in ("threads:", "mem_mb=", "runtime="):
            assert needed in text, f"rule {name}: no {needed}"
        assert ("gpu=" in text) == (name in ON_GPUS), name


def test_profiles_name_rules_that_there_are() -> None:
    for name in ("slurm", "kubernetes"):
        found = profile(name)
        named = {*found["set-resources"], *found["set-threads"]}
        named |= {line.split("=")[0] for line in found.get("groups", [])}
        assert named <= RULES.keys() and set(found["set-resources"]) == ON_GPUS
    # What all profiles say alike.
    common = profile("default")
    for name in ("slurm", "kubernetes"):
        assert profile(name)["default-resources"].items() >= common["default-resources"].items()
        assert all(profile(name)[key] == common[key] for key in ("rerun-incomplete", "show-failed-logs"))


def test_a_cluster_is_planned_without_one(tiny: Path) -> None:
    """Several nodes, too; nothing is submitted."""
    flags = ("--workflow-profile", "slurm", "--configfile", "tiny.yaml", "-n", "-p", "reports/table_ablation.md")
    several = ("pretrain:gpu=8", "pretrain:nodes=2", "pretrain:tasks=2", "pretrain:mpi=srun")
    plan = command("snakemake", *flags, "--set-resources", *several, cwd=tiny)
    assert plan.returncode == 0, plan.stdout
    assert "python -m csvr.launch --gpus 8 --nodes 2 pretrain" in plan.stdout
    alone = command("snakemake", *flags, cwd=tiny)
    assert "python -m csvr.launch --gpus 1 --nodes 1 pretrain" in alone.stdout


def test_no_command_is_too_long_for_the_system() -> None:
    """Of all reports at full size: Linux allows no argument of more than 128 kB."""
    plan = command("snakemake", "-n", "-p", "--forceall", cwd=ROOT)
    assert plan.returncode == 0, plan.stdout[-2000:]
    longest = max(plan.stdout.splitlines(), key=len)
    assert "python -m csvr." in plan.stdout and len(longest.encode()) < 2**17, longest[:300]
