"""Every command says at once what it takes: what it computes with is imported only when it computes."""

from __future__ import annotations

import subprocess
import sys
import textwrap

from csvr.tracking.sources import ROOT

COMMANDS = sorted(
    path.parent.name if path.name == "__main__.py" else path.stem
    for path in [*(ROOT / "csvr").glob("*.py"), *(ROOT / "csvr").glob("*/__main__.py")]
    if "cli.run(main)" in path.read_text()
)


def test_help_imports_nothing_heavy() -> None:
    # One process for all, since each would import the rest again.
    words = """
    import contextlib, io, runpy, sys
    for name in sys.argv[1:]:
        sys.argv = [name, "--help"]
        shown = io.StringIO()
        try:
            with contextlib.redirect_stdout(shown):
                runpy.run_module(f"csvr.{name}", run_name="__main__", alter_sys=True)
        except SystemExit as error:
            assert error.code == 0 and "usage:" in shown.getvalue(), name
        found = {"torch", "sacred", "sklearn"} & set(sys.modules)
        assert not found, f"csvr.{name} --help imports {found}"
    """
    assert {"evaluate", "pretrain", "poses"} <= set(COMMANDS)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(words), *COMMANDS], cwd=ROOT, text=True, capture_output=True
    )
    assert done.returncode == 0, done.stderr
