"""Which reports there are, what they are made of, and what they are to show."""

TABLE = "reports/table_ablation.md"
REPORTS = [TABLE, "reports/metrics.json", "reports/figures/per_class.png", "reports/figures/training_curves.png"]
REPORTS += [f"reports/figures/dataset_{TARGET['name']}.png"]
REPORTS += ["reports/table_models.md", "reports/table_pose_quality.md"]

# Which command makes a report, how the page calls it, its caption's file in workflow/report/, and which published numbers
# stand beside.
Report = collections.namedtuple("Report", "command category what caption published", defaults=[None])
# Tables of what `evaluate` measures.
MEASURED = {
    "features": Report("csvr.report features", "Features", "accuracy by feature", "table_features"),
    "linear_probe": Report(
        "csvr.report linear-probe",
        "Linear probe",
        "accuracy by amount of labels",
        "table_linear_probe",
        "params/published/linear.csv",
    ),
    "retrieval": Report(
        "csvr.report retrieval", "Retrieval", "R@k", "table_retrieval", "params/published/retrieval.csv"
    ),
    "action_recognition": Report(
        "csvr.report action-recognition",
        "Action recognition",
        "accuracy after fine-tuning",
        "table_action_recognition",
        "params/published/finetune.csv",
    ),
    "ssv2": Report(
        "csvr.report action-recognition",
        "Action recognition",
        "accuracy after fine-tuning",
        "table_action_recognition",
        "params/published/ssv2.csv",
    ),
    "cost": Report("csvr.report cost", "Cost", "time, memory and sizes", "table_cost"),
}
# Figures of what networks make of test videos.
FEATURE_FIGURES = {
    "retrieval": Report(
        "csvr.feature_figures retrieval", "Retrieval", "test videos and their nearest training videos", "retrieval"
    ),
    "features": Report(
        "csvr.feature_figures features", "Features", "features of the test videos in two dimensions", "features"
    ),
    "mask": Report(
        "csvr.feature_figures mask", "Integration layer", "the integration layer's mask over frames", "mask"
    ),
}
EVALUATED = [name for name in config["tables"] if name != "ssv2" or TARGET["layout"] == "ssv2"]
REPORTS += [f"reports/table_{name}.md" for name in EVALUATED]
if GRID:
    REPORTS += ["reports/table_sigma.md"]
if INTEGRATION:
    REPORTS += ["reports/table_integration.md"]
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
# What each report is made of. A file, for the system allows no flag of more than 128 kB.
MADE_OF = f"results/{DATASET['name']}/made_of.json"


wildcard_constraints:
    dataset="|".join(map(re.escape, DATASETS)),
    shard=r"\d+",
    variant="|".join(sorted({re.escape(Path(found).parent.name) for found in CELLS.values()})),
    weights="|".join(sorted({re.escape(Path(found).name) for found in CELLS.values()})),
    seed=r"\d+",
    expectation="|".join(["expected", "expected_sweep", "expected_integration", "expected_generation", "made_of"]),


def formats(table):
    """A table's files."""
    return [f"reports/{table}{suffix}" for suffix in (".md", ".html", ".tex", ".csv")]


def drawings(name):
    """A figure's files."""
    return [f"reports/figures/{name}{suffix}" for suffix in (".png", ".svg", ".pdf")]


def checked():
    """Metrics that the checks look at: those of all tables."""
    paths = cells(METRICS) + cells(METRICS, GRID, config["sweep"]["seeds"])
    return list(dict.fromkeys(paths + cells(METRICS, INTEGRATION, config["integration"]["seeds"])))


def expectations():
    """What the tables of `checked` are to show."""
    return [EXPECTED] + [EXPECTED_SWEEP] * bool(GRID) + [EXPECTED_INTEGRATION] * bool(INTEGRATION)


def quality_flags():
    """Flags by which the checks look at measurements of generated clips too; none where there are none."""
    if not GENERATING:
        return ""
    files = " ".join(shlex.quote(path) for path in cells("generation.json", GENERATING))
    limits = shlex.quote(text(config["checks"]["outlier_quality"]))
    return f"--quality {files} --expect-quality {EXPECTED_GENERATION} --outlier-quality {limits}"


