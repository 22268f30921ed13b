"""Every step of the workflow is a Sacred run: config, seed, sources, git state, host, output and metrics."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sacred import SETTINGS, Experiment
from sacred.run import Run

from csvr import memory
from csvr.tracking.observers import Files, database
from csvr.tracking.sources import ROOT, code_hash

SETTINGS.CAPTURE_MODE = "sys"
SETTINGS.HOST_INFO.INCLUDE_GPU_INFO = False  # shells out to nvidia-smi on every start


def record(name: str, main: Callable[[dict[str, Any], Run], Any], config: dict[str, Any], runs: Path) -> Any:
    """Run `main(config, run)` as one Sacred run called `name`, stored under `runs` (and where CSVR_OBSERVER says).

    Args:
        name: The command's name, e.g. "pretrain" for `python -m csvr.pretrain`.
        main: Does the work. `run._id` is the run id to write into the declared output, `run.info["code_sha256"]`
            the hash of the command's sources; `run.log_scalar` records a metric over time.
            Whatever it returns becomes the run's result (plain JSON types only).
        config: Effective configuration, plain JSON types; `config["seed"]` seeds random, numpy and torch, which is
            imported for that alone.
        runs: Folder of the file-storage observer.

    Returns:
        What `main` returned.

    Raises:
        UserError: CSVR_OBSERVER is no URL of a database; nothing is run.
        Whatever `main` raises; the run is then recorded as FAILED, or as INTERRUPTED after Ctrl-C and SIGTERM.
    """
    if "seed" in config:
        import torch  # noqa: F401  (Sacred seeds torch only if it is imported when the run starts)
    code, further = code_hash(name), database(runs)
    experiment = Experiment(name, base_dir=str(ROOT), save_git_info=(ROOT / ".git").exists())
    # This module's commit is that of all: asking git for every file takes longer than the rest of the record.
    experiment.save_git_info = False
    for source in sorted((ROOT / "csvr").rglob("*.py")):
        experiment.add_source_file(str(source))
    for known in experiment.sources:
        known.repo = known.repo and without_user(known.repo)
    experiment.observers += [Files(runs), further] if further else [Files(runs)]
    # A name of its own: Sacred sets this logger's level, and would silence the progress of a logger called csvr.*
    experiment.logger = logging.getLogger(f"sacred.{name}")  # type: ignore[assignment]
    experiment.add_config(config)

    @experiment.main  # type: ignore[untyped-decorator]
    def _(_run: Run) -> Any:
        _run.info["code_sha256"] = code
        if further:
            _run.info["database_run"] = further.key
        memory.settle()
        return main(config, _run)

    # Snakemake ends jobs by SIGTERM, and batch systems too; without a handler nothing would be recorded.
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        return experiment.run(options={"--loglevel": "WARNING"}).result
    finally:
        signal.signal(signal.SIGTERM, before)


def without_user(address: str) -> str:
    """Where a checkout came from, without user and password: a token may stand for either."""
    scheme, mark, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{mark}{host.rpartition('@')[2]}{slash}{path}"


def _interrupt(number: int, frame: Any) -> None:
    raise KeyboardInterrupt(f"signal {number}")
