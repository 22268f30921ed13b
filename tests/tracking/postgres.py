"""A PostgreSQL server of one's own, from the programs that Debian installs; never the machine's."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


def programs() -> Path | None:
    """The folder with `initdb` and `pg_ctl`."""
    return next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)


class Server:
    """A server in a folder, that listens on a socket there and on no port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # The server refuses to run as root.
        self.user = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        self.url = f"postgresql://{self.user}@/postgres?host={folder}"

    def run(self, program: str, *words: str) -> None:
        bin = programs()
        assert bin
        user = self.user if os.geteuid() == 0 else None
        done = subprocess.run(
            [bin / program, *words], cwd=self.folder, user=user, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout

    def start(self) -> None:
        self.run("pg_ctl", "-D", "data", "-w", "-l", "log", "-o", f"-c listen_addresses='' -k '{self.folder}'", "start")

    def stop(self) -> None:
        self.run("pg_ctl", "-D", "data", "-w", "-m", "immediate", "stop")


@contextlib.contextmanager
def server() -> Iterator[Server]:
    """A running server, gone afterwards."""
    if programs() is None:
        pytest.skip("no PostgreSQL in /usr/lib/postgresql (Debian: apt-get install postgresql)")
    # Not in pytest's folder: other users can't enter it, and the path of a socket must be short.
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
    found = Server(folder)
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, found.user)
        found.run("initdb", "-D", "data", "-A", "trust", "-U", found.user, "--no-sync")
        found.start()
        yield found
    finally:
        with contextlib.suppress(AssertionError):
            found.stop()
        shutil.rmtree(folder, ignore_errors=True)
