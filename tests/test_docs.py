"""What the docs name exists: links and anchors, commands and their flags, targets of make, files."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import snakemake.exceptions

from csvr.tracking.sources import ROOT

PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
# Folders of what a run makes.
MADE = ("data/", "features/", "results/", "reports/", "runs/", "logs/", "benchmarks/")
# Examples of what a reader has, or is to write.
YOURS = re.compile(r"…|[A-Z]{3,}|<|\*|mine|\bURL\b")


def names(paths: list[Path]) -> list[str]:
    return [path.relative_to(ROOT).as_posix() for path in paths]


def without_code(text: str) -> str:
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))


def code(text: str) -> Iterator[str]:
    """Commands of a page: lines of its blocks, those that go on joined, and what stands in backticks."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    for block in blocks:
        for line in block.replace("\\\n", " ").splitlines():
            yield from re.split(r" && |; ", line.split("  #")[0])
    plain = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    for span in re.findall(r"`([^`]+)`", plain):
        yield from span.replace("\n", " ").split(" && ")


def anchors(page: Path) -> set[str]:
    """Anchors of a page's headings, as code-hosting sites make them."""
    found: list[str] = []
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for heading in re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        number = sum(re.fullmatch(rf"{re.escape(slug)}(-\d+)?", other) is not None for other in found)
        found.append(f"{slug}-{number}" if number else slug)
    return set(found)


@pytest.mark.parametrize("name", names(PAGES))
def test_links_lead_somewhere(name: str) -> None:
    page = ROOT / name
    wrong = []
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        if not there.exists() or (anchor and anchor not in anchors(there)):
            wrong.append(target)
    assert wrong == []


