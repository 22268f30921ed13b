"""What the rules share: parameters of a variant, hashes of the commands' sources, shares of the machine.

A rule has the hash of its command's sources among its `params`, so that a changed step runs again and no other. Not as
input files: Snakemake looks into those only if they are newer than the output, and a checkout gives any age to both.
"""

import base64
import copy
import json
import math
import os
import re
import sys
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator
from snakemake.exceptions import WorkflowError

# Its sources, and nothing that takes long to import.
sys.path.insert(0, str(workflow.basedir))
from csvr.tracking.sources import code_hash


def check_parameters():
    """Compare the parameters with their schema.

    Snakemake's own `validate` prints all parameters after the error, which is then out of sight.
    """
    schema = yaml.safe_load(Path(workflow.basedir, "workflow/schemas/params.schema.yaml").read_text())
    errors = sorted(Draft202012Validator(schema).iter_errors(config), key=lambda error: list(map(str, error.path)))
    if errors:
        lines = [f"{'.'.join(map(str, error.absolute_path)) or 'top level'}: {error.message[:300]}" for error in errors]
        raise WorkflowError("params.yaml (params/, or --config) is not as workflow/schemas says:\n" + "\n".join(lines))


check_parameters()

DATASET = config["dataset"]
GENERATED = "generate" in DATASET

# The variant that the experiment is about is computed whether or not it is a row of the table.
MAIN = config["ablation"]["name"]
ABLATIONS = {MAIN: config["ablation"]} | config["ablations"]
VARIANTS = config["variants"] + [MAIN] * (MAIN not in config["variants"])

PRETRAIN_KEYS = ("clip", "augment", "model", "pretrain", "sigma_v", "sigma_p", "sigma_c", "pose_input")
EVALUATE_KEYS = (*PRETRAIN_KEYS, "evaluate")

TABLE = "reports/table_ablation.md"
REPORTS = [TABLE, "reports/metrics.json", "reports/figures/per_class.png", "reports/figures/training_curves.png"]
REPORTS += [f"reports/figures/dataset_{DATASET['name']}.png"]
if GENERATED:
    # Only generated videos come with true keypoints to score poses against.
    REPORTS += ["reports/table_pose_quality.md"]


# What all reports compare results with: the guard against stale ones.
EXPECTED = f"results/{DATASET['name']}/expected.json"
INDEX = f"features/{DATASET['name']}/index.csv"


wildcard_constraints:
    dataset=re.escape(DATASET["name"]),
    shard=r"\d+",
    variant="|".join(map(re.escape, VARIANTS)),
    seed=r"\d+",


# The usual strict mode, and: no BLAS threads beside those that a command asks for, none of Sacred's warnings of a
# deprecated import.
shell.prefix(
    "set -euo pipefail; export OMP_NUM_THREADS=1 PYTHONWARNINGS='ignore:pkg_resources is deprecated:UserWarning'; "
)


def physical_cores():
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def physical_memory_mb():
    """Memory of the machine, or of the container if that has less."""
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    limit = Path(os.sep, "sys", "fs", "cgroup", "memory.max")
    if limit.exists() and limit.read_text().strip().isdigit():
        found.append(int(limit.read_text()))
    return min(found) // 2**20


