"""OpenPifPaf's network and decoder, called on batches of frames without its data loader.

OpenPifPaf (AGPL-3.0, https://github.com/openpifpaf/openpifpaf) is used as a library and imported only when a
function here is called: csvr can be imported where it isn't installed.
"""

from __future__ import annotations

import logging
import pickle
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from csvr import imports
from csvr.errors import UserError
from csvr.files import sha256

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""ImageNet's statistics, with which OpenPifPaf normalises RGB in 0–1."""

PADDING = (124, 116, 104)
"""RGB that OpenPifPaf pads with: the mean above."""

MULTIPLE = 16
"""Frames are padded to a multiple of this plus one, as OpenPifPaf's Predictor does at batch size 1."""


def library() -> Any:
    """OpenPifPaf, imported when it is needed."""
    imports.torchvision()
    import openpifpaf

    return openpifpaf


@dataclass(frozen=True)
class Person:
    """One detection: keypoints (17, 3) = x, y in pixels of the frame given, confidence (0 = missing); score 0–1."""

    points: NDArray[np.float32]
    score: float


def padding(size: int) -> tuple[int, int]:
    """Pixels to add before and after `size` pixels: together up to the next multiple of 16, plus one."""
    total = -(-(size - 1) // MULTIPLE) * MULTIPLE + 1 - size
    return total // 2, total - total // 2


def to_batch(frames: Sequence[NDArray[np.uint8]]) -> torch.Tensor:
    """Frames as the network wants them.

    Args:
        frames: RGB, each of shape (H, W, 3), uint8.

    Returns:
        Padded and normalised, float32, shape (N, 3, H', W') with H' and W' multiples of 16 plus one.
    """
    count, (height, width, _) = len(frames), frames[0].shape
    (top, bottom), (left, right) = padding(height), padding(width)
    wide = left + width + right
    # Whole rows at a time, here and below: over the three channels alone, arithmetic takes several times as long.
    canvas = np.empty((count, top + height + bottom, wide, 3), dtype=np.uint8)
    canvas.reshape(count, -1, 3 * wide)[:] = np.tile(np.array(PADDING, dtype=np.uint8), wide)
    for frame, inside in zip(frames, canvas[:, top : top + height, left : left + width], strict=True):
        inside[:] = frame
    x = torch.from_numpy(canvas).flatten(2).to(torch.float32)
    x.sub_((torch.tensor(MEAN) * 255).repeat(wide)).div_((torch.tensor(STD) * 255).repeat(wide))
    pixels: torch.Tensor = x.unflatten(2, (wide, 3))
    return pixels.permute(0, 3, 1, 2)  # channels-last in memory


def checkpoint_file(checkpoint: str) -> tuple[Path, str | None]:
    """The local file of a checkpoint, and what its publisher says its SHA-256 starts with.

    Args:
        checkpoint: Path of a file (nothing is known of its hash then), or a name that OpenPifPaf publishes
            ("shufflenetv2k16"); such a file is downloaded into torch's cache once, from OpenPifPaf's address.

    Raises:
        UserError: Neither a file nor a published name, or the download failed.
    """
    openpifpaf = library()

    if Path(checkpoint).is_file():
        return Path(checkpoint), None
    url = openpifpaf.CHECKPOINT_URLS.get(checkpoint)
    if not isinstance(url, str):
        names = sorted(name for name, value in openpifpaf.CHECKPOINT_URLS.items() if isinstance(value, str))
        raise UserError(f"checkpoint {checkpoint!r} is neither a file nor one of OpenPifPaf's: {', '.join(names)}")
    target = Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[-1]
    published = re.search(r"-([0-9a-f]{8})\.pkl$", url)
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(url, str(target), published and published[1], progress=False)
        except (OSError, RuntimeError) as error:
            raise UserError(
                f"checkpoint {checkpoint!r}: {url} can't be downloaded ({error}); "
                f"put the file at {target}, or give the path of a checkpoint"
            ) from error
    return target, published and published[1]


@dataclass(frozen=True)
class Checkpoint:
    """An opened checkpoint: OpenPifPaf's network on the CPU, the file's name and its SHA-256."""

    net: Any
    name: str
    sha256: str


def load(checkpoint: str, pinned: str | None) -> Checkpoint:
    """Open a checkpoint whose hash is known.

    OpenPifPaf's checkpoints are pickles, and a pickle can run any code when it is opened: so the hash of the
    file is compared first.

    Args:
        checkpoint: Path, or a name that OpenPifPaf publishes.
        pinned: Expected SHA-256. It may be None for a published name alone, whose address holds the first
            eight digits.

    Raises:
        UserError: The hash differs or is not known, or the file is no checkpoint of OpenPifPaf.
    """
    openpifpaf = library()

    file, published = checkpoint_file(checkpoint)
    expected, found = (pinned or published or "").lower(), sha256(file)
    if not expected or not found.startswith(expected):
        raise UserError(
            f"{file}: SHA-256 is {found}, expected {expected or 'one to be given'}; not opened. "
            "If you trust the file, set the parameter `sha256` to its hash"
        )
    try:
        net = torch.load(file, map_location="cpu", weights_only=False)["model"]
    except (KeyError, TypeError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise UserError(f"{file}: no OpenPifPaf checkpoint ({type(error).__name__}: {error})") from error
    openpifpaf.network.model_migration.model_migration(net)
    return Checkpoint(net.eval(), file.name, found)


def set_thresholds(values: Mapping[str, float | bool]) -> None:
    """Set OpenPifPaf's decoder thresholds; they are global to the process and read when it decodes.

    Args:
        values: Any of seed, cif, caf, keypoint, keypoint_rel, instance (0–1) and force_complete (bool); those
            not named keep OpenPifPaf's defaults.

    Raises:
        UserError: A name is unknown.
    """
    library()  # loads the C++ classes

    decoder, utils = torch.classes.openpifpaf_decoder, torch.classes.openpifpaf_decoder_utils

    def keypoint(value: float) -> None:
        decoder.CifCaf.set_keypoint_threshold(value)
        utils.NMSKeypoints.set_keypoint_threshold(value)

    setters = {
        "seed": utils.CifSeeds.set_threshold,
        "cif": utils.CifHr.set_threshold,
        "caf": utils.CafScored.set_default_score_th,
        "keypoint": keypoint,
        "keypoint_rel": decoder.CifCaf.set_keypoint_threshold_rel,
        "instance": utils.NMSKeypoints.set_instance_threshold,
        "force_complete": decoder.CifCaf.set_force_complete,
    }
    unknown = sorted(set(values) - set(setters))
    if unknown:
        raise UserError(f"decoder: unknown threshold {', '.join(unknown)}; known are {', '.join(setters)}")
    for name, value in values.items():
        setters[name](value)


class Detector:
    """Finds people in batches of frames with one network.

    Args:
        net: OpenPifPaf network, e.g. from `load`; switched to evaluation.
        thresholds: See `set_thresholds`.
        device: Where the network runs, e.g. "cpu" or "cuda"; the decoder always runs on the CPU.
    """

    def __init__(self, net: Any, thresholds: Mapping[str, float | bool], device: str = "cpu") -> None:
        openpifpaf = library()

        # It logs every image at INFO, and says of each video that the decoder's maps are as large as its frames.
        logging.getLogger("openpifpaf").setLevel(logging.WARNING)
        torch.ops.openpifpaf.set_quiet(True)
        set_thresholds(thresholds)
        self._device = torch.device(device)
        self._net = net.eval().to(device=self._device, memory_format=torch.channels_last)
        self._factory = openpifpaf.decoder.factory
        self.forget()

    def forget(self) -> None:
        """Begin anew: what is found next does not depend on the frames before.

        OpenPifPaf's decoder keeps its maps from image to image and marks what is old by a growing offset, by whose
        rounding poses moved by up to half a pixel.
        """
        self._decoder = self._factory(self._net.head_metas)
        for decoder in self._decoder.decoders:
            for kind in ("cif", "caf", "cifhr"):  # each would be given copies of its maps, drawn or not
                setattr(decoder, f"{kind}_visualizers", ())

    def __call__(self, frames: Sequence[NDArray[np.uint8]]) -> list[list[Person]]:
        """The people in each frame.

        Args:
            frames: RGB, each of shape (H, W, 3), uint8.

        Returns:
            One list a frame, most confident person first.
        """
        height, width, _ = frames[0].shape
        offset = np.array([padding(width)[0], padding(height)[0]], dtype=np.float32)
        found = self._decoder.batch(self._net, to_batch(frames), device=self._device)
        return [sorted((_person(a, offset) for a in people), key=lambda p: -p.score) for people in found]


def _person(annotation: Any, offset: NDArray[np.float32]) -> Person:
    points = annotation.data.astype(np.float32)
    points[:, :2] -= offset
    points[points[:, 2] <= 0] = 0
    return Person(points, float(annotation.score))
