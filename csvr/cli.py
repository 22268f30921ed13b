"""What every `python -m csvr.<command>` shares: flags, parameters, messages and exit codes."""

from __future__ import annotations

import argparse
import errno
import logging
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from threadpoolctl import threadpool_limits

from csvr.errors import UserError


def parser(description: str | None) -> argparse.ArgumentParser:
    """An argument parser with the flags that all commands have."""
    result = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    result.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the Sacred runs (default: runs)")
    result.add_argument("--threads", type=int, default=1, help="CPU threads to compute with (default: 1)")
    return result


def shard_parser(description: str | None, source: bool = True) -> argparse.ArgumentParser:
    """The parser of a command that extracts one shard of a data set's videos.

    Args:
        description: Of the command.
        source: Whether it reads re-encoded videos and nothing but an index says which videos.
    """
    result = parser(description)
    if source:
        result.add_argument("--index", type=Path, required=True, help="index of the data set (python -m csvr.index)")
        result.add_argument("--reencoded", type=Path, help="shard of python -m csvr.reencode, to read instead")
    result.add_argument("--shard", type=shard, default=(0, 1), metavar="K/N", help="the K-th of N parts of the videos")
    result.add_argument("--params", type=parameters, required=True, help="parameters: YAML text or file")
    result.add_argument("--output", type=Path, required=True, help="shard file (safetensors)")
    return result


def features_parser(description: str | None) -> argparse.ArgumentParser:
    """The parser of a command that works on stored clips and poses."""
    result = parser(description)
    result.add_argument("--index", type=Path, required=True, help="index of the data set (python -m csvr.index)")
    for name in ("clips", "poses"):
        result.add_argument(f"--{name}", type=Path, nargs="+", required=True, help=f"shards of python -m csvr.{name}")
    result.add_argument("--params", type=parameters, required=True, help="effective parameters: YAML text or file")
    return result


def limit_threads(count: int) -> None:
    """Compute with `count` threads in torch, BLAS and OpenMP: jobs that share a machine must not fight for cores.

    (With two cores and two busy jobs, unlimited BLAS threads made a logistic regression 40 times slower.)
    """
    import torch  # seconds to import, and reports don't compute

    torch.set_num_threads(count)
    threadpool_limits(count)


def shard(text: str) -> tuple[int, int]:
    """The value of a `--shard` flag: "K/N" with 0 <= K < N."""
    try:
        number, count = map(int, text.split("/"))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form K/N, e.g. 0/4") from error
    if not 0 <= number < count:
        raise argparse.ArgumentTypeError(f"{text!r}: needs 0 <= K < N")
    return number, count


def parameters(text: str) -> dict[str, Any]:
    """The value of a `--params` flag: YAML (or JSON) text of a mapping, or the path of a YAML file."""
    try:
        value = yaml.safe_load(text if "\n" in text or text.lstrip().startswith("{") else Path(text).read_text())
    except (OSError, yaml.YAMLError) as error:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a readable YAML file nor YAML text: {error}") from error
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError(f"{text!r} is no mapping of parameter names to values")
    return value


def settings(params: Mapping[str, Any], types: Mapping[str, tuple[type, ...]]) -> dict[str, Any]:
    """Parameters that a command needs, none missing, none more, each of one of its types.

    Raises:
        UserError: Names the key that is missing, unknown or of another type.
    """
    if wrong := sorted(types.keys() ^ params.keys()):
        raise UserError(f"--params: missing or unknown: {', '.join(wrong)}; it takes {', '.join(types)}")
    for key, value in params.items():
        if not isinstance(value, types[key]) or isinstance(value, bool):
            raise UserError(f"--params: {key} = {value!r} is no {' or '.join(kind.__name__ for kind in types[key])}")
    return dict(params)


WHAT_TO_DO: Final = {
    (errno.ENOSPC, errno.EDQUOT): "; make room and run the same again: what is done is kept",
    (
        errno.EROFS,
        errno.EACCES,
        errno.EPERM,
    ): "; let it be read and written, and run the same again: what is done is kept",
    (errno.EIO,): "; the disk has a fault: copy what is on it to another one, and run the same again",
}
NO_MEMORY: Final = (
    "no memory left ({}); let other programs end, run fewer jobs at once (--cores), or take less at a time "
    "(pretrain.accumulate, pretrain.batch), and run the same again: what is done is kept"
)


def run(main: Callable[[], None]) -> None:
    """Call `main`; a UserError ends the process with its message alone and exit code 2.

    So does what is wrong with the machine and not with csvr: a full, read-only or faulty disk, no memory.
    """
    # Plain, timestamped progress lines: readable in a terminal and in a rule's log.
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    try:
        main()
    except Exception as error:
        message = str(error) if isinstance(error, UserError) else fault(error)
        if message is None:
            raise
        print(f"csvr: {message}", file=sys.stderr)
        sys.exit(2)


def fault(error: BaseException) -> str | None:
    """What is wrong with the machine, in one line with what to do; None if it is something else."""
    text = next(iter(str(error).splitlines()), "") or type(error).__name__
    if isinstance(error, OSError):
        where = error.filename2 or error.filename  # the second one is the target of a copy
        for numbers, remedy in WHAT_TO_DO.items():
            if error.errno in numbers:
                return f"{f'{where}: ' if where else ''}{error.strerror}{remedy}"
    # torch's own: of a CPU a RuntimeError, of a GPU one that is named so. EAGAIN: no memory for another thread.
    if (
        isinstance(error, MemoryError)
        or (isinstance(error, OSError) and error.errno in (errno.ENOMEM, errno.EAGAIN))
        or (isinstance(error, RuntimeError) and re.search("allocate memory|out of memory|can't start new thread", text))
        or (isinstance(error, ImportError) and re.search("annot allocate memory|failed to map", text))
    ):
        return NO_MEMORY.format(text)
    return None
