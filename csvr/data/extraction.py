"""One shard of extracted arrays from many videos: what the clip cache and the I-frame store share."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from sacred.run import Run

from csvr.data import index, shards
from csvr.errors import UserError
from csvr.tracking.record import record

log = logging.getLogger(__name__)


def extract_shard(
    name: str,
    extract: Callable[[str, Path], Mapping[str, NDArray[Any]]],
    config: dict[str, Any],
    source: Path,
    shard: tuple[int, int],
    output: Path,
    runs: Path,
) -> None:
    """Run `extract(video, path)` on every k-th video of an index and store what it gives, as one Sacred run.

    Args:
        name: Step name for the run record.
        extract: Gives arrays by name; the names hold the video's.
        config: Effective parameters.
        source: The index of the data set.
        shard: (number, count): this shard takes the rows number, number + count, …
        output: Shard file; its header holds run id, parameters, hashes of sources and index, and the list of videos.
        runs: Sacred folder.

    Raises:
        UserError: Videos can't be decoded; all of them are named.
    """
    number, count = shard
    rows = index.read(source).iloc[number::count]
    index_sha256 = index.digest(source)

    def main(_config: dict[str, Any], run: Run) -> dict[str, Any]:
        arrays: dict[str, NDArray[Any]] = {}
        bad: list[str] = []
        for done, (video, path) in enumerate(zip(rows.video, rows.path, strict=True), start=1):
            try:
                arrays.update(extract(video, Path(path)))
            except UserError as error:
                bad.append(str(error))
            if done % 100 == 0 or done == len(rows):
                log.info("%s shard %d/%d: %d of %d videos", name, number + 1, count, done, len(rows))
        if bad:
            raise UserError(f"{len(bad)} of {len(rows)} videos can't be used:\n  " + "\n  ".join(bad))
        header = {
            "run_id": run._id, "params": config, "code": run.info["code_sha256"], "index_sha256": index_sha256,
            "videos": rows.video.tolist(),
        }  # fmt: skip
        shards.write(output, arrays, header)
        return {"videos": len(rows), "bytes": output.stat().st_size}

    record(name, main, config | {"index": str(source), "shard": list(shard)}, runs)
