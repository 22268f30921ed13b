"""What the rules share: parameters of a variant, hashes of the commands' sources, shares of the machine.

A rule has the hash of its command's sources among its `params`, so that a changed step runs again and no other. Not as
input files: Snakemake looks into those only if they are newer than the output, and a checkout gives any age to both.
"""

import base64
import hashlib
import itertools
import json
import math
import os
import re
import shlex
import sys
import time
import types
import warnings
from pathlib import Path

import jinja2
from snakemake.exceptions import WorkflowError
from snakemake.io import get_flag_value, is_flagged
from snakemake.logging import logger

# Nothing that takes long to import.
sys.path[:0] = [str(workflow.basedir), str(Path(workflow.basedir, "workflow", "scripts"))]
from check_params import PRETRAIN, VARIED, WEIGHTS, applied, message, problems
from csvr.errors import UserError
from csvr.files import sha256
from csvr.tracking import observer_url
from csvr.tracking.sources import code_hash

# A plan needs the lists only; jobs of a run are started with the flags of their own.
PLAN = r"-[a-z]*n[a-z]*|--dry-?run|--dag|--rulegraph|--lint"
wrong = problems(config, lists_only=any(re.fullmatch(PLAN, word) for word in sys.argv))
if wrong:
    raise WorkflowError(message(wrong))

# Jobs find the setting in their environment. It is no parameter: where runs are recorded is no reason to run again.
try:
    OBSERVER = observer_url.setting()
except UserError as error:
    raise WorkflowError(str(error))

# What is pretrained on, and what is evaluated on: the same one, unless `downstream` names another.
DATASET = config["dataset"]
TARGET = config["downstream"] or DATASET
DATASETS = {found["name"]: found for found in (DATASET, TARGET)}
GENERATED = "generate" in DATASET
# Whether estimated poses can be scored: only generated videos come with true keypoints.
SCORED = GENERATED and TARGET is DATASET
# The one of them that is drawn here, if any.
DRAWN_HERE = next((found for found in DATASETS.values() if "generate" in found), None)

# The variant that the experiment is about is computed whether or not it is a row of the table.
MAIN = config["ablation"]["name"]
ABLATIONS = {MAIN: config["ablation"]} | config["ablations"]
VARIANTS = config["variants"] + [MAIN] * (MAIN not in config["variants"])


def pairs(weights):
    """Loss weights as in paths: each as the shortest text that means this number and no other."""
    return ",".join(f"{key}={float(value)!r}".removesuffix(".0") for key, value in weights.items())