def test_links_are_looked_at(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A `b` page: how, and why\n\n## Twice\n## Twice\n\n```sh\n# none\n```\n")
    assert anchors(page) == {"a-b-page-how-and-why", "twice", "twice-1"}


def test_every_page_is_led_to() -> None:
    """From the README, by links."""
    seen, todo = set(), [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        if page not in seen and page.exists():
            seen.add(page)
            targets = re.findall(r"\]\(([^)\s#]+\.md)(?:#[^)]*)?\)", without_code(page.read_text()))
            todo += [(page.parent / target).resolve() for target in targets if ":" not in target]
    assert set(PAGES) - seen == set()


def test_pages_that_texts_name_exist() -> None:
    files = [*PAGES, ROOT / "Makefile", ROOT / "Snakefile", ROOT / "dvc.yaml", ROOT / "requirements.in"]
    for folder, suffixes in (("csvr", "py"), ("workflow", "py smk yaml rst"), ("params", "yaml"), ("profiles", "yaml")):
        files += [path for suffix in suffixes.split() for path in (ROOT / folder).rglob(f"*.{suffix}")]
    named = {
        (found, path.relative_to(ROOT).as_posix())
        for path in files
        for found in re.findall(r"\bdocs/[\w/]+\.(?:md|png|svg)\b", path.read_text())
    }
    assert ("docs/method.md", "params/profile/paper.yaml") in named
    assert {(found, where) for found, where in named if not (ROOT / found).exists()} == set()


def test_results_are_committed_before_an_experiment() -> None:
    """`dvc checkout` leads back to what the last commit names; results that none names it removes."""
    blocks = [
        block
        for page in PAGES
        for block in re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    ]
    found = [block for block in blocks if re.search(r"^dvc repro.*^dvc exp run", block, re.MULTILINE | re.DOTALL)]
    assert found
    ordered = re.compile(r"^dvc repro.*^git commit -am .*^dvc exp run", re.MULTILINE | re.DOTALL)
    assert [block for block in found if not ordered.search(block)] == []


def test_targets_of_make_exist() -> None:
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    named = {
        (found, page.name)
        for page in PAGES
        for line in code(page.read_text())
        for found in re.findall(r"^make (?:-\S+ |[A-Z]+=\S+ )*([a-z][a-z-]*)", line)
    }
    assert {"reproduce", "test", "params"} <= {found for found, _ in named} <= known, named


def test_commands_and_their_flags_exist() -> None:
    """`python -m csvr.X …` in the docs: there is such a command, with such a subcommand and such flags."""
    used: dict[tuple[str, str], set[str]] = {}
    for page in PAGES:
        for line in code(page.read_text()):
            for command, rest in re.findall(r"-m csvr\.(\w+)(.*)", line):
                sub = re.match(r" ([a-z][a-z-]*)\b(?![./=])", rest)
                flags = set(re.findall(r"(?<=\s)--[a-z][a-z-]*", rest))
                used.setdefault((command, sub[1] if sub else ""), set()).update(flags)
    assert ("data", "check") in used
    # One process for all; of a command without subcommands the word is an argument.
    words = """
import contextlib, io, json, runpy, sys
shown = {}
for command, sub in json.loads(sys.argv[1]):
    sys.argv = [command, *([sub] if sub else []), "--help"]
    text = io.StringIO()
    try:
        with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
            runpy.run_module(f"csvr.{command}", run_name="__main__", alter_sys=True)
    except SystemExit as error:
        if error.code:
            text.write("FAILED")
    except ImportError as error:
        text.write(f"FAILED {error}")
    shown[f"{command} {sub}".strip()] = text.getvalue()
print(json.dumps(shown))
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", words, json.dumps(sorted(used))],
        cwd=ROOT, text=True, capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert {name for name, text in shown.items() if "FAILED" in text} == set()
    wrong = {
        f"{command} {sub} {flag}"
        for (command, sub), flags in used.items()
        for flag in flags
        if not re.search(rf"{flag}\b", shown[f"{command} {sub}".strip()])
    }
    assert wrong == set()


def test_files_in_tables_exist() -> None:
    """Paths in the first column of a table, unless a run makes them."""
    named = set()
    for page in (ROOT / "README.md", ROOT / "docs/reports.md", ROOT / "CONTRIBUTING.md"):
        for cell in re.findall(r"^\| ?([^|]*)\|", page.read_text(), flags=re.MULTILINE):
            for path in re.findall(r"`([\w.-]+/[\w./*-]*|\w+\.\w+|Snakefile|Makefile)`", cell):
                if not path.startswith(MADE) and not path.startswith("checks."):
                    named.add(path)
    assert "Snakefile" in named
    assert [path for path in sorted(named) if not any(ROOT.glob(path.rstrip("/")))] == []


def test_files_of_commands_exist() -> None:
    """Scripts and parameter files in commands."""
    named = {
        (found, page.name)
        for page in PAGES
        for line in code(page.read_text())
        for found in re.findall(r"(?<![\w./])(?:workflow|params|csvr|tests|profiles|\.ci)/[\w./-]+\w", line)
        if not YOURS.search(line) and f"Write `{found}`" not in page.read_text()
    }
    assert ("workflow/scripts/compose_params.py", "datasets.md") in named
    assert {each for each in named if not (ROOT / each[0]).exists()} == set()


def strings_of_csvr() -> str:
    """The code of csvr and of the workflow; a string that goes on in the next line is one."""
    files = [path for folder in ("csvr", "workflow") for path in (ROOT / folder).rglob("*")]
    sources = [path.read_text() for path in files if path.suffix in (".py", ".smk")]  # beside compiled ones
    return re.sub(r'"\s*\n\s*f?"', "", "\n".join(sources))


def test_reasons_of_bad_videos_are_real() -> None:
    """In the table of docs/datasets.md: what stands between brackets, numbers and … is in one string of the code."""
    table = (ROOT / "docs/datasets.md").read_text().split("| What it is | What becomes of it |")[1].split("\n\n")[0]
    cells = [line.split(" | ")[1] for line in table.strip().splitlines()[1:]]
    reasons = [span for cell in cells for span in re.findall(r"`((?:missing|unreadable|\()[^`]*)`", cell)]
    assert len(reasons) > 10
    reasons.remove("(Permission denied)")  # the system's
    ours = strings_of_csvr()
    pieces = [
        piece.strip().removeprefix("a ") for reason in reasons for piece in re.split(r"[…()×,]|\d+(?:\.\d+)?", reason)
    ]
    assert [piece for piece in pieces if piece not in ours] == []


def test_messages_of_the_troubleshooting_table_are_real() -> None:
    """What stands between two … of a message is in one string of the code; Snakemake's are in Snakemake."""
    ours = strings_of_csvr()
    theirs = re.sub(r'"\s*\n\s*f?"', "", Path(snakemake.exceptions.__file__).read_text())
    table = (ROOT / "README.md").read_text().split("| Message |")[1].split("\n\n")[0]
    messages = re.findall(r"^\| `([^`]+)`( \(Snakemake\))? \|", table, flags=re.MULTILINE)
    assert len(messages) == len(table.strip().splitlines()) - 2 >= 10
    pieces = [(piece.strip(), theirs if other else ours) for message, other in messages for piece in message.split("…")]
    assert [piece for piece, source in pieces if len(piece) > 8 and piece not in source] == []


def test_commands_of_messages_can_be_run() -> None:
    """Snakemake has to be told `--cores`, and takes all that follows `--forcerun` for names of rules."""
    commands = re.findall(r'(?:run|again:|&&) snakemake\b([^"\n;]*)', strings_of_csvr())
    assert len(commands) > 20
    assert [each for each in commands if not each.startswith(" --cores 8")] == []
    assert [each for each in commands if re.search(r"--forcerun \S+ ", each.split(" if ")[0])] == []


def test_every_requirement_has_a_licence() -> None:
    lines = [line.split("#")[0].strip() for line in (ROOT / "requirements.in").read_text().splitlines()]
    needed = [re.split(r"[=<>[ ]", line)[0] for line in lines if line]
    listed = re.findall(r"^\| ([\w-]+) \| (?!:|licence)", (ROOT / "docs/licences.md").read_text(), flags=re.MULTILINE)
    assert listed == needed
