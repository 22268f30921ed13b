"""What all commands have in common: help that says at once what they take, flags, dry runs, exit codes."""

from __future__ import annotations

import argparse
import errno
import json
import os
import platform
import re
import signal
import subprocess
import sys
import textwrap
from collections import defaultdict
from pathlib import Path
from unittest import mock

import pytest

from csvr import cli, models
from csvr.errors import UserError
from csvr.tracking.sources import ROOT

COMMANDS = sorted(
    path.parent.name if path.name == "__main__.py" else path.stem
    for path in [*(ROOT / "csvr").glob("*.py"), *(ROOT / "csvr").glob("*/__main__.py")]
    if "cli.run(main)" in path.read_text()
)


@pytest.fixture(scope="module")
def helps() -> dict[str, str]:
    """The help of every command and subcommand; what that imports is looked at, too."""
    # One process for all, since each would import the rest again.
    words = r"""
    import contextlib, io, json, re, runpy, sys
    todo, found = [[name] for name in sys.argv[1:]], {}
    while todo:
        sys.argv = [*todo.pop(), "--help"]
        shown = io.StringIO()
        try:
            with contextlib.redirect_stdout(shown):
                runpy.run_module(f"csvr.{sys.argv[0]}", run_name="__main__", alter_sys=True)
        except SystemExit as error:
            assert error.code == 0 and "usage:" in shown.getvalue(), sys.argv
        heavy = {"torch", "pandas", "sacred", "sklearn"} & set(sys.modules)
        assert not heavy, f"csvr.{sys.argv[0]} --help imports {heavy}"
        found[" ".join(sys.argv[:-1])] = text = shown.getvalue()
        subcommands = re.search(r"positional arguments:\n  \{([a-z,-]+)\}\n    \w", text)
        todo += [[sys.argv[0], name] for name in subcommands[1].split(",")] if subcommands else []
    print(json.dumps(found))
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(words), *COMMANDS], cwd=ROOT, text=True,
        capture_output=True, env=os.environ | {"COLUMNS": "300"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_help_says_what_a_command_and_its_flags_are(helps: dict[str, str]) -> None:
    assert {"evaluate", "pretrain", "poses", "poses extract", "report ablation", "data check"} <= set(helps)
    for name, text in helps.items():
        assert text.startswith(f"usage: python -m csvr.{name} [-h]"), name
        _, about, rest = text.split("\n\n", 2)
        assert len(about.split()) > 3, name
        entries = dict(re.findall(r"^  (--[a-z-]+).*?  (\S.*)$", re.sub(r"\n {20,}", "  ", rest), flags=re.MULTILINE))
        assert {flag for flag, said in entries.items() if len(said.split()) < 2} == set(), name
        assert all("(default: " in entries[flag] for flag in ("--threads", "--device", "--split") if flag in entries)


def test_help_has_defaults() -> None:
    text = parser().format_help()
    assert "folder of the Sacred runs (default: runs)" in text and "CPU threads to compute with (default: 1)" in text
    assert "read if there" in text and text.count("default") == 2


def test_what_writes_has_a_dry_run(helps: dict[str, str]) -> None:
    writing = {name for name, text in helps.items() if re.search(r"^  --(output|root)", text, flags=re.MULTILINE)}
    assert len(writing) > 20
    assert {name for name in writing if "--dry-run" not in helps[name]} == set()
    assert {name for name in helps if "--dry-run" in helps[name]} == writing


def test_a_flag_means_the_same_in_all_commands(helps: dict[str, str]) -> None:
    """As docs/commands.md says; where a command has it, it takes as much."""
    listed = (ROOT / "docs/commands.md").read_text().split("## Flags")[1].split("## Exit")[0]
    flags = set(re.findall(r"`(--[a-z-]+)`", "".join(re.findall(r"^\|.*?\|", listed, flags=re.MULTILINE))))
    assert {"--params", "--layout", "--device", "--dry-run"} <= flags
    found = defaultdict(set)
    for name, text in helps.items():
        for flag, value in re.findall(r"^  (--[a-z-]+)(?: (\S+))?", text, flags=re.MULTILINE):
            found[flag].add(value)
            assert flag not in ("--accelerator", "--dataset"), name
    assert flags <= found.keys()
    # Neither sometimes with a value and sometimes without, nor under another name.
    assert {flag for flag, values in found.items() if "" in values and len(values) > 1} == set()


def test_reports_have_the_names_of_their_rules() -> None:
    """`rule table_pose_quality` calls `csvr.report pose-quality`; likewise the tables that params/config.yaml names."""
    texts = [path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk")]
    rules = [rule for text in texts for rule in re.split(r"^rule ", text, flags=re.MULTILINE)[1:]]
    found = [re.search(r"\A(?:table|figure)_(\w+):.*csvr\.report ([a-z-]+)", rule, re.DOTALL) for rule in rules]
    named = [(each[1], each[2]) for each in found if each]
    named += [pair for text in texts for pair in re.findall(r'"(\w+)": Report\(\s*"csvr\.report ([a-z-]+)"', text)]
    named.remove(("ssv2", "action-recognition"))  # of another data set
    assert len(named) > 10
    assert [(rule, report) for rule, report in named if rule != report.replace("-", "_")] == []


def parser() -> argparse.ArgumentParser:
    result = cli.parser("A command.")
    result.add_argument("--index", type=Path, required=True, help="read")
    result.add_argument("--metrics", type=cli.perhaps, nargs="+", default=[], help="read if there")
    result.add_argument("--output", type=cli.written, nargs="+", required=True, help="written")
    return result


def flags(monkeypatch: pytest.MonkeyPatch, *words: str | Path) -> argparse.Namespace:
    monkeypatch.setattr(sys, "argv", ["command", *map(str, words)])
    return cli.parse(parser())


def test_a_dry_run_prints_what_would_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("index.csv", "old.md"):
        Path(name).touch()
    common = "--index", "index.csv", "--metrics", "none", "--output", "new/a.md", "old.md"
    assert flags(monkeypatch, *common).output == [Path("new/a.md"), Path("old.md")]
    with pytest.raises(SystemExit) as ended:
        flags(monkeypatch, *common, "--dry-run")
    assert ended.value.code == 0
    assert capsys.readouterr().out.splitlines() == [
        "would write runs", "would write new/a.md", "would write old.md (there already)"
    ]  # fmt: skip
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index.csv", "old.md"]
    # Where it is left open whether anything is written: the sizes of networks are printed.
    monkeypatch.setattr(sys, "argv", ["models", "--params", "{}", "--dry-run"])
    with pytest.raises(SystemExit):
        models.main()
    assert capsys.readouterr().out == "would write nothing\n"


def test_a_dry_run_refuses_what_can_not_be_read_or_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"--index index.csv: no such file or folder; make it first, or name another"):
        flags(monkeypatch, "--index", "index.csv", "--output", "a.md", "--dry-run")
    Path("index.csv").touch()
    with pytest.raises(UserError, match=r"--output index.csv/a.md: index.csv can't be written to; name another"):
        flags(monkeypatch, "--index", "index.csv", "--output", "index.csv/a.md", "--dry-run")


def test_a_dry_run_of_a_subcommand(tmp_path: Path) -> None:
    words = "report", "per-class", "--metrics", "none", "--expect", "{}", "--output", str(tmp_path / "a.png")
    done = subprocess.run(
        [sys.executable, "-m", f"csvr.{words[0]}", *words[1:], "--dry-run"], cwd=ROOT, text=True, capture_output=True
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "csvr: --metrics none: no such file or folder; make it first, or name another\n"


def ended(error: BaseException | None) -> int:
    """The exit code of a command in which that is raised; 1 where it is left to Python."""

    def main() -> None:
        if error is not None:
            raise error

    with mock.patch.object(cli.memory, "prepare"):  # which would start pytest anew
        try:
            cli.run(main)
        except SystemExit as code:
            return int(str(code.code))
        except Exception:
            return 1
        return 0


def test_exit_codes_are_those_of_the_docs() -> None:
    text = (ROOT / "docs/commands.md").read_text().split("## Exit codes")[1]
    assert [int(code) for code in re.findall(r"^\| (\d+) \|", text, flags=re.MULTILINE)] == list(cli.Exit)
    codes = [
        ended(error)
        for error in (None, ValueError(), UserError("x"), KeyboardInterrupt(), KeyboardInterrupt("signal 15"))
    ]
    assert codes == list(cli.Exit)
    assert ended(OSError(errno.ENOSPC, "No space left on device")) == cli.Exit.MEND
    assert ended(OSError(errno.ENOENT, "No such file or directory")) == cli.Exit.FAILED
    with pytest.raises(SystemExit) as usage:
        cli.parser("A command.").parse_args(["--thr", "2"])
    assert usage.value.code == cli.Exit.MEND


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("print('x' * 100_000)", cli.Exit.FAILED, ""),
        ("raise BrokenPipeError('another one')", cli.Exit.FAILED, "BrokenPipeError: another one"),
    ],
)  # fmt: skip
def test_output_that_nobody_reads_on_is_no_traceback(words: str, code: int, said: str) -> None:
    """`python -m csvr.plan | head`; any other pipe that breaks is told."""
    reads, writes = os.pipe()
    if not said:
        os.close(reads)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", f"import os; from csvr import cli; cli.run(lambda: exec({words!r}))"],
        cwd=ROOT, text=True, stdout=writes, stderr=subprocess.PIPE,
    )  # fmt: skip
    os.close(writes)
    assert done.returncode == code and done.stderr.strip().endswith(said) and bool(said) == bool(done.stderr)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library gives memory back in its own way")
def test_memory_that_was_freed_is_kept_for_what_comes_next() -> None:
    words = """
    import resource, sys
    from csvr import cli

    def work():
        for _ in range(10):
            bytes([1]) * (40 << 20)

    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    cli.run(work) if sys.argv[1] == "command" else work()
    print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) * resource.getpagesize() / (40 << 20))
    """

    def blocks(way: str) -> float:
        """For how many of ten blocks the kernel had to provide pages."""
        command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(words), way]
        return float(subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=True).stdout)

    assert blocks("command") < 2 < 9 < blocks("plain")


def test_only_what_reads_reencoded_videos_takes_them(helps: dict[str, str]) -> None:
    assert {name for name, text in helps.items() if "--reencoded" in text} == {"clips", "iframes", "poses extract"}


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, cli.Exit.INTERRUPTED), (signal.SIGTERM, cli.Exit.TERMINATED)]
)
def test_a_recorded_command_that_is_ended(tmp_path: Path, number: signal.Signals, code: int) -> None:
    """Whatever Sacred makes of it."""
    words = """
    import os, sys
    from pathlib import Path
    from csvr import cli
    from csvr.tracking.record import record
    end = lambda config, run: os.kill(os.getpid(), int(sys.argv[2]))
    cli.run(lambda: record("index", end, {}, Path(sys.argv[1])))
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(words), str(tmp_path), str(int(number))],
        cwd=ROOT, text=True, capture_output=True,
    )  # fmt: skip
    assert done.returncode == code and done.stderr.endswith("csvr: interrupted\n"), done.stderr
