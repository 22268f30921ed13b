"""What all rules share: the check of the parameters, where runs are kept, records of results.

A rule has the hash of its command's sources among its `params`, so that a changed step runs again and no other. Not as
input files: Snakemake looks into those only if they are newer than the output, and a checkout gives any age to both.
"""

import base64
import collections
import contextlib
import hashlib
import itertools
import json
import logging
import math
import os
import re
import shlex
import shutil
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
from check_params import message, problems
from lean import look_when_a_job_ends, remember_checksums
from csvr.errors import UserError
from csvr.files import sha256
from csvr.launch import gpus
from csvr.tracking import observer_url
from csvr.tracking.sources import code_hash
from csvr.variants import PRETRAIN, VARIED, WEIGHTS, applied

remember_checksums()

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


def text(value):
    """Parameters as a flag's value, and as what Snakemake compares: JSON with sorted keys."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


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


def full_disk(limit):
    """A line if less than `limit` MB are left. What else would say so, the logs, may be what could not be written."""
    left = shutil.disk_usage(Path.cwd()).free / 1e6
    said = f"{Path.cwd()}: {left:.0f} MB are left on this disk; make room and run the same again: what is done is kept"
    return said if left < limit else None


def date_back():
    """Give files that the workflow made the time that it is, if their own is yet to come: a clock was wrong.

    Snakemake takes nothing for made that seems older than what it is made of, until that time has come. Whether such
    a file has changed is told by its checksum.
    """
    now = time.time()
    found = [path for folder in ("features", "results", "reports") for path in Path(folder).rglob("*")]
    if DRAWN_HERE:
        # Of a folder Snakemake keeps the time in a file of its own.
        stamps = [Path(DRAWN_HERE[key], ".snakemake_timestamp") for key in ("videos", "splits")]
        found += [*Path(DRAWN_HERE["root"]).glob("*"), *stamps]
    late = [path for path in found if path.exists() and path.stat().st_mtime > now + 1]
    for path in late:
        with contextlib.suppress(PermissionError):  # another user's; Snakemake will name it if it is in the way
            os.utime(path, (now, now))
    if late:
        logger.warning(
            f"{late[0]} (and {len(late) - 1} more): made at a time that is yet to come, as after a wrong clock; dated to now"
        )


# Without room for its own records Snakemake ends with a traceback, and each line of its log that can't be written is one.
logging.raiseExceptions = False
if workflow.is_main_process and (said := full_disk(1)):
    raise WorkflowError(said)


onstart:
    look_when_a_job_ends(workflow.scheduler)
    warn_of_observer(starting=True)
    date_back()


onsuccess:
    warn_of_observer()


onerror:
    warn_of_observer()
    if said := full_disk(100):
        logger.error(said)


# The usual strict mode, and: no BLAS threads beside those that a command asks for, none of Sacred's warnings of a
# deprecated import. RUNS is no parameter: runs kept elsewhere are no reason to run again.
shell.prefix(
    "set -euo pipefail; export OMP_NUM_THREADS=1 PYTHONWARNINGS='ignore:pkg_resources is deprecated:UserWarning' "
    f"RUNS={shlex.quote(runs_folder())}; "
)


def recorded(kind, path):
    """Whether Snakemake has a record of this kind about a file."""
    name = base64.urlsafe_b64encode(path.encode()).decode()
    # As Snakemake splits what is too long for a file name.
    parts = [name[start : start + 254] for start in range(0, len(name), 254)]
    return Path(".snakemake", kind, *(f"@{part}" for part in parts[:-1]), parts[-1]).exists()
