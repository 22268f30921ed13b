"""What all rules share: the check of the parameters, where runs are kept, records of results.

A rule has the hash of its command's sources among its `params`, so that a changed step runs again and no other. Not as
input files: Snakemake looks into those only if they are newer than the output, and a checkout gives any age to both.
"""

import base64
import collections
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
from check_params import message, problems
from csvr.errors import UserError
from csvr.files import sha256
from csvr.launch import gpus
from csvr.tracking import observer_url
from csvr.tracking.sources import code_hash
from csvr.variants import PRETRAIN, VARIED, WEIGHTS, applied

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


def recorded(kind, path):
    """Whether Snakemake has a record of this kind about a file."""
    name = base64.urlsafe_b64encode(path.encode()).decode()
    # As Snakemake splits what is too long for a file name.
    parts = [name[start : start + 254] for start in range(0, len(name), 254)]
    return Path(".snakemake", kind, *(f"@{part}" for part in parts[:-1]), parts[-1]).exists()
