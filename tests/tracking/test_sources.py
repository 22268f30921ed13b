"""The hash of a command's sources: all that it runs, and nothing else."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from csvr.tracking.sources import ROOT, code_hash, sources


def test_sources_are_what_python_imports() -> None:
    """Everything of csvr that Python has loaded once the command looks for its files, none of which is there."""
    shape = {"frames": 1, "stride": 1, "crop": 1, "iframe_window": 1, "iframe_inside": True}
    flags = [f"--{name}=none" for name in ("index", "clips", "poses", "iframes", "variant", "output", "history")]
    code = (
        "import sys, csvr.pretrain.__main__ as command\n"
        "try:\n    command.main()\nexcept (Exception, SystemExit) as error:\n    print(error, file=sys.stderr)\n"
        "print(*(m.__file__ for n, m in sys.modules.items() if n.partition('.')[0] == 'csvr'), sep='\\n')"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *flags, "--seed=0", f"--params={json.dumps({'clip': shape})}"],
        cwd=ROOT, text=True, capture_output=True, check=True,
    )  # fmt: skip
    assert "none: not a readable csvr shard" in done.stderr
    loaded = done.stdout.split()
    found = {Path(path).relative_to(ROOT).as_posix() for path in loaded}
    assert len(found) > 20
    assert found <= set(sources("pretrain"))


def test_import_inside_a_function_counts_and_other_commands_do_not() -> None:
    assert "csvr/pose/extract.py" in sources("poses")
    assert "csvr/reporting/templates/ablation.md.j2" in sources("report")
    assert not any("reporting" in path or "evaluat" in path for path in sources("pretrain"))


def test_unknown_command() -> None:
    with pytest.raises(FileNotFoundError, match="no command 'pretrian'"):
        sources("pretrian")


def test_hash_follows_the_sources(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "csvr", tmp_path / "csvr", ignore=shutil.ignore_patterns("__pycache__"))

    def hashes() -> list[str]:
        words = "from csvr.tracking.sources import code_hash as h; print(h('evaluate'), h('pretrain'))"
        done = subprocess.run([sys.executable, "-c", words], cwd=tmp_path, text=True, capture_output=True, check=True)
        return done.stdout.split()

    before = hashes()
    assert before == [code_hash("evaluate"), code_hash("pretrain")]
    probe = tmp_path / "csvr/evaluation/probe.py"
    probe.write_text(probe.read_text() + "# changed\n")
    evaluate, pretrain = hashes()
    assert evaluate != before[0] and pretrain == before[1]
