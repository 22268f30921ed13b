"""The data sets, and what is extracted from them."""

# What is pretrained on, and what is evaluated on: the same one, unless `downstream` names another.
DATASET = config["dataset"]
TARGET = config["downstream"] or DATASET
DATASETS = {found["name"]: found for found in (DATASET, TARGET)}
GENERATED = "generate" in DATASET
# Whether estimated poses can be scored: only generated videos come with true keypoints.
SCORED = GENERATED and TARGET is DATASET
# The one of them that is drawn here, if any.
DRAWN_HERE = next((found for found in DATASETS.values() if "generate" in found), None)

FEATURES = ("clips", "iframes", "poses")
INDEX = f"features/{TARGET['name']}/index.csv"  # of what is evaluated on
PRETRAINED_INDEX = f"features/{DATASET['name']}/index.csv"
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


def as_list(found):
    """One or several."""
    return found if isinstance(found, list) else [found]


def of_dataset(key):
    """A parameter of the data set that a wildcard names."""
    return lambda wildcards: DATASETS[wildcards.dataset][key]
