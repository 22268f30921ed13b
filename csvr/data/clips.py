"""The clip cache: every video decoded and resized once, memory-mapped ever after."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from csvr.data.video import frames, resized


def read_video(path: Path, short_side: int) -> NDArray[np.uint8]:
    """All frames of a video at cache size.

    Args:
        path: Video file.
        short_side: Pixels of the shorter side.

    Returns:
        RGB, upright, uint8, shape (T, h, w, 3).

    Raises:
        UserError: As `video.frames`.
    """
    return np.stack([resized(frame, short_side) for frame in frames(path)])
