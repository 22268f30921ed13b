"""Mutated lists and videos for the readers: python -m tests.faults.fuzz --lists 100000 --videos 20000

Any input may be refused with a UserError of one readable message; nothing else may happen: no other exception, no crash
of a decoder, no hang, no growing memory. Inputs are made from a seed and their number, so that each can be made again:
--only KIND NUMBER reads one. Children read them, so that a crash costs one input and is told with its number.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import numpy as np

from csvr.data import index, layouts, video
from csvr.errors import UserError

SEED: Final = 2617
SECONDS: Final = 20.0
"""A hang; all inputs are tiny."""
BATCH: Final = 500
HEAD = "label,youtube_id,time_start,time_end\n"
LISTS: Final[dict[str, dict[str, bytes]]] = {
    "ucf101": {
        "classInd.txt": b"1 Run\n2 Sit\n", "trainlist01.txt": b"Run/v_a.avi 1\nSit/v_b.avi 2\n",
        "testlist01.txt": b"Run/v_c.avi\nSit/v_d.avi\n",
    },
    "hmdb51": {"run_test_split1.txt": b"a.avi 1\nb.avi 2\nc.avi 0\n", "sit_test_split1.txt": b"d.avi 1\ne.avi 2\n"},
    "ssv2": {
        "labels.json": b'{"Putting something": "0", "Taking something": "1"}',
        "train.json": b'[{"id": "1", "template": "Putting [something]"}, {"id": 2, "template": "Taking [something]"}]',
        "validation.json": b'[{"id": "3", "template": "Putting [something]"}]',
    },
    "kinetics": {
        "train.csv": f'{HEAD}run,abcdefghijk,0,10\n"sit, still",bcdefghijkl,5,15\n'.encode(),
        "val.csv": f"{HEAD}run,cdefghijklm,0,10\n".encode(),
    },
    "folder": {"split.csv": b'path,split\nrun/a.avi,train\n"sit/b.avi",test\n'},
}  # fmt: skip
WORDS: Final = (
    b"\0", b"\n", b"\r", b"\xff", b"\xef\xbb\xbf", b'"', b",", b"/", b"..", b".", b" ", b"-1", b"1e999", b"nan",
    b"9" * 5000,
    "٣".encode(), "é".encode(), b"null", b"[" * 2000, b"{", b"a" * 5000, b"\x1a", b"\x85", "\u2028".encode(), b"true",
)  # fmt: skip


def mutated(data: bytes, rng: random.Random) -> bytes:
    """A few changes: bits, bytes, pieces left out, doubled, moved, or one of `WORDS`."""
    result = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        k = rng.randrange(len(result) + 1)
        size = min(rng.choice((1, 1, 4, 64, 1024)), len(result))
        match rng.randrange(6):
            case 0 if k < len(result):
                result[k] ^= 1 << rng.randrange(8)
            case 1:
                result[k:k] = rng.choice(WORDS)
            case 2:
                del result[k : k + size]
            case 3:
                result[k:k] = result[k : k + size]
            case 4:
                result[k : k + size] = rng.randbytes(size)
            case _:
                k = rng.randrange(len(result) + 1)
                del result[k : k + 1 if rng.random() < 0.8 else None]
    return bytes(result)


def read_list(number: int, folder: Path) -> None:
    """Read the lists of this number; whatever is read must be a table that the next step can take."""
    rng = random.Random(f"{SEED} list {number}")
    layout = rng.choice(list(LISTS))
    for old in folder.iterdir():
        old.unlink()
    for name, data in LISTS[layout].items():
        (folder / name).write_bytes(mutated(data, rng) if rng.random() < 0.7 else data)
    table = layouts.read(layout, folder, folder, 1)
    assert list(table.columns) == list(layouts.LISTED) and len(table) and table.video.is_unique
    assert set(table.split) <= {"train", "test"} and (table.label >= 0).all()
    assert all(Path(path).is_relative_to(folder) and ".." not in Path(path).parts for path in table.path)


def seeds(folder: Path) -> list[Path]:
    """A valid video of each of several containers and codecs, one of them as csvr encodes it."""
    from tests.data.bad_videos import ODD

    rng = np.random.default_rng(0)
    made = [folder / "seed.avi"]
    video.encode(made[0], rng.integers(0, 256, (6, 32, 48, 3), dtype=np.uint8), 10, 3)
    for kind in ("VP8", "MPEG-2", "FLV", "WMV", "fragments", "variable rate, MP4"):
        made.append(ODD[kind][0](folder))
    return made


def read_video(number: int, originals: list[Path], folder: Path) -> None:
    """Look into the video of this number, as the index does, and decode it as extraction does."""
    rng = random.Random(f"{SEED} video {number}")
    source = rng.choice(originals)
    path = folder / f"mutated{source.suffix}"
    path.write_bytes(mutated(source.read_bytes(), rng))
    row = index.inspect(path)
    assert (row["problem"] == "") == (row["frames"] > 0) and "\n" not in row["problem"]
    for frame in video.frames(path):
        video.resized(frame, 16)


def child(kind: str, numbers: range, pipe: Connection) -> None:
    """Read inputs one after the other; tell before and after each."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "x").mkdir()
        if kind == "videos":
            (folder / "seeds").mkdir()
            originals = seeds(folder / "seeds")
        for number in numbers:
            pipe.send(("begin", number, ""))
            try:
                read_list(number, folder / "x") if kind == "lists" else read_video(number, originals, folder / "x")
                outcome = "read"
            except UserError as error:
                outcome = "refused" if str(error).strip() else "empty message"
            except Exception as error:
                outcome = f"{type(error).__name__}: {str(error)[:200]}"
            pipe.send(("end", outcome, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))
        pipe.send(("done", 0, 0))


