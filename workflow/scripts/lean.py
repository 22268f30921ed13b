"""What Snakemake does over and over while jobs run, done once: a sixteenth of the time of a run of 80 jobs."""

from __future__ import annotations

import functools
import os
from typing import Any, Final

from snakemake.io import _IOFile

DEFAULT_LIMIT: Final = (100, 1)
"""Jobs a second that Snakemake starts at most where no limit is given."""


def look_when_a_job_ends(scheduler: Any) -> None:
    """Look for jobs to start when one has ended, not every second besides.

    For its default limit, Snakemake plans to look once more a second later, each time it looks: after 80 jobs that is
    80 times a second, each time at the size of all input files. A limit that was asked for stays.

    Args:
        scheduler: `workflow.scheduler`, which is there from `onstart` on.
    """
    limit = scheduler.job_rate_limiter
    if limit and (limit.max_jobs, limit.timespan) == DEFAULT_LIMIT:
        scheduler.job_rate_limiter = None


def remember_checksums(kind: Any = _IOFile) -> None:
    """Take the checksum of a file once, until the file changes.

    Snakemake reads all input files of a job when it has ended, once for each of its output files, before it starts the
    next: the features of a whole data set for each training.

    Args:
        kind: Snakemake's class of files.
    """
    compute, known = kind.checksum, dict[str, tuple[tuple[int, ...], str]]()

    @functools.wraps(compute)
    async def checksum(self: Any, threshold: int | None = None, force: bool = False, algorithm: Any = None) -> Any:
        path, now = str(self.file), _stamp(str(self.file))
        before, found = known.get(path, (None, None))
        if before is None or before != now or algorithm is not None or self.is_storage:
            found = await compute(self, threshold, force, algorithm)
            if now and found and algorithm is None and not self.is_storage:
                known[path] = now, found
        return found

    kind.checksum = checksum


def _stamp(path: str) -> tuple[int, ...] | None:
    """What is another one when a file was written; None if there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
