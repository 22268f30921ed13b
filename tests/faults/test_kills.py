"""The whole workflow, killed at random moments until it is done: it ends as one that nobody disturbed.

By whichever command it is started: Snakemake, `dvc repro` and `dvc exp run` take turns. As often as CSVR_KILLS says;
what `make test` interrupts is in tests/workflow/test_interruptions.py.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
from collections import Counter
from pathlib import Path

from tests.faults.runs import Undisturbed, content, long, repository
from tests.workflow.experiments import Repository

KILLS = int(os.environ.get("CSVR_KILLS", "0"))
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
COMMANDS = (("snakemake", "--cores", "8"), ("dvc", "repro"), ("dvc", "exp", "run"))


def freed(folder: Repository, said: str) -> bool:
    """Whether what a killed run left behind was in the way; it is removed as the message says."""
    if "--unlock" in said:
        folder.run("snakemake", "--unlock")
    elif "rwlock" in said:
        (folder.path / ".dvc/tmp/rwlock").unlink()
    else:
        return False
    return True


@long
def test_killed_at_any_moment(undisturbed: Undisturbed, tmp_path: Path) -> None:
    rng = random.Random(17)
    killed: Counter[str] = Counter()
    rounds = unlocked = 0
    while sum(killed.values()) < KILLS:
        folder = repository(tmp_path / f"r{rounds}")
        rounds += 1
        while True:
            words = rng.choice(COMMANDS)
            process = folder.start(*words)
            stop = sum(killed.values()) < KILLS
            # Early moments are many: most of a resumed run is behind it.
            after = rng.uniform(1, 0.25 * undisturbed.seconds) if stop else 20 * undisturbed.seconds
            try:
                out, _ = process.communicate(timeout=after)
            except subprocess.TimeoutExpired:
                way = rng.choice(SIGNALS)
                os.killpg(process.pid, way)
                try:
                    process.communicate(timeout=60)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.communicate()
                killed[f"{' '.join(words[:2])}, {way.name}"] += 1
                print(f"kill {sum(killed.values())}: {' '.join(words)} after {after:.1f} s by {way.name}", flush=True)
                continue
            if process.returncode and freed(folder, out):
                unlocked += 1
                continue
            assert process.returncode == 0, f"{words}\n{out}"
            break
        assert content(folder.path) == undisturbed.content, f"round {rounds}, {dict(killed)}"
        left = [
            path
            for path in (folder.path / "results").rglob("*")
            if ".part" in path.name or path.suffix == ".checkpoints"
        ]
        left += list((folder.path / "features").rglob("*.part*"))
        assert not left, left
    print(
        f"{sum(killed.values())} kills in {rounds} runs of {undisturbed.seconds:.0f} s, {unlocked} locks freed as said"
    )
    print("\n".join(f"  {name}: {count}" for name, count in sorted(killed.items())))