def text(value):
    """Parameters as a flag's value, and as what Snakemake compares: JSON with sorted keys."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def grid():
    """Points of the sweep over loss weights by name, and what each sets: variant full with every pair of values."""
    full = {name: effective("full")[name] for name in WEIGHTS}
    found = {}
    for sigma_p, sigma_c in itertools.product(config["sweep"]["sigma_p"], config["sweep"]["sigma_c"]):
        point = {"sigma_p": sigma_p, "sigma_c": sigma_c}
        if full | point != full:
            found[pairs(point)] = ABLATIONS["full"]["set"] | point
    return {"full": ABLATIONS["full"]["set"]} | found if found else {}


def effective(name):
    """Parameters of a variant or a point of the sweep: the common ones, changed as its file or the point says."""
    return applied(config, ABLATIONS[name]["set"] if name in ABLATIONS else GRID[name])


def cell(name):
    """Where results of a variant or a point are: the variant, and the loss weights.

    What differs in loss weights alone has one folder, that of the first such variant; so that what was computed under
    one name, in the table, the sweep or an experiment, is not computed again under another.
    """

    def rest(params):
        return text({key: value for key, value in params.items() if key not in WEIGHTS})

    params = effective(name)
    first = next(other for other in [*config["ablations"], MAIN] if rest(effective(other)) == rest(params))
    return f"{first}/{pairs({key: params[key] for key in WEIGHTS})}"


GRID = grid()
# Alternatives of the integration layer, and the layer that they are compared with.
INTEGRATION = ["full", *config["integration"]["variants"]] if config["integration"]["variants"] else []
CELLS = {name: cell(name) for name in [*VARIANTS, *GRID, *INTEGRATION]}

FEATURES = ("clips", "iframes", "poses")
TABLE = "reports/table_ablation.md"
REPORTS = [TABLE, "reports/metrics.json", "reports/figures/per_class.png", "reports/figures/training_curves.png"]
REPORTS += [f"reports/figures/dataset_{TARGET['name']}.png"]
REPORTS += ["reports/table_models.md", "reports/table_pose_quality.md"]
# Tables of what `evaluate` measures, and the published numbers that stand beside.
PUBLISHED = {"table_linear_probe": "linear", "table_retrieval": "retrieval", "table_action_recognition": "finetune"}
PUBLISHED |= {"table_ssv2": "ssv2"}
PUBLISHED = {table: f"params/published/{name}.csv" for table, name in PUBLISHED.items()}
EVALUATED = [f"table_{name}" for name in config["tables"] if name != "ssv2" or TARGET["layout"] == "ssv2"]
REPORTS += [f"reports/{name}.md" for name in EVALUATED]
if GRID:
    REPORTS += ["reports/table_sigma.md"]
if INTEGRATION:
    REPORTS += ["reports/table_integration.md"]
# A control without a training step has no curve, and no generators to measure.
TRAINED = [name for name in VARIANTS if effective(name)["pretrain"]["steps"]]
GENERATING = [name for name in TRAINED if effective(name)["sigma_v"]] if config["generation_quality"]["enabled"] else []
if GENERATING:
    REPORTS += ["reports/table_generation_quality.md"]
# A layer without mask has nothing to show.
MASKED = effective("full")["pose_input"] and effective("full")["model"]["integration"]["mode"] in ("adain_mask", "mask")
FIGURES = [name for name in config["figures"] if name not in ("predictions", "examples") and (name != "mask" or MASKED)]
PREDICTIONS = ["reports/figures/predictions.png"] if "predictions" in config["figures"] else []
# Of re-encoded videos the I-frames are others than those of the files.
EXAMPLES = [f"reports/videos/example_{k}.mp4" for k in (1, 2) if "examples" in config["figures"]]
EXAMPLES = EXAMPLES if TARGET["iframes"] == "native" else []
REPORTS += [f"reports/figures/{name}.png" for name in FIGURES]
CHECKS = "reports/checks.md"
PAGE = "reports/index.html"
REPORTS += [*PREDICTIONS, *EXAMPLES, CHECKS, PAGE]
PROVENANCE = "reports/provenance.json"


# What all reports compare results with: the guard against stale ones.
EXPECTED = f"results/{DATASET['name']}/expected.json"
EXPECTED_SWEEP = f"results/{DATASET['name']}/expected_sweep.json"
EXPECTED_INTEGRATION = f"results/{DATASET['name']}/expected_integration.json"
EXPECTED_GENERATION = f"results/{DATASET['name']}/expected_generation.json"
INDEX = f"features/{TARGET['name']}/index.csv"  # of what is evaluated on
PRETRAINED_INDEX = f"features/{DATASET['name']}/index.csv"
# Results of an evaluation elsewhere have a name of their own.
METRICS = "metrics.json" if TARGET is DATASET else f"metrics_{TARGET['name']}.json"


wildcard_constraints:
    dataset="|".join(map(re.escape, DATASETS)),
    shard=r"\d+",
    variant="|".join(sorted({re.escape(Path(found).parent.name) for found in CELLS.values()})),
    weights="|".join(sorted({re.escape(Path(found).name) for found in CELLS.values()})),
    seed=r"\d+",
    expectation="|".join(["expected", "expected_sweep", "expected_integration", "expected_generation"]),


# A clip and the future clip after it.
MIN_FRAMES = 2 * config["clip"]["frames"] * config["clip"]["stride"]


def raw_state(dataset):
    """A digest of the raw files of a data set that is not generated: names and sizes, and DVC's hash if it has one.

    Cheap enough for every start, where reading all videos is not: their own hashes are in the index.
    """
    if "generate" in dataset:
        return None
    listed = [line for key in ("videos", "splits") for line in sorted(sized(dataset[key]))]
    tracked = [path.read_text() for key in ("raw", "videos") if (path := Path(f"{dataset[key]}.dvc")).exists()]
    return hashlib.sha256("\n".join(listed + tracked).encode()).hexdigest()


def sized(folder):
    """Path and size of all files below a folder, however many: links are followed, those into a circle once."""
    todo, seen = [folder], set()
    while todo:
        try:
            inside = list(os.scandir(todo.pop()))
        except OSError:
            continue
        for entry in inside:
            if entry.is_dir():
                home = os.path.realpath(entry.path) if entry.is_symlink() else entry.path
                if home not in seen:
                    seen.add(home)
                    todo.append(entry.path)
            elif entry.is_file() and entry.name != ".snakemake_timestamp":
                yield f"{entry.path} {entry.stat().st_size}"


RAW = {name: raw_state(found) for name, found in DATASETS.items()}


def runs_folder():
    """Where Sacred keeps runs; those of an experiment in a folder of its own, which DVC deletes, go to the repository's."""
    here = Path.cwd().resolve()
    homes = [path.parents[2] for path in (here, *here.parents) if path.parts[-3:] == (".dvc", "tmp", "exps")]
    return str(homes[-1] / "runs") if homes else "runs"


