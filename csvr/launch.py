"""Start a command on GPUs of its own: python -m csvr.launch --gpus 1 pretrain --index …

Two commands never share a GPU: each takes free ones, and waits until there are as many as it asks for. A GPU is taken
by a lock on a file of this machine, which ends with the process that holds it, however that ends. Where a batch system
has given the job its GPUs, those are taken as they are. Without `--gpus` the command sees none.

Several GPUs are for `pretrain`: a process each (torchrun); several nodes are for a job of a batch system that has as
many (srun). `--scratch` reads shards from a disk of this machine, where they are copied first unless they are there.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from csvr.errors import UserError

SHARING: Final = ("pretrain",)
"""Commands that several processes can share."""
PORT: Final = 29500
"""Where processes of several nodes meet."""
STAGED: Final = ("--clips", "--poses", "--iframes")
"""Flags whose files are read over and over."""
WAIT_SECONDS: Final = 2.0


def gpus() -> list[str]:
    """The GPUs of this machine that CUDA_VISIBLE_DEVICES leaves, by the names that it takes."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name.strip() for name in visible.split(",") if name.strip()]
    # Without torch, whose import takes seconds.
    return sorted((path.name.removeprefix("nvidia") for path in Path("/dev").glob("nvidia[0-9]*")), key=int)


def take(count: int, names: list[str], folder: Path, wait: float = WAIT_SECONDS) -> list[str]:
    """Take GPUs for this process, and for what it starts, until all of these have ended.

    Args:
        count: How many.
        names: Those that there are.
        folder: Of the locks, the same one for all processes of this machine.
        wait: Seconds from try to try.

    Returns:
        Their names.

    Raises:
        UserError: There are not as many.
    """
    if count > len(names):
        raise UserError(f"--gpus {count}: there are {len(names)} here; ask for fewer (--set-resources pretrain:gpu=…)")
    if count == 0:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    said = False
    while True:
        taken: dict[str, int] = {}
        for name in names:
            lock = os.open(folder / f"{name.replace('/', '_')}.lock", os.O_RDWR | os.O_CREAT, 0o666)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                taken[name] = lock
            except BlockingIOError:
                os.close(lock)
            if len(taken) == count:
                break
        if len(taken) == count:
            for lock in taken.values():
                os.set_inheritable(lock, True)
            return list(taken)
        # All or none: two that hold a part each would wait for each other.
        for lock in taken.values():
            os.close(lock)
        if not said:
            print(f"waiting for {count} of {len(names)} GPUs to become free", file=sys.stderr, flush=True)
            said = True
        time.sleep(wait)


def command(name: str, flags: list[str], gpus: int, nodes: int) -> list[str]:
    """The command line that starts `python -m csvr.<name>`, as one process or as one for each GPU of each node.

    Raises:
        UserError: The command is no one that processes can share, or this is no job of several nodes.
    """
    if max(gpus, nodes) > 1 and name not in SHARING:
        raise UserError(f"{name}: one process computes it; take --gpus 0 or 1 and one node")
    module = ["-m", f"csvr.{name}", *flags]
    if nodes > 1:
        job = os.environ.get("SLURM_JOB_ID")
        if job is None:
            raise UserError(f"--nodes {nodes}: not inside a Slurm job; see docs/scale.md")
        # Not from SLURM_JOB_NODELIST, which Snakemake's job step takes away.
        hosts = _output("squeue", "--noheader", "--jobs", job, "--format", "%N").strip()
        meeting = _output("scontrol", "show", "hostnames", hosts).split()[0]
        each = ["srun", f"--nodes={nodes}", f"--ntasks={nodes}", "--ntasks-per-node=1", "--kill-on-bad-exit=1"]
        return [
            *each, sys.executable, "-m", "torch.distributed.run", f"--nnodes={nodes}",
            f"--nproc-per-node={max(1, gpus)}", f"--rdzv-id={job}", "--rdzv-backend=c10d",
            f"--rdzv-endpoint={meeting}:{PORT}", *module,
        ]  # fmt: skip
    if gpus > 1:
        return [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={gpus}", *module]
    return [sys.executable, *module]


def staged(flags: list[str], scratch: Path) -> list[str]:
    """The flags with copies of the files of `STAGED`, one copy for all jobs of this machine; whole or not there.

    Args:
        flags: Of a command.
        scratch: Folder on a disk of this machine.

    Raises:
        UserError: There is no room, or the folder can't be written.
    """
    result, wanted = [], False
    for flag in flags:
        if flag.startswith("--"):
            wanted = flag in STAGED
            result.append(flag)
        else:
            result.append(str(_copied(Path(flag), scratch)) if wanted else flag)
    return result


def _copied(path: Path, scratch: Path) -> Path:
    try:
        about = path.stat()
        key = hashlib.sha256(f"{path.resolve()} {about.st_size} {about.st_mtime_ns}".encode()).hexdigest()[:16]
        copy = scratch / key / path.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        with (copy.parent / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not copy.exists():
                part = copy.with_name(f"{copy.name}.part")
                shutil.copyfile(path, part)
                os.replace(part, copy)
        return copy
    except OSError as error:
        raise UserError(
            f"--scratch {scratch}: {path} can't be copied there ({error.strerror}); leave it out"
        ) from error


def _output(*words: str) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def main() -> None:
    """Parse flags, take GPUs, become the command."""
    parser = argparse.ArgumentParser(
        prog="python -m csvr.launch", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gpus", type=int, default=0, help="GPUs on each node (default: none)")
    parser.add_argument("--nodes", type=int, default=1, help="nodes of a Slurm job (default: 1)")
    parser.add_argument(
        "--locks", type=Path, help="folder of the locks (default: one of this user in the temporary one)"
    )
    parser.add_argument(
        "--scratch", type=os.path.expandvars, default=os.path.expandvars(os.environ.get("CSVR_SCRATCH", "")),
        help="folder on a disk of this machine to read shards from (default: that in CSVR_SCRATCH, if any)",
    )  # fmt: skip
    parser.add_argument("--dry-run", action="store_true", help="print the command line instead")
    parser.add_argument("name", help="the command: pretrain for python -m csvr.pretrain")
    parser.add_argument("flags", nargs=argparse.REMAINDER, help="its flags")
    args = parser.parse_args()
    try:
        line = command(args.name, args.flags, args.gpus, args.nodes)
        if args.dry_run:
            print(shlex.join(line))
            return
        # What Slurm has given a job is its own already.
        if args.gpus == 0 or "SLURM_JOB_ID" not in os.environ:
            locks = args.locks or Path(tempfile.gettempdir(), f"csvr-gpus-{os.getuid()}")
            os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(take(args.gpus, gpus(), locks))
        if args.scratch and args.nodes == 1:
            line = command(args.name, staged(args.flags, Path(args.scratch)), args.gpus, args.nodes)
    except UserError as error:
        print(f"csvr: {error}", file=sys.stderr)
        sys.exit(2)
    os.execvp(line[0], line)


if __name__ == "__main__":
    main()