def shown():
    """What the page of all reports shows, in the order of the rules: all that is flagged by `report()` and made here.

    A report has one label: of two, Snakemake's page makes the second a switch where half of a category has each value,
    and breaks down if a report lacks one of them.
    """
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
                kind, _, title = about.labels["what"].partition(": ")
                title += f" ({kind})" * any(item["title"] == title for item in items)
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
        beside = [MEASURED[name].published] if MEASURED[name].published else []
        reports |= {path: metrics + beside for path in formats(f"table_{name}")}
    reports |= {path: metrics for name in ("table_ablation", "per_class") for path in drawings(name)}
    reports |= {path: histories for path in drawings("training_curves")}
    reports |= {path: [INDEX] for path in drawings(f"dataset_{TARGET['name']}")}
    reports |= {"reports/metrics.json": metrics + histories + quality}
    if PREDICTIONS:
        networks = cells("networks.safetensors", [DRAWN], config["seeds"][:1])
        reports |= {path: networks for path in drawings("predictions")}
    # From parameters alone.
    reports |= {path: [] for path in formats("table_models")}
    reports |= {path: metrics + quality for path in formats("table_pose_quality")}
    if GRID:
        sweep = cells(METRICS, GRID, config["sweep"]["seeds"])
        reports |= {path: sweep for path in (*formats("table_sigma"), *drawings("sigma_sweep"))}
    if INTEGRATION:
        forms = cells(METRICS, INTEGRATION, config["integration"]["seeds"])
        reports |= {path: forms for path in formats("table_integration")}
    for name in FIGURES:
        # The mask is not one of the features.
        file = "networks.safetensors" if name == "mask" else FROZEN
        sources = metrics if name == "confusion" else cells(file, ["full"], config["seeds"][:1])
        reports |= {path: sources for path in drawings(name)}
    reports |= {path: all_shards("poses") for path in EXAMPLES}
    reports |= {path: checked() + cells("generation.json", GENERATING) for path in formats("checks")}
    if GENERATING:
        generated = cells("generation.json", GENERATING)
        reports |= {path: generated for path in formats("table_generation_quality")}
    return reports


def expectation(
    variants, seeds, target, steps=("pretrain", "evaluate", "pose_quality"), made_with=dict, measured_on=TARGET
):
    """What reports expect to find in results, and how they name it.

    Args:
        variants: Title and description by name, in the order of rows.
        seeds: Seeds of each.
        target: The report that `snakemake` is to be asked for.
        steps: Commands whose results the report shows.
        made_with: Of a variant's effective parameters, what its results say that they were made with.
        measured_on: The data set.
    """
    names = {
        name: about | {"cell": CELLS[name], "networks": PRETRAINED[name], "params": made_with(effective(name))}
        for name, about in variants.items()
    }
    return text(
        {
            # A list, since sorted keys lose the order of the rows.
            "order": list(variants),
            "variants": names,
            "seeds": seeds,
            # Likewise.
            "groups": list(measured_on["groups"].items()),
            "dataset": measured_on["name"],
            "pretrained_on": DATASET["name"],
            "command": f"snakemake --cores 8 {target}",
            "main": MAIN,
            "code": {name: code_hash(name) for name in steps},
            "features": features_made(DATASET),
            "target": None if measured_on is DATASET else features_made(measured_on),
        }
    )


def about(names):
    """Title and description of variants."""
    return {name: {key: ABLATIONS[name][key] for key in ("title", "description")} for name in names}


def expectation_params(wildcards):
    """What the reports that read this file are to show; or what all of them are made of."""
    if wildcards.expectation == "made_of":
        return text(MADE)
    if wildcards.expectation == "expected_sweep":
        points = {name: {"title": name, "description": "Loss weights of the sweep."} for name in GRID}
        return expectation(points, config["sweep"]["seeds"], "reports/table_sigma.md")
    if wildcards.expectation == "expected_integration":
        return expectation(about(INTEGRATION), config["integration"]["seeds"], "reports/table_integration.md")
    if wildcards.expectation == "expected_generation":
        steps = ("pretrain", "clip_judge", "generation_quality")
        target = "reports/table_generation_quality.md"
        return expectation(about(GENERATING), config["seeds"], target, steps, generated_params, DATASET)
    return expectation(about(VARIANTS), config["seeds"], TABLE)


MADE = made()


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
        MADE_OF,
        POSE_QUALITY,
        JUDGE,
        PROVENANCE,
        *REPORTS,
    ]
    made += [f"{DRAWN_HERE['root']}/dataset.json"] if DRAWN_HERE else []
    made += [
        path for found in DATASETS.values() for kind in ("reencoded", *FEATURES) for path in all_shards(kind, found)
    ]
    for file in (METRICS, FROZEN, "networks.safetensors"):
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
