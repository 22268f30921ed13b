"""Checkpoints of a training: the newest few and the best, each whole or not there, each usable by itself.

<folder>/<hash>/step000100/networks.safetensors   all networks
                           average.safetensors    their moving average, if there is one
                           state.pt               the rest: plain types and tensors (read with `weights_only`)
                           sha256.json            of each of these files
"""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from csvr.errors import UserError
from csvr.files import part_of, sha256, writing

log = logging.getLogger(__name__)
NETWORKS, AVERAGE, STATE, SUMS = "networks", "average", "state.pt", "sha256.json"
Tensors = Mapping[str, Mapping[str, Tensor]]
"""State dicts by name."""


class Checkpoints:
    """Those of one training.

    Args:
        folder: Of all trainings with one output.
        made: Hash of all that a continued run must share with the one that wrote them.
        last: How many of the newest are kept, at least 1; those before the newest are fallbacks.
        best: Keep the one of the lowest value, too.
    """

    def __init__(self, folder: Path, made: str, last: int = 1, best: bool = False) -> None:
        self.folder, self.last, self.best = folder, last, best
        self._own = folder / made[:16]
        self._values: dict[int, float] = {}

    def save(self, step: int, value: float, tensors: Tensors, state: Mapping[str, Any]) -> None:
        """Write the checkpoint of `step`, then drop those that are no longer wanted.

        Args:
            step: Steps done.
            value: What the best one has the lowest of.
            tensors: `networks` among them.
            state: What else a continued run needs.
        """
        final = self.path(step)
        part = part_of(final)
        part.mkdir(parents=True)
        self._values[step] = value
        try:
            with writing(final):
                for name, values in tensors.items():
                    save_file(
                        {key: v.detach().cpu().contiguous() for key, v in values.items()}, part / f"{name}.safetensors"
                    )
                with (part / STATE).open("wb") as file:  # given a path, torch does not say what was wrong with the disk
                    torch.save({**state, "values": self._values}, file)
                (part / SUMS).write_text(json.dumps({file.name: sha256(file) for file in sorted(part.iterdir())}))
            os.replace(part, final)
        finally:
            shutil.rmtree(part, ignore_errors=True)
        keep = {*self.steps()[-self.last :], *([self._best()] if self.best else [])}
        for old in set(self.steps()) - keep:
            shutil.rmtree(self.path(old))

    def newest(self) -> int | None:
        """Step of the newest checkpoint that can be read; None if there is none.

        Damaged ones, which then are no fallback either, and what a killed run left half-written, are removed.
        """
        for leftover in self._own.glob(".*.part"):
            shutil.rmtree(leftover, ignore_errors=True)
        for step in reversed(self.steps()):
            try:
                self.read(step)
            except Exception as error:  # a damaged file raises any of many types
                before = max((other for other in self.steps() if other < step), default=None)
                log.warning(
                    "checkpoint %s can't be read (%s): %s", self.path(step), error,
                    "there is no other, beginning anew" if before is None else f"going back to that of step {before}",
                )  # fmt: skip
                shutil.rmtree(self.path(step))
            else:
                return step
        return None

    def read(self, step: int) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]]:
        """Tensors and state of a checkpoint.

        Raises:
            UserError: A file is not the one that was written.
            Exception: Of many types, for files that are no checkpoint.
        """
        path = self.path(step)
        for name, expected in json.loads((path / SUMS).read_text()).items():
            if sha256(path / name) != expected:
                raise UserError(f"{name} is damaged: its SHA-256 is another")
        state = dict(torch.load(path / STATE, weights_only=True))
        self._values = dict(state["values"])
        return {file.stem: load_file(file) for file in sorted(path.glob("*.safetensors"))}, state

    def steps(self) -> list[int]:
        """Those that are there, in ascending order."""
        return sorted(int(path.name.removeprefix("step")) for path in self._own.glob("step*"))

    def finish(self, best: Path | None = None) -> None:
        """Remove all checkpoints in the folder; if the best one is wanted, its networks become the file `best`."""
        if best is not None:
            best.unlink(missing_ok=True)
        step = self._best()
        if self.best and best is not None and step is not None:
            os.replace(self.path(step) / f"{NETWORKS}.safetensors", best)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _best(self) -> int | None:
        return min(self.steps(), key=lambda step: self._values.get(step, float("inf")), default=None)

    def path(self, step: int) -> Path:
        """Folder of a checkpoint."""
        return self._own / f"step{step:06d}"