def share(mem_mb):
    """Threads that a job of one busy core reserves of `--cores`.

    `--cores 8` is the documented command, also on a machine of two cores. Snakemake would start eight jobs there,
    which would take turns on two cores and fill the memory. A job therefore reserves its share of `--cores`: as
    much as lets only as many jobs start as there are cores, and as fit into memory. The command itself is told
    `--threads 1`, so that results do not depend on this number.
    """
    cores = workflow.cores or 1
    parts = max(1, min(physical_cores(), physical_memory_mb() * 9 // 10 // mem_mb))
    return max(1, math.ceil(cores / parts))


def whole():
    """Threads of a job that keeps all cores busy: all of `--cores`, so that it runs alone."""
    return workflow.cores or 1


# Processes of such a job. A resource and no parameter: another machine is no reason to run it again.
WORKERS = min(workflow.cores or 1, physical_cores())


def effective(variant, keys):
    """Parameters `keys` of a variant: the common ones, changed as its ablation file says."""
    params = {key: copy.deepcopy(config[key]) for key in EVALUATE_KEYS}
    if variant not in ABLATIONS:
        raise WorkflowError(f"variants: no ablation {variant!r}; known: {', '.join(ABLATIONS)}")
    for name, value in ABLATIONS[variant]["set"].items():
        *parents, last = name.split(".")
        place = params
        for parent in parents:
            place = place.get(parent) if isinstance(place, dict) else None
        if not isinstance(place, dict) or last not in place:
            raise WorkflowError(f"params/ablation/{variant}.yaml: there is no parameter {name!r} to set")
        place[last] = copy.deepcopy(value)
    return {key: params[key] for key in keys}


def text(value):
    """Parameters as a flag's value, and as what Snakemake compares: JSON with sorted keys."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def pretrain_params(wildcards):
    return text(effective(wildcards.variant, PRETRAIN_KEYS))


def evaluate_params(wildcards):
    return text(effective(wildcards.variant, EVALUATE_KEYS))


def report_params(wildcards):
    """What the reports expect to find in the metrics, and how they name it."""
    variants = {
        name: {key: ABLATIONS[name][key] for key in ("title", "description")}
        | {"params": effective(name, EVALUATE_KEYS)}
        for name in VARIANTS
    }
    return text(
        {
            # A list, since sorted keys lose the order of the rows.
            "order": VARIANTS,
            "variants": variants,
            "seeds": config["seeds"],
            "groups": DATASET["groups"],
            "dataset": DATASET["name"],
            "command": f"snakemake --cores 8 {TABLE}",
            "main": MAIN,
            "code": {name: code_hash(name) for name in ("pretrain", "evaluate", "pose_quality")},
            "features": {
                kind: {"code": code_hash(kind), "params": params}
                for kind, params in {
                    "clips": {"short_side": config["features"]["short_side"]},
                    "iframes": {"short_side": config["features"]["short_side"]},
                    "poses": config["pose_extraction"],
                }.items()
            },
        }
    )


def shards(kind):
    """All shard files of one kind of feature, with the data set as a wildcard."""
    return [f"features/{{dataset}}/{kind}/{number}.safetensors" for number in range(config["features"]["shards"])]


def cells(file, variants=None):
    """`file` of every variant and seed."""
    names = VARIANTS if variants is None else variants
    return [f"results/{DATASET['name']}/{name}/seed{seed}/{file}" for name in names for seed in config["seeds"]]


def check_records():
    """Refuse results without a record of how they were made: Snakemake would keep them whatever the parameters say.

    So it is where only some of DVC's outputs were fetched. A file whose job was killed has no record either, but a mark
    by which Snakemake makes it again.
    """
    kinds = [
        path.replace("{dataset}", DATASET["name"]) for kind in ("clips", "iframes", "poses") for path in shards(kind)
    ]
    made = REPORTS + cells("metrics.json") + cells("encoders.safetensors") + kinds
    unknown = [
        path
        for path in made
        if Path(path).exists() and not (recorded("metadata", path) or recorded("incomplete", path))
    ]
    if unknown:
        raise WorkflowError(
            f"{unknown[0]} (and {len(unknown) - 1} more): no record in .snakemake/metadata says how it was made; "
            "fetch the records by `dvc checkout` or `dvc pull`, or delete the folders features, results and reports"
        )


def recorded(kind, path):
    """Whether Snakemake has a record of this kind about a file."""
    name = base64.urlsafe_b64encode(path.encode()).decode()
    # As Snakemake splits what is too long for a file name.
    parts = [name[start : start + 254] for start in range(0, len(name), 254)]
    return Path(".snakemake", kind, *(f"@{part}" for part in parts[:-1]), parts[-1]).exists()
