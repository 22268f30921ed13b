"""What was measured: runs of each way of doing something, in turn, kept as lines of JSON so that nothing is lost."""

from __future__ import annotations

import hashlib
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REAL = ROOT.parent / "shared" / "real_clips"
RUNS = 5
CSVR = "csvr"
"""Name of csvr's own way in each case."""


@dataclass(frozen=True)
class Figure:
    """All runs of one way of doing one thing.

    Attributes:
        goal: Module that measured it.
        case: What was done, and on what.
        name: Way of doing it: `CSVR`, a peer, or one that starts with "floor".
        unit: Of the values, "s" where they are times.
        values: One a run; none where the way is not to be had here.
        note: Why there are fewer runs than `RUNS`, or none.
        made: Digest of the sources that were measured and that measured.
    """

    goal: str
    case: str
    name: str
    unit: str
    values: list[float]
    note: str
    made: str

    @property
    def median(self) -> float:
        """Of all runs; not a number where there is none."""
        return statistics.median(self.values) if self.values else float("nan")


@dataclass(frozen=True)
class Goal:
    """One sentence of what is to be reached, and what was.

    Attributes:
        text: What was to be reached.
        found: What was measured; None where it was not.
        limit: For `found`.
        least: Whether `limit` is the least that is wanted, not the most.
        unit: Of `found` and `limit`.
        note: What else a reader must know.
    """

    text: str
    found: float | None
    limit: float
    least: bool = True
    unit: str = "×"
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether it was reached; None where it was not measured."""
        if self.found is None or self.found != self.found:
            return None
        return self.found >= self.limit if self.least else self.found <= self.limit


class Figures:
    """Figures by case and name.

    Args:
        found: Of one goal.
    """

    def __init__(self, found: list[Figure]) -> None:
        self.all = found

    def cases(self, start: str = "") -> list[str]:
        """Cases whose name starts so, in the order in which they were measured."""
        return list(dict.fromkeys(figure.case for figure in self.all if figure.case.startswith(start)))

    def median(self, case: str, name: str = CSVR) -> float | None:
        """None if it was not measured."""
        found = [f.median for f in self.all if (f.case, f.name) == (case, name) and f.values]
        return found[-1] if found else None

    def ratio(self, case: str, of: str, to: str = CSVR) -> float | None:
        """Median of one way by that of another: above 1, the second one is faster."""
        first, second = self.median(case, of), self.median(case, to)
        return first / second if first is not None and second else None

    def worst(self, ratios: list[float | None]) -> float | None:
        """The least of those that were measured."""
        return min((ratio for ratio in ratios if ratio is not None), default=None)


class Unavailable(Exception):
    """A peer is not installed here; the message says which."""


class Bench:
    """Measures what is not among the raw measurements yet.

    Args:
        raw: File of raw measurements, one line of JSON a figure.
        scratch: Folder for files that are measured with.
        quick: Few runs of small things: does it work at all?
        peers: Python of an environment with peers that csvr doesn't need; None without.
        finished: Folder of a finished run of the workflow, whose records are read.
        real: Folder of real clips, which may not be there.
    """

    def __init__(
        self, raw: Path, scratch: Path, quick: bool = False, peers: Path | None = None, finished: Path = ROOT,
        real: Path = REAL,
    ) -> None:  # fmt: skip
        self.raw, self.scratch, self.quick, self.peers = raw, scratch, quick, peers
        self.finished, self.real = finished, real
        self.goal = ""
        scratch.mkdir(parents=True, exist_ok=True)

    def figures(self, goal: str) -> Figures:
        """What is known of one goal with the sources as they are."""
        return Figures([f for f in read(self.raw) if f.goal == goal and f.made == made(goal)])

    def compare(
        self, case: str, ways: Mapping[str, Callable[[], float | None]], runs: int = RUNS, unit: str = "s",
        note: str = "", warm: bool = True,
    ) -> None:  # fmt: skip
        """Run each way `runs` times, taking turns, so that a slow minute of the machine hits all alike.

        Args:
            case: What is done.
            ways: By name; each gives its value, or None to have its wall time taken. One that raises `Unavailable`
                is noted as such.
            runs: Of each way.
            unit: Of the values.
            note: Of all ways.
            warm: Whether to run each once before, uncounted.
        """
        known = {figure.name for figure in self.figures(self.goal).all if figure.case == case}
        ways = {name: way for name, way in ways.items() if name not in known}
        runs, values, notes = 1 if self.quick else runs, {name: list[float]() for name in ways}, dict[str, str]()
        for turn in range(-1 if warm and not self.quick else 0, runs):
            for name, way in ways.items():
                if name in notes:
                    continue
                began = time.perf_counter()
                try:
                    value = way()
                except Unavailable as error:
                    notes[name] = str(error)
                    continue
                value = time.perf_counter() - began if value is None else value
                if turn >= 0:
                    values[name].append(value)
        with self.raw.open("a") as file:
            for name in ways:
                about = notes.get(name, note)
                figure = Figure(self.goal, case, name, unit, values[name], about, made(self.goal))
                file.write(json.dumps(asdict(figure)) + "\n")
        shown = ", ".join(f"{name} {statistics.median(found):.4g}" for name, found in values.items() if found)
        if shown:
            print(f"{self.goal}: {case}: {shown} {unit}", flush=True)

    def keep(self, case: str, taken: Mapping[str, list[float]], unit: str = "s") -> None:
        """Keep values, by name, that were taken together."""
        runs = len(next(iter(taken.values())))
        self.compare(case, {name: iter(values).__next__ for name, values in taken.items()}, runs, unit, warm=False)

    def value(self, case: str, value: float, unit: str, name: str = CSVR, note: str = "") -> None:
        """Keep what needs no second run: a size, a count."""
        self.compare(case, {name: lambda: value}, 1, unit, note, warm=False)


def read(raw: Path) -> list[Figure]:
    """All figures of a file of raw measurements; a line that a killed run left unfinished is passed over."""
    found = []
    for line in raw.read_text().splitlines() if raw.exists() else []:
        try:
            found.append(Figure(**json.loads(line)))
        except (ValueError, TypeError):
            continue
    return found


def made(goal: str) -> str:
    """Digest of csvr's sources and of the module that measures a goal: figures of others are not taken."""
    digest = hashlib.sha256()
    for path in [*sorted((ROOT / "csvr").rglob("*.py")), Path(__file__).with_name(f"{goal}.py")]:
        digest.update(path.read_bytes() if path.exists() else b"")
    return digest.hexdigest()[:16]


def cpu_seconds(work: Callable[[], object]) -> float:
    """CPU time of this process and of its ended children during `work`, all threads together."""

    def spent() -> float:
        usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(usage.ru_utime + usage.ru_stime for usage in usages)

    began = spent()
    work()
    return spent() - began


def python(*words: str | Path, cwd: Path = ROOT) -> float:
    """Wall time of a Python process.

    Raises:
        RuntimeError: It failed; with its output.
    """
    began = time.perf_counter()
    run([sys.executable, *words], cwd)
    return time.perf_counter() - began


def run(words: list[str | Path], cwd: Path = ROOT, errors: bool = False) -> str:
    """Output of a command; with `errors` what it says on its second output follows.

    Raises:
        RuntimeError: It failed; with its output.
    """
    done = subprocess.run([str(word) for word in words], cwd=cwd, text=True, capture_output=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, words))[:500]}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout + done.stderr * errors
