"""A Slurm cluster on this machine, from Debian's packages: one controller, and several nodes that are all this machine.

By hand: python tests/slurm/cluster.py FOLDER starts it, Ctrl-C stops it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

HOME = Path("/etc/slurm/slurm.conf")
"""Where Slurm's commands look for it: Snakemake's job step hides SLURM_CONF from the srun that it calls."""
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol")
CONF = """\
ClusterName=csvr
SlurmctldHost={host}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
SlurmctldPort={port}
SlurmctldPidFile={folder}/slurmctld.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmdLogFile={folder}/slurmd.%n.log
SlurmdSpoolDir={folder}/spool.%n
StateSaveLocation={folder}/state
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
SlurmdParameters=config_overrides
ReturnToService=2
SlurmdTimeout=20
KillWait=5
MinJobAge=600
NodeName=DEFAULT CPUs={cores} RealMemory={memory} State=UNKNOWN
NodeName=n[1-{nodes}] NodeHostname={host} NodeAddr=127.0.0.1 Port=[{first}-{last}]
PartitionName=cpu Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


class Cluster:
    """Started on entry, stopped on exit, with all that it started.

    Args:
        folder: Where its state and logs are.
        nodes: How many.
        cores, memory: Of each, in number and MB.
    """

    def __init__(self, folder: Path, nodes: int = 3, cores: int = 2, memory: int = 8000) -> None:
        self.folder, self.nodes = folder.resolve(), nodes
        self._cores, self._memory = cores, memory
        self._started: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Cluster:
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self) -> None:
        (self.folder / "state").mkdir(parents=True)
        HOME.parent.mkdir(exist_ok=True)
        if HOME.is_symlink() and not HOME.exists():  # of a cluster that was killed
            HOME.unlink()
        HOME.symlink_to(self.folder / "slurm.conf")
        self.folder.chmod(0o755)  # munged refuses a folder that others can write to
        port = _free_ports(self.nodes + 1)
        (self.folder / "slurm.conf").write_text(
            CONF.format(
                host=socket.gethostname(), user="root", folder=self.folder, port=port[0], nodes=self.nodes,
                first=port[1], last=port[-1], cores=self._cores, memory=self._memory,
            )
        )  # fmt: skip
        key = self.folder / "munge.key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o400)
        self._run(
            "munged", "--foreground", "--force", f"--key-file={key}", f"--socket={self.folder}/munge.socket",
            f"--pid-file={self.folder}/munged.pid", f"--log-file={self.folder}/munged.log",
            f"--seed-file={self.folder}/munge.seed",
        )  # fmt: skip
        _wait(lambda: (self.folder / "munge.socket").exists(), "munged")
        self._run("slurmctld", "-D")
        for number in range(1, self.nodes + 1):
            self.start_node(f"n{number}")
        _wait(lambda: self.command("sinfo", "-h", "-o", "%T %D").split() == ["idle", str(self.nodes)], "slurmd")

    def start_node(self, name: str) -> None:
        """Start the daemon of a node, also after `kill_node`."""
        self._run("slurmd", "-D", "-N", name, label=name)

    def kill_node(self, name: str) -> None:
        """What a power cut does: the daemon and all that runs on the node are gone at once."""
        daemon = self._started.pop(name)
        for pid in _descendants(daemon.pid) + _of_node(name):
            _kill(pid)
        daemon.kill()
        daemon.wait()

    def command(self, *words: str) -> str:
        """Output of one of Slurm's commands; "" if it fails."""
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        return done.stdout if done.returncode == 0 else ""

    def __exit__(self, *_: object) -> None:
        self.command("scancel", "--user", "root")
        time.sleep(1)
        for daemon in reversed(self._started.values()):
            daemon.terminate()
        for daemon in self._started.values():
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
        for number in range(1, self.nodes + 1):
            for pid in _of_node(f"n{number}"):
                _kill(pid)
        if HOME.is_symlink() and HOME.readlink() == self.folder / "slurm.conf":
            HOME.unlink()

    def _run(self, *words: str, label: str = "") -> None:
        label = label or words[0]
        with (self.folder / f"{label}.out").open("ab") as out:
            program = shutil.which(words[0], path=f"{os.environ['PATH']}:/usr/sbin:/sbin") or words[0]
            self._started[label] = subprocess.Popen(
                [program, *words[1:]], stdout=out, stderr=out, preexec_fn=_ends_with_us
            )


def missing() -> list[str]:
    """What is not there: programs, the right to start daemons, a machine that is in no cluster yet."""
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    return [name for name in PROGRAMS if not shutil.which(name, path=path)] + [
        *["root"] * (os.getuid() != 0), *[f"a machine without {HOME}"] * HOME.exists()
    ]  # fmt: skip


def _free_ports(count: int) -> list[int]:
    """Successive ports that nobody listens on."""
    for first in range(26800, 60000, 50):
        ports = list(range(first, first + count))
        try:
            for port in ports:
                with socket.socket() as probe:
                    probe.bind(("", port))
            return ports
        except OSError:
            continue
    raise RuntimeError("no free ports")


def _descendants(pid: int) -> list[int]:
    """Processes that a process has started, and theirs."""
    found: list[int] = []
    children = Path(f"/proc/{pid}/task/{pid}/children")
    for child in children.read_text().split() if children.exists() else []:
        found += [int(child), *_descendants(int(child))]
    return found


def _of_node(name: str) -> list[int]:
    """Processes of jobs on a node, which outlive its daemon."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"SLURMD_NODENAME={name}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def _ends_with_us() -> None:
    """Let the kernel end this process when its parent ends, however that is (prctl PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _wait(ready: object, what: str, seconds: float = 90) -> None:
    assert callable(ready)
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise RuntimeError(f"{what} does not answer; see its log in the cluster's folder")
        time.sleep(0.2)


if __name__ == "__main__":
    # As Ctrl-C: what was started is stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    with contextlib.suppress(KeyboardInterrupt), Cluster(Path(sys.argv[1])) as cluster:
        print(f"{cluster.nodes} nodes; see sinfo", flush=True)
        signal.pause()
