"""What the rules share: parameters of a variant, sources of a command, shares of the machine."""

import ast
import copy
import functools
import json
import math
import os
import re
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator
from snakemake.exceptions import WorkflowError


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

PRETRAIN_KEYS = ("clip", "augment", "model", "pretrain", "sigma_v", "sigma_p", "sigma_c", "pose_input")
EVALUATE_KEYS = (*PRETRAIN_KEYS, "evaluate")

TABLE = "reports/table_ablation.md"
REPORTS = [TABLE, "reports/figures/per_class.png", "reports/figures/training_curves.png"]
REPORTS += [f"reports/figures/dataset_{DATASET['name']}.png"]
if GENERATED:
    # Only generated videos come with true keypoints to score poses against.
    REPORTS += ["reports/table_pose_quality.md"]


wildcard_constraints:
    dataset=re.escape(DATASET["name"]),
    shard=r"\d+",
    variant="|".join(map(re.escape, config["variants"])),
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
    if variant not in config["ablations"]:
        raise WorkflowError(f"variants: no ablation {variant!r}; known: {', '.join(config['ablations'])}")
    for name, value in config["ablations"][variant]["set"].items():
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
        name: {key: config["ablations"][name][key] for key in ("title", "description")}
        | {"params": effective(name, EVALUATE_KEYS)}
        for name in config["variants"]
    }
    return text(
        {
            # A list, since sorted keys lose the order of the rows.
            "order": config["variants"],
            "variants": variants,
            "seeds": config["seeds"],
            "groups": DATASET["groups"],
            "dataset": DATASET["name"],
            "command": f"snakemake --cores 8 {TABLE}",
        }
    )


@functools.cache
def imported(path):
    """Files of csvr that the Python file `path` imports, itself and packages' `__init__` included."""
    found = {path}
    for node in ast.walk(ast.parse(Path(path).read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            # `from csvr.data import shards` may name a module or something inside one.
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            found |= module_files(name)
    return frozenset(found)


def module_files(name):
    """The files that importing module `name` runs; none if it is not of csvr."""
    parts = name.split(".")
    if parts[0] != "csvr":
        return set()
    found = set()
    for depth in range(1, len(parts) + 1):
        stem = "/".join(parts[:depth])
        found |= {path for path in (f"{stem}/__init__.py", f"{stem}.py") if Path(path).exists()}
    return found


@functools.cache
def code(name):
    """Sources of `python -m csvr.<name>`: they are inputs, so that a changed step runs again, and no other.

    All that its module imports, directly or not, wherever the import stands. Snakemake compares files this small by
    checksum: saving one unchanged, or cloning the repository, runs nothing again.
    """
    main = f"csvr/{name}/__main__.py"
    todo = module_files(f"csvr.{name}") | ({main} if Path(main).exists() else set())
    done = set()
    while todo:
        path = todo.pop()
        done.add(path)
        todo |= imported(path) - done
    if name == "report":
        done |= {str(path) for path in Path("csvr/reporting/templates").glob("*.j2")}
    return sorted(done)


def shards(kind):
    """All shard files of one kind of feature, with the data set as a wildcard."""
    return [f"features/{{dataset}}/{kind}/{number}.safetensors" for number in range(config["features"]["shards"])]


def cells(file, variants=None):
    """`file` of every variant and seed."""
    names = config["variants"] if variants is None else variants
    return [f"results/{DATASET['name']}/{name}/seed{seed}/{file}" for name in names for seed in config["seeds"]]
