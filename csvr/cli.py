"""What every `python -m csvr.<command>` shares: flags, parameters, messages and exit codes (docs/commands.md)."""

from __future__ import annotations

import argparse
import errno
import logging
import os
import re
import select
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import yaml
from threadpoolctl import threadpool_limits

from csvr import memory
from csvr.errors import UserError
from csvr.progress import Handler

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


class Exit(IntEnum):
    """Exit codes. 143 is what a shell says of a process that SIGTERM has ended, too."""

    DONE = 0
    FAILED = 1
    MEND = 2
    INTERRUPTED = 130
    TERMINATED = 143


class _Help(argparse.RawDescriptionHelpFormatter):
    """Says the default of every flag that has one."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        text, value = action.help, action.default
        if not text or "default" in text or isinstance(value, bool) or value == argparse.SUPPRESS:
            return text
        return f"{text} (default: %(default)s)" if isinstance(value, str | int | float | Path) else text


def parser(description: str | None, records: bool = True, writes: bool = True) -> argparse.ArgumentParser:
    """An argument parser with the flags that commands have in common.

    Args:
        description: Of the command.
        records: Whether it computes under a Sacred run.
        writes: Whether it writes anything, by itself and not by subcommands.
    """
    module = getattr(sys.modules["__main__"], "__spec__", None)
    name = module.name.removesuffix(".__main__") if module else ""
    result = argparse.ArgumentParser(
        prog=f"python -m {name}" if name.startswith("csvr.") else None,
        description=description, formatter_class=_Help, allow_abbrev=False,
    )  # fmt: skip
    if records:
        result.add_argument("--runs", type=written, default=Path("runs"), help="folder of the Sacred runs")
        result.add_argument("--threads", type=int, default=1, help="CPU threads to compute with")
    if writes:
        _add_dry_run(result)
    return result


def subcommand(
    commands: Commands, name: str, description: str, parent: argparse.ArgumentParser | None = None
) -> argparse.ArgumentParser:
    """The parser of a subcommand.

    Args:
        commands: What `add_subparsers` gave.
        name: Of the subcommand.
        description: What it does, in a line.
        parent: Whose flags it has as well.
    """
    result = commands.add_parser(
        name, help=description, description=description, parents=[parent] if parent else [], formatter_class=_Help,
        allow_abbrev=False, add_help=parent is None,
    )  # fmt: skip
    if parent is None:
        _add_dry_run(result)
    return result


def _add_dry_run(target: argparse.ArgumentParser) -> None:
    target.add_argument(
        "--dry-run", action="store_true", help="check the flags, look for what is read, print what would be written"
    )


def add_device(target: argparse.ArgumentParser) -> None:
    """Add the flag that says where to compute (`csvr.tracking.machine.chosen_device`)."""
    target.add_argument(
        "--device", default="auto", help="cpu, cuda, cuda:N or auto: a GPU if there is one (default: auto)"
    )


def written(text: str) -> Path:
    """The value of a flag that names what the command writes; flags of type `Path` name what it reads."""
    return Path(text)


def perhaps(text: str) -> Path:
    """The value of a flag that names what the command reads if it is there."""
    return Path(text)


def parse(command: argparse.ArgumentParser) -> argparse.Namespace:
    """The flags that the process was started with; with `--dry-run` it ends here, and says what it would have written.

    Raises:
        UserError: With `--dry-run`: something is not there to be read, or can't be written where it is to be.
    """
    args = command.parse_args()
    if not getattr(args, "dry_run", False):
        return args
    paths = list(_paths(command, args))
    missing = [f"{flag} {path}" for flag, kind, path in paths if kind is Path and not path.exists()]
    if missing:
        raise UserError(f"{', '.join(missing)}: no such file or folder; make it first, or name another")
    wanted = [(flag, path) for flag, kind, path in paths if kind is written]
    for flag, path in wanted:
        there = next(each for each in (path, *path.parents) if each.exists())
        if (there != path and not there.is_dir()) or not os.access(there, os.W_OK):
            raise UserError(f"{flag} {path}: {there} can't be written to; name another")
    for _, path in wanted:
        print(f"would write {path}{' (there already)' if path.exists() else ''}")
    if not wanted:
        print("would write nothing")
    sys.exit(Exit.DONE)


def _paths(command: argparse.ArgumentParser, args: argparse.Namespace) -> Iterator[tuple[str, Any, Path]]:
    """Flag, type and value of all paths that a command line names, or that are defaults."""
    for action in command._actions:
        value = getattr(args, action.dest, None)
        if isinstance(action, argparse._SubParsersAction):
            yield from _paths(action.choices[str(value)], args)
            continue
        for path in value if isinstance(value, list) else [value]:
            if isinstance(path, Path):
                yield (action.option_strings or [action.dest])[0], action.type, path


def shard_parser(description: str | None, source: bool = True) -> argparse.ArgumentParser:
    """The parser of a command that extracts one shard of a data set's videos.

    Args:
        description: Of the command.
        source: Whether nothing but an index says which videos.
    """
    result = parser(description)
    if source:
        result.add_argument("--index", type=Path, required=True, help="index of the data set (python -m csvr.index)")
    result.add_argument(
        "--shard",
        type=shard,
        default=(0, 1),
        metavar="K/N",
        help="part K, from 0, of N of the videos (default: 0/1)",
    )
    result.add_argument("--params", type=parameters, required=True, help="parameters: YAML text or file")
    result.add_argument("--output", type=written, required=True, help="shard file (safetensors)")
    return result


def add_reencoded(target: argparse.ArgumentParser) -> None:
    """Add the flag that names re-encoded videos."""
    target.add_argument("--reencoded", type=Path, help="shard of python -m csvr.reencode, to read instead")


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


ROOM: Final = "; make room and run the same again: what is done is kept"
RIGHTS: Final = "; let it be read and written, and run the same again: what is done is kept"
WHAT_TO_DO: Final = {
    errno.ENOSPC: ROOM,
    errno.EDQUOT: ROOM,
    errno.EROFS: RIGHTS,
    errno.EACCES: RIGHTS,
    errno.EPERM: RIGHTS,
    errno.EIO: "; the disk has a fault: copy what is on it to another one, and run the same again",
}
"""By what is wrong with a disk."""
NO_MEMORY: Final = (
    "no memory left ({}); let other programs end, run fewer jobs at once (--cores), or take less at a time "
    "(pretrain.accumulate, pretrain.batch), and run the same again: what is done is kept"
)


def run(main: Callable[[], None]) -> None:
    """Call `main`, and end the process as `Exit` has it.

    A UserError is its message alone, and so is what is wrong with the machine and not with csvr: a full, read-only or
    faulty disk, no memory. Anything else that goes wrong leaves its traceback.
    """
    handler = Handler(sys.stderr)
    warnings.filterwarnings("ignore", "pkg_resources is deprecated", UserWarning)  # in Sacred
    logging.basicConfig(handlers=[handler], level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")

    def end(message: object, code: Exit) -> NoReturn:
        handler.end()
        print(f"csvr: {message}", file=sys.stderr)
        sys.exit(code)

    memory.prepare()
    try:
        main()
        sys.stdout.flush()
    except KeyboardInterrupt as error:
        # A signal other than Ctrl-C's is named by who caught it (csvr.tracking.record).
        end("interrupted", Exit.TERMINATED if error.args else Exit.INTERRUPTED)
    except Exception as error:
        if nobody_reads(error):
            sys.exit(Exit.FAILED)
        message = str(error) if isinstance(error, UserError) else fault(error)
        if message is None:
            raise
        end(message, Exit.MEND)


def nobody_reads(error: Exception) -> bool:
    """Whether what reads stdout has ended (`| head`); what is still to be written goes nowhere then."""
    if not isinstance(error, BrokenPipeError):
        return False
    stdout = select.poll()
    stdout.register(sys.stdout.fileno(), 0)
    if not any(event & select.POLLERR for _, event in stdout.poll(0)):
        return False  # another pipe
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return True


def fault(error: BaseException) -> str | None:
    """What is wrong with the machine, in one line with what to do; None if it is something else."""
    text = next(iter(str(error).splitlines()), "") or type(error).__name__
    if isinstance(error, OSError):
        where = error.filename2 or error.filename  # the second one is the target of a copy
        if error.errno in WHAT_TO_DO:
            return f"{f'{where}: ' if where else ''}{error.strerror}{WHAT_TO_DO[error.errno]}"
    # torch's own: of a CPU a RuntimeError, of a GPU one that is named so. EAGAIN: no memory for another thread.
    if (
        isinstance(error, MemoryError)
        or (isinstance(error, OSError) and error.errno in (errno.ENOMEM, errno.EAGAIN))
        or (isinstance(error, RuntimeError) and re.search("allocate memory|out of memory|can't start new thread", text))
        or (isinstance(error, ImportError) and re.search("annot allocate memory|failed to map", text))
    ):
        return NO_MEMORY.format(text)
    return None
