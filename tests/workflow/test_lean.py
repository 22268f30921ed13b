"""What Snakemake does over and over while jobs run is done once; and it still would do it over and over."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest
from lean import look_when_a_job_ends, remember_checksums
from snakemake.scheduling.job_scheduler import JobRateLimiter
from snakemake.settings.types import MaxJobsPerTimespan

from csvr.tracking.sources import ROOT

SCRIPTS = ROOT / "workflow" / "scripts"
JOBS, OUTPUTS = 5, 2
SNAKEFILE = f"""
import hashlib, sys
sys.path.insert(0, {str(SCRIPTS)!r})
from lean import look_when_a_job_ends, remember_checksums

take, taken = hashlib.file_digest, []

def digest(file, kind):
    taken.append(file.name)
    return take(file, kind)

hashlib.file_digest = digest
if config["lean"]:
    remember_checksums()

onstart:
    if config["lean"]:
        look_when_a_job_ends(workflow.scheduler)

rule all:
    input: expand("{{n}}.txt", n=range({JOBS}))

rule one:
    input: "features"
    output: "{{n}}.txt", "{{n}}.json"
    shell: "sleep 1; touch {{output}}"

onsuccess:
    print("taken:", *taken)
"""


def run(folder: Path, lean: bool) -> tuple[int, Counter[str]]:
    """How often a run looked for jobs to start, and took the checksum of each file."""
    (folder / "Snakefile").write_text(SNAKEFILE)
    (folder / "features").write_text("of all videos")
    command = ["snakemake", "--cores", "1", "--verbose", "--config", f"lean={int(lean)}"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    (taken,) = re.findall(r"^taken: (.*)$", said, re.M)
    return len(re.findall(r"Ready jobs: ", said)), Counter(taken.split())


@pytest.mark.parametrize("lean", [True, False])
def test_jobs_and_checksums(tmp_path: Path, lean: bool) -> None:
    looked, taken = run(tmp_path, lean)
    if lean:
        assert looked <= JOBS + 2 and taken["features"] == 1
    else:
        assert looked > 2 * JOBS and taken["features"] == JOBS * OUTPUTS, "Snakemake does so itself: remove lean.py"


class File:
    """As Snakemake's, as far as it matters here."""

    is_storage = False
    reads = 0

    def __init__(self, path: Path) -> None:
        self.file = str(path)

    async def checksum(self, threshold: int | None = None, force: bool = False, algorithm: object = None) -> str | None:
        type(self).reads += 1
        return f"{algorithm}:{Path(self.file).read_text()}" if Path(self.file).exists() else None


def test_a_file_that_changed_is_read_again(tmp_path: Path) -> None:
    class Ours(File):
        pass

    remember_checksums(Ours)
    path = tmp_path / "file"

    def checksum(**kwargs: object) -> str | None:
        return asyncio.run(Ours(path).checksum(10, **kwargs))  # type: ignore[arg-type]

    assert checksum() is checksum() is None and Ours.reads == 2
    path.write_text("a")
    assert checksum() == checksum() == "None:a" and Ours.reads == 3
    before = path.stat()
    path.write_text("b")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert checksum() == "None:b", "as large and as old, but written"
    assert checksum(algorithm="md5") == "md5:b" and checksum() == "None:b"
    path.unlink()
    assert checksum() is None


def test_a_limit_that_was_asked_for_stays() -> None:
    for limit, stays in (("100/1s", False), ("5/1s", True), ("100/1m", True)):
        scheduler = SimpleNamespace(job_rate_limiter=JobRateLimiter(MaxJobsPerTimespan.parse_choice(limit)))
        look_when_a_job_ends(scheduler)
        assert bool(scheduler.job_rate_limiter) is stays
