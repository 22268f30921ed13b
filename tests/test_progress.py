"""A bar on a terminal, plain lines in a log."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import textwrap

from csvr.tracking.sources import ROOT

WORDS = textwrap.dedent("""
    import logging
    from csvr import cli, progress
    from csvr.errors import UserError

    def main():
        log = logging.getLogger("csvr.some")
        for done in (1, 2):
            log.info("%d of 4", done, extra=progress.share(done, 4))
        log.info("a word")
        log.info("3 of 4", extra=progress.share(3, 4))
        print(progress.pause())
        raise UserError("no more")

    cli.run(main)
""")


def test_a_log_has_plain_lines() -> None:
    done = subprocess.run([sys.executable, "-c", WORDS], cwd=ROOT, text=True, capture_output=True)
    lines = done.stderr.splitlines()
    assert [line.split(" ", 1)[1] for line in lines[:-1]] == ["1 of 4", "2 of 4", "a word", "3 of 4"]
    assert lines[-1] == "csvr: no more" and done.stdout == "10.0\n" and "\r" not in done.stderr


def test_a_terminal_has_a_bar() -> None:
    ours, theirs = pty.openpty()
    done = subprocess.run([sys.executable, "-c", WORDS], cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    shown = os.read(ours, 10_000).decode().replace("\r\n", "\n")
    os.close(ours)
    first, second = shown.split("\r\x1b[K")[:2]
    assert first.startswith("█" * 5 + "░" * 15 + "  25% ") and first.endswith(" 1 of 4")
    assert second.startswith("█" * 10 + "░" * 10 + "  50% ")
    # The bar makes room for a line, and for the last word.
    line, *more = shown.split("\n")
    assert line.split("\x1b[K")[-1].endswith(" a word") and "█" not in line.split("\x1b[K")[-1]
    assert more[0].startswith("█" * 15) and more[0].endswith(" 3 of 4") and more[1:] == ["csvr: no more", ""]
    assert done.stdout == "0.5\n"
