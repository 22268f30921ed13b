"""Pretrained networks, checked against what they are to be used with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from csvr.data import shards
from csvr.data.index import digest
from csvr.errors import UserError
from csvr.pretrain.model import CSVR


def load_networks(path: Path, params: dict[str, Any], pose_frames: int) -> tuple[CSVR, dict[str, Any]]:
    """Networks written by `csvr.pretrain`, in evaluation mode, and their header.

    Args:
        path: The file.
        params: Effective parameters; those that pretraining took must be the ones that the networks were made with.
        pose_frames: Poses of a clip, T'.

    Raises:
        UserError: Unreadable, or made with other parameters than `params`.
    """
    header = shards.header(path)
    for key, value in header["params"].items():
        if params.get(key) != value:
            raise UserError(
                f"{path}: made with {key} = {value}, but {params.get(key)} is asked for; "
                f"run snakemake --cores 8 {path} --forcerun pretrain"
            )
    model = CSVR(params, pose_frames)
    stored = shards.Shards([path])
    model.load_state_dict({name: torch.from_numpy(stored[name]) for name in stored})
    return model.eval(), header


def require_same_data(path: Path, pretrained: dict[str, Any], present: dict[str, Any]) -> None:
    """Refuse networks that were pretrained on other clips, poses or videos than those to be used with them.

    Args:
        path: Their file, to be named.
        pretrained: `data` of its header.
        present: `Features.provenance` of what is there now.

    Raises:
        UserError: Names the first key that differs, both values, and the command that mends it.
    """
    for key in ("index_sha256", "clips", "poses"):
        if pretrained.get(key) != present[key]:
            raise UserError(
                f"{path}: pretrained on data with {key} = {pretrained.get(key)}, but {present[key]} is there now; "
                f"run snakemake --cores 8 {path} --forcerun pretrain"
            )


def require_pretrained_on(
    path: Path, pretrained: dict[str, Any], present: dict[str, Any], index: Path, pretrained_index: Path | None
) -> None:
    """Refuse networks that were pretrained on another state of their data set than the one that is there.

    Args:
        path: Their file, to be named.
        pretrained: `data` of its header.
        present: `Features.provenance` of what they are to be used with.
        index: Index of that.
        pretrained_index: Index of the data set of pretraining; None if it is the same.

    Raises:
        UserError: Names what differs, and the command that mends it.
    """
    if pretrained_index in (None, index):
        require_same_data(path, pretrained, present)
    elif pretrained.get("index_sha256") != (now := digest(pretrained_index)):
        raise UserError(
            f"{path}: pretrained on data with index_sha256 = {pretrained.get('index_sha256')}, but that of "
            f"{pretrained_index} is {now}; run snakemake --cores 8 {path} --forcerun pretrain"
        )