WARNED = []  # of the database, in this run of the workflow
STARTED = time.time()


def warn_of_observer(starting=False):
    """Warn once, if runs are to be recorded in a database too: that it does not answer, or what it missed."""
    if OBSERVER and not WARNED:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a deprecated import of Sacred
            from csvr.tracking import observers
        runs = Path(runs_folder())
        found = observers.unreachable(runs) if starting else observers.unrecorded(runs, STARTED)
        if found:
            WARNED.append(found)
            logger.warning(found)


onstart:
    warn_of_observer(starting=True)


onsuccess:
    warn_of_observer()


onerror:
    warn_of_observer()


# The usual strict mode, and: no BLAS threads beside those that a command asks for, none of Sacred's warnings of a
# deprecated import. RUNS is no parameter: runs kept elsewhere are no reason to run again.
shell.prefix(
    "set -euo pipefail; export OMP_NUM_THREADS=1 PYTHONWARNINGS='ignore:pkg_resources is deprecated:UserWarning' "
    f"RUNS={shlex.quote(runs_folder())}; "
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


def cell_params(wildcards, keys):
    """Parameters `keys` of a cell, as its path says."""
    weights = dict(part.split("=") for part in wildcards.weights.split(","))
    changes = ABLATIONS[wildcards.variant]["set"] | {key: float(value) for key, value in weights.items()}
    params = applied(config, changes)
    return text({key: params[key] for key in keys})


def pretrain_params(wildcards):
    return cell_params(wildcards, PRETRAIN)


def models_params(wildcards):
    params = {key: effective("full")[key] for key in PRETRAIN}
    # Whether a branch is built is all that its weight says of the networks.
    params |= {key: float(params[key] > 0) for key in WEIGHTS}
    # The stride tells how many poses a clip has.
    return text(params | {"pose_extraction": {"stride": config["pose_extraction"]["stride"]}})


def evaluate_params(wildcards):
    return cell_params(wildcards, VARIED)


def judge_params():
    """Parameters of the network that judges generated clips: one for all variants, as full has them."""
    full = effective("full")
    model = {
        "backbone": full["model"]["backbone"],
        "generation": {"generator": full["model"]["generation"]["generator"]},
    }
    return {
        "clip": full["clip"],
        "augment": {"area": full["augment"]["area"]},
        "model": model,
        "clip_judge": config["clip_judge"],
    }


def generated_params(params):
    """Parameters of the measurement of generated clips, of a cell with these effective ones."""
    measured = {"fvd": config["generation_quality"]["fvd"]}
    return {key: params[key] for key in PRETRAIN} | {"judge": judge_params(), "generation_quality": measured}


def generation_quality_params(wildcards):
    return text(generated_params(json.loads(cell_params(wildcards, PRETRAIN))))


def expectation(variants, seeds, target, steps=("pretrain", "evaluate", "pose_quality"), made_with=dict):
    """What reports expect to find in results, and how they name it.

    Args:
        variants: Title and description by name, in the order of rows.
        seeds: Seeds of each.
        target: The report that `snakemake` is to be asked for.
        steps: Commands whose results the report shows.
        made_with: Of a variant's effective parameters, what its results say that they were made with.
    """
    names = {
        name: about | {"cell": CELLS[name], "params": made_with(effective(name))} for name, about in variants.items()
    }
    return text(
        {
            # A list, since sorted keys lose the order of the rows.
            "order": list(variants),
            "variants": names,
            "seeds": seeds,
            "groups": TARGET["groups"],
            "dataset": TARGET["name"],
            "pretrained_on": DATASET["name"],
            "command": f"snakemake --cores 8 {target}",
            "main": MAIN,
            "code": {name: code_hash(name) for name in steps},
            "features": features_made(DATASET),
            "target": None if TARGET is DATASET else features_made(TARGET),
        }
    )


def feature_params(kind):
    """Parameters of one kind of feature."""
    names = {"clips": ("short_side", "aspect", "storage", "quality"), "iframes": ("short_side", "aspect")}
    return config["pose_extraction"] if kind == "poses" else {key: config["features"][key] for key in names[kind]}


def reencoding(dataset):
    """How a data set is re-encoded, or None."""
    return None if dataset["iframes"] == "native" else dataset["iframes"]["reencode"]


def features_made(dataset):
    """Sources and parameters of each kind of feature, as the headers of shards have them."""
    reencode = {"reencode": found} if (found := reencoding(dataset)) else {}
    return {kind: {"code": code_hash(kind), "params": feature_params(kind) | reencode} for kind in FEATURES}


def made_from(dataset):
    """What index and features of a data set are made with, for the cells made of them.

    A cell that other loss weights left aside may be newer than features made since, once DVC has given both any age.
    """
    return text(
        {
            "dataset": listed_from(dataset),
            "clip": config["clip"],
            "code": {name: code_hash(name) for name in ["mannequin"] * ("generate" in dataset) + ["index"]},
            "features": features_made(dataset),
        }
    )


def listed_from(dataset):
    """What the index of a data set depends on, and how many shards there are."""
    names = ("generate", "split", "layout", "broken", "short", "shards", "iframes")
    return {name: dataset.get(name) for name in names} | {"raw": RAW[dataset["name"]]}


def about(names):
    """Title and description of variants."""
    return {name: {key: ABLATIONS[name][key] for key in ("title", "description")} for name in names}


def expectation_params(wildcards):
    """What the reports that read this file are to show."""
    if wildcards.expectation == "expected_sweep":
        points = {name: {"title": name, "description": "Loss weights of the sweep."} for name in GRID}
        return expectation(points, config["sweep"]["seeds"], "reports/table_sigma.md")
    if wildcards.expectation == "expected_integration":
        return expectation(about(INTEGRATION), config["integration"]["seeds"], "reports/table_integration.md")
    if wildcards.expectation == "expected_generation":
        steps = ("pretrain", "clip_judge", "generation_quality")
        target = "reports/table_generation_quality.md"
        return expectation(about(GENERATING), config["seeds"], target, steps, generated_params)
    return expectation(about(VARIANTS), config["seeds"], TABLE)


def all_shards(kind, dataset=TARGET):
    """All shard files of one kind of feature."""
    return [f"features/{dataset['name']}/{kind}/{number}.safetensors" for number in range(dataset["shards"])]


def shards(kind):
    """Those of the data set that a wildcard names, as a rule's input."""
    return lambda wildcards: all_shards(kind, DATASETS[wildcards.dataset])


def summary_of(wildcards):
    """The summary of the data set that is drawn here; nothing for another one."""
    found = DATASETS[wildcards.dataset]
    return [f"{found['root']}/dataset.json"] if "generate" in found else []


def folders_of(wildcards):
    """Folders of videos and lists. One that is not there is not asked for: so that a dry-run needs the lists only."""
    found = DATASETS[wildcards.dataset]
    folders = [found[key] for key in ("videos", "splits")]
    return [ancient(folder) for folder in folders if "generate" in found or Path(folder).is_dir()]


def reencoded(wildcards):
    """The shard of re-encoded videos that is read instead of the files themselves, if any."""
    if not reencoding(DATASETS[wildcards.dataset]):
        return []
    return [f"features/{wildcards.dataset}/reencoded/{wildcards.shard}.safetensors"]


def reencoded_flag(wildcards):
    """`--reencoded …`, or nothing."""
    return "".join(f"--reencoded {shlex.quote(path)}" for path in reencoded(wildcards))


def of_dataset(key):
    """A parameter of the data set that a wildcard names."""
    return lambda wildcards: DATASETS[wildcards.dataset][key]


def formats(table):
    """A table's files."""
    return [f"reports/{table}{suffix}" for suffix in (".md", ".html", ".tex", ".csv")]


def cells(file, names=VARIANTS, seeds=config["seeds"]):
    """`file` of every variant and seed, or of points of the sweep; once if two are one cell."""
    paths = [f"results/{DATASET['name']}/{CELLS[name]}/seed{seed}/{file}" for name in names for seed in seeds]
    return list(dict.fromkeys(paths))


def drawings(name):
    """A figure's files."""
    return [f"reports/figures/{name}{suffix}" for suffix in (".png", ".svg")]


def checked():
    """Metrics that the checks look at: those of all tables."""
    paths = cells(METRICS) + cells(METRICS, GRID, config["sweep"]["seeds"])
    return list(dict.fromkeys(paths + cells(METRICS, INTEGRATION, config["integration"]["seeds"])))


def expectations():
    """What the tables of `checked` are to show."""
    return [EXPECTED] + [EXPECTED_SWEEP] * bool(GRID) + [EXPECTED_INTEGRATION] * bool(INTEGRATION)


def shown():
    """What the page of all reports shows, in the order of the rules: all that is flagged by `report()` and made here."""
    config_of = types.SimpleNamespace(config=config)
    items = []
    for each in workflow.rules:
        for output in each.output:
            # Snakemake puts the wildcard's constraint behind its name.
            path = re.sub(r"\{dataset[^}]*\}", TARGET["name"], str(output))
            # What was found stands at the top of the page anyway.
            if is_flagged(output, "report") and path in MADE and path not in formats("checks"):
                about = get_flag_value(output, "report")
                caption = Path(workflow.basedir, "workflow", "report", Path(str(about.caption)).name).read_text()
                text = jinja2.Template(caption).render(snakemake=config_of)
                title = about.labels["what"]
                title += f" ({about.labels['kind']})" * any(item["title"] == title for item in items)
                found = {"file": path, "title": title, "category": about.category}
                items.append(found | {"caption": " ".join(text.replace("``", "").split())})
    return {"items": items}


# The variant whose predictions are drawn, with the first seed.
DRAWN = MAIN if MAIN in TRAINED else "full"
JUDGE = f"results/{DATASET['name']}/clip_judge.safetensors"
POSE_QUALITY = f"results/{DATASET['name']}/pose_quality.json"


def made():
    """What each report was made of, file by file."""
    metrics, histories = cells(METRICS), cells("history.csv", TRAINED)
    # Only generated videos come with true keypoints to score estimated poses against.
    quality = [POSE_QUALITY] if SCORED else []
    reports = {path: metrics for path in formats("table_ablation")}
    for name in EVALUATED:
        beside = [PUBLISHED[name]] if name in PUBLISHED else []
        reports |= {path: metrics + beside for path in formats(name)}
    reports |= {f"reports/figures/{name}.png": metrics for name in ("table_ablation", "per_class")}
    reports |= {"reports/figures/training_curves.png": histories}
    reports |= {f"reports/figures/dataset_{TARGET['name']}.png": [INDEX]}
    reports |= {"reports/metrics.json": metrics + histories + quality}
    reports |= {path: cells("networks.safetensors", [DRAWN], config["seeds"][:1]) for path in PREDICTIONS}
    # From parameters alone.
    reports |= {path: [] for path in formats("table_models")}
    reports |= {path: metrics + quality for path in formats("table_pose_quality")}
    if GRID:
        sweep = cells(METRICS, GRID, config["sweep"]["seeds"])
        reports |= {path: sweep for path in (*formats("table_sigma"), "reports/figures/sigma_sweep.png")}
    if INTEGRATION:
        forms = cells(METRICS, INTEGRATION, config["integration"]["seeds"])
        reports |= {path: forms for path in formats("table_integration")}
    for name in FIGURES:
        networks = cells("networks.safetensors", ["full"], config["seeds"][:1])
        reports |= {path: metrics if name == "confusion" else networks for path in drawings(name)}
    reports |= {path: all_shards("poses") for path in EXAMPLES}
    reports |= {path: checked() for path in formats("checks")}
    if GENERATING:
        generated = cells("generation.json", GENERATING)
        reports |= {path: generated for path in formats("table_generation_quality")}
    return reports


def check_records():
    """Refuse results without a record of how they were made: Snakemake would keep them whatever the parameters say.

    So it is where only some of DVC's outputs were fetched. A file whose job was killed has no record either, but a mark
    by which Snakemake makes it again.
    """
    made = [
        INDEX,
        PRETRAINED_INDEX,
        EXPECTED,
        EXPECTED_SWEEP,
        EXPECTED_INTEGRATION,
        EXPECTED_GENERATION,
        POSE_QUALITY,
        JUDGE,
        PROVENANCE,
        *REPORTS,
    ]
    made += [f"{DRAWN_HERE['root']}/dataset.json"] if DRAWN_HERE else []
    made += [path for found in DATASETS.values() for kind in FEATURES for path in all_shards(kind, found)]
    for file in (METRICS, "networks.safetensors"):
        made += cells(file) + cells(file, GRID, config["sweep"]["seeds"])
        made += cells(file, INTEGRATION, config["integration"]["seeds"])
    made += cells("generation.json", GENERATING)
    unknown = [
        path
        for path in made
        if Path(path).exists() and not (recorded("metadata", path) or recorded("incomplete", path))
    ]
    if unknown:
        raise WorkflowError(
            f"{unknown[0]} (and {len(unknown) - 1} more): no record in .snakemake/metadata says how it was made; "
            "fetch the records by `dvc checkout` or `dvc pull`, or `make clean`"
        )


def recorded(kind, path):
    """Whether Snakemake has a record of this kind about a file."""
    name = base64.urlsafe_b64encode(path.encode()).decode()
    # As Snakemake splits what is too long for a file name.
    parts = [name[start : start + 254] for start in range(0, len(name), 254)]
    return Path(".snakemake", kind, *(f"@{part}" for part in parts[:-1]), parts[-1]).exists()
