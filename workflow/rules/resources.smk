"""Threads, memory, time and GPUs of jobs: what they reserve here, and what they ask of a batch system.

A job that is tried again (`retries` in a profile) gets more memory and time; what it did before is kept, and it goes on
from there. Numbers for a cluster (partitions, GPUs, threads) are in its profile: profiles/slurm.
"""

# Half of a GPU can't be reserved, and jobs that can use one never share one unasked (csvr/launch.py). A machine without
# GPUs computes on its cores.
GPUS = len(gpus())
GPU = min(1, GPUS)
if GPUS and workflow.is_main_process and "gpu" not in workflow.global_resources:
    workflow.register_resource("gpu", GPUS)

# A cluster allows no more to a job; training goes on from its last checkpoint in the next one.
LONGEST_MINUTES = 24 * 60


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


def whole():
    """Threads of a job that keeps all cores busy, and so runs alone: all of `--cores`.

    1 where a batch system runs the jobs: its profile says how many threads each has.
    """
    try:
        return workflow.cores or 1
    except WorkflowError:
        return 1


def share(mem_mb):
    """Threads that a job of one busy core reserves of `--cores`.

    `--cores 8` is the documented command, also on a machine of two cores. Snakemake would start eight jobs there,
    which would take turns on two cores and fill the memory. A job therefore reserves its share of `--cores`: as
    much as lets only as many jobs start as there are cores, and as fit into memory. The command itself is told
    `--threads 1`, so that results do not depend on this number.
    """
    parts = max(1, min(physical_cores(), physical_memory_mb() * 9 // 10 // mem_mb))
    return max(1, math.ceil(whole() / parts))


def workers(wildcards, threads):
    """Processes of such a job. A resource and no parameter: another machine is no reason to run it again."""
    return min(threads, physical_cores())


def memory(mb):
    """Memory of a job, in MB: of each try half as much more."""
    return lambda wildcards, attempt: round(mb * 1.5 ** (attempt - 1))


def minutes(most):
    """Time limit of a job: of each try as much more, up to what clusters allow."""
    return lambda wildcards, attempt: min(LONGEST_MINUTES, most * attempt)


def million_values(params):
    """Pixels of the clips that are in memory at a time, in millions."""
    clip, pretrain = params["clip"], params["pretrain"]
    return pretrain["batch"] / pretrain["accumulate"] * clip["frames"] * clip["crop"] ** 2 / 1e6


def pretrain_mb(wildcards, attempt=1):
    """Memory of a pretraining: measured 1,450 MB at 0.3 million values a batch, half of which grows with them."""
    params = json.loads(cell_params(wildcards, ("clip", "pretrain")))
    return memory(1500 + 5000 * million_values(params))(wildcards, attempt)


def pretrain_minutes(wildcards, attempt):
    """Time limit of a pretraining: four times the 0.25 s that a step of 0.3 million values takes on one core."""
    params = json.loads(cell_params(wildcards, ("clip", "pretrain")))
    values = million_values(params) * params["pretrain"]["accumulate"]
    return minutes(math.ceil(30 + 4 * params["pretrain"]["steps"] * values * 0.83 / 60))(wildcards, attempt)
