"""Variants, points of the sweep, forms of the integration layer: where their results are, and their parameters."""

# The variant that the experiment is about is computed whether or not it is a row of the table.
MAIN = config["ablation"]["name"]
ABLATIONS = {MAIN: config["ablation"]} | config["ablations"]
VARIANTS = config["variants"] + [MAIN] * (MAIN not in config["variants"])


def pairs(weights):
    """Loss weights as in paths: each as the shortest text that means this number and no other.

    Without commas, at which the jobs of a batch system would take their wildcards apart.
    """
    return "__".join(f"{key}={float(value)!r}".removesuffix(".0") for key, value in weights.items())


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


def first_variant(params, keys):
    """The first variant that differs from these parameters, as far as `keys` go, in loss weights alone."""

    def rest(params):
        return text({key: params[key] for key in keys if key not in WEIGHTS})

    return next(other for other in [*config["ablations"], MAIN] if rest(effective(other)) == rest(params))


def cell(name, keys=VARIED):
    """Where results of a variant or a point are that depend on the parameters `keys`: a variant, and the loss weights.

    What differs in loss weights alone has one folder, that of the first such variant; so that what was computed under
    one name, in the table, the sweep or an experiment, is not computed again under another.
    """
    params = effective(name)
    return f"{first_variant(params, keys)}/{pairs({key: params[key] for key in WEIGHTS})}"


GRID = grid()
# Alternatives of the integration layer, and the layer that they are compared with.
INTEGRATION = ["full", *config["integration"]["variants"]] if config["integration"]["variants"] else []
CELLS = {name: cell(name) for name in [*VARIANTS, *GRID, *INTEGRATION]}
# Variants that differ in their evaluation share networks, and what is measured of these alone.
PRETRAINED = {name: cell(name, PRETRAIN) for name in CELLS}

# A control without a training step has no curve, and no generators to measure.
TRAINED = [name for name in VARIANTS if effective(name)["pretrain"]["steps"]]
GENERATING = [name for name in TRAINED if effective(name)["sigma_v"]] if config["generation_quality"]["enabled"] else []


# Results of an evaluation elsewhere have a name of their own.
ENDING = "" if TARGET is DATASET else f"_{TARGET['name']}"
METRICS, FROZEN = f"metrics{ENDING}.json", f"features{ENDING}.safetensors"


def cells(file, names=VARIANTS, seeds=config["seeds"]):
    """`file` of every variant and seed, or of points of the sweep; once if two are one cell."""
    places = CELLS if file in (METRICS, FROZEN) else PRETRAINED
    paths = [f"results/{DATASET['name']}/{places[name]}/seed{seed}/{file}" for name in names for seed in seeds]
    return list(dict.fromkeys(paths))


def networks_of(wildcards):
    """The networks that a cell is evaluated with."""
    variant = first_variant(effective(wildcards.variant), PRETRAIN)
    return f"results/{wildcards.dataset}/{variant}/{wildcards.weights}/seed{wildcards.seed}/networks.safetensors"


def cell_params(wildcards, keys):
    """Parameters `keys` of a cell, as its path says."""
    weights = dict(part.split("=") for part in wildcards.weights.split("__"))
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
