"""Features of a network that the user names, for Fréchet video distances comparable with others'.

The file is a TorchScript module and thus code. It is loaded only if its bytes have the SHA-256 that the parameters say.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from csvr.errors import UserError

Extract = Callable[[Tensor], NDArray[np.float64]]


def fvd_features(settings: dict[str, Any]) -> Extract | None:
    """The network of `generation_quality.fvd`; None without `weights`.

    Args:
        settings: `weights`, path of the TorchScript module; `sha256` of that file; `size`, pixels that it sees;
            `arguments`, keyword arguments of its call beside the clips.

    Returns:
        Clips (N, 3, T, H, W) in −1 … 1 → features (N, D): frames are resized to `size` × `size` bilinearly.

    Raises:
        UserError: The file can't be read, is not the one with that hash, or is no such module.
    """
    if not settings["weights"]:
        return None
    path = Path(settings["weights"])
    where = f"generation_quality.fvd.weights = {path}"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{where}: can't be read ({error})") from error
    found = hashlib.sha256(content).hexdigest()
    if found != settings["sha256"]:
        raise UserError(
            f"{where}: has sha256 {found}, but generation_quality.fvd.sha256 = {settings['sha256']}; it is not loaded"
        )
    try:
        # Of the bytes that were hashed: the file may be another one by now.
        network = torch.jit.load(io.BytesIO(content), map_location="cpu").eval()  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        raise UserError(f"{where}: no TorchScript module ({error})") from error

    @torch.inference_mode()
    def extract(clips: Tensor) -> NDArray[np.float64]:
        size = (clips.shape[2], settings["size"], settings["size"])
        shown = F.interpolate(clips, size=size, mode="trilinear", align_corners=False)
        try:
            features = network(shown, **settings["arguments"])
        except (RuntimeError, TypeError) as error:
            raise UserError(f"{where}: can't take clips of shape {tuple(shown.shape)}: {error}") from error
        if not isinstance(features, Tensor) or features.ndim != 2 or len(features) != len(clips):
            raise UserError(f"{where}: must return features (N, D)")
        return features.double().numpy()

    return extract