def fuzz(kind: str, count: int, first: int = 0, say: Callable[[str], None] = print) -> dict[str, object]:
    """Read `count` inputs.

    Returns:
        Inputs, how many were read and refused, what else happened by number, seconds, and the peak memory of the first
        and of the last child of each hundred (MB).
    """
    outcomes: Counter[str] = Counter()
    bad: dict[int, str] = {}
    peaks: list[float] = []
    began, start, end = time.monotonic(), first, first + count
    context = multiprocessing.get_context("fork" if kind == "lists" else "spawn")
    while start < end:
        here, there = context.Pipe(duplex=False)
        stop = min(end, start + BATCH * 20)  # long enough for a leak to show
        process = context.Process(target=child, args=(kind, range(start, stop), there))
        process.start()
        there.close()
        current, memory = start, []
        while True:
            try:
                if not here.poll(SECONDS + (60 if current == start else 0)):
                    bad[current] = f"no end after {SECONDS:.0f} s"
                    process.kill()
                    break
                what, value, more = here.recv()
            except EOFError:
                process.join()
                bad[current] = f"crash, exit code {process.exitcode}"
                break
            if what == "done":
                current = stop
                break
            if what == "begin":
                current = value
            else:
                outcomes[value if value in ("read", "refused") else "wrong"] += 1
                memory.append(more / 1024)
                if value not in ("read", "refused"):
                    bad[current] = value
        process.join()
        start = current + 1 if current < stop else stop
        if len(memory) > BATCH:
            peaks.append(round(memory[-1] - memory[BATCH], 1))
        say(f"{kind}: {start - first} of {count}, {dict(outcomes)}, {len(bad)} bad, {time.monotonic() - began:.0f} s")
    return {
        "inputs": count, "outcomes": dict(outcomes), "bad": bad, "seconds": round(time.monotonic() - began, 1),
        "growth_mb": peaks,
    }  # fmt: skip


def main() -> None:
    """Parse flags; exit code 1 if anything but reading and refusing happened."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lists", type=int, default=100_000)
    parser.add_argument("--videos", type=int, default=20_000)
    parser.add_argument("--only", nargs=2, metavar=("KIND", "NUMBER"), help="read one input, and show what happens")
    parser.add_argument("--output", type=Path, help="file of the results (JSON)")
    args = parser.parse_args()
    if args.only:
        kind, number = args.only[0], int(args.only[1])
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name) / "x"
            folder.mkdir()
            read_list(number, folder) if kind == "lists" else read_video(number, seeds(Path(name)), folder)
        return
    found = {kind: fuzz(kind, count) for kind, count in (("lists", args.lists), ("videos", args.videos)) if count}
    text = json.dumps(found, indent=2)
    print(text)
    if args.output:
        args.output.write_text(text + "\n")
    sys.exit(any(part["bad"] for part in found.values()))


if __name__ == "__main__":
    main()
