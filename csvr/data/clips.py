"""The clip store: every video decoded and resized once, read a few frames at a time ever after.

Frames are kept as they are (memory-mapped, the fastest to read) or as one JPEG each (about a tenth of the space).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from csvr.data.shards import Shards, remedy
from csvr.data.video import frames, resized
from csvr.errors import UserError

Frames = NDArray[np.uint8]
STORAGES: Final = ("raw", "jpeg")


def read_video(path: Path, short_side: int, aspect: float | None = None) -> Frames:
    """All frames of a video at the size of the store.

    Args:
        path: Video file.
        short_side: Pixels of the shorter side.
        aspect: Width by height to which frames are stretched; None keeps the video's.

    Returns:
        RGB, upright, uint8, shape (T, h, w, 3).

    Raises:
        UserError: As `video.frames`.
    """
    return np.stack([resized(frame, short_side, aspect) for frame in frames(path)])


def packed(video: str, images: Frames, storage: str, quality: int) -> Mapping[str, NDArray[Any]]:
    """The arrays that `Clips` reads: `<video>`, and for JPEG `<video>/end` and `<video>/shape`.

    Args:
        video: Name.
        images: RGB, uint8, shape (T, h, w, 3).
        storage: One of `STORAGES`.
        quality: Of JPEG, 1 to 100.
    """
    if storage == "raw":
        return {video: images}
    import cv2  # here: raw stores are read without it

    coded = [
        cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1].reshape(-1) for image in images
    ]
    ends = np.cumsum([len(image) for image in coded], dtype=np.int64)
    shape = np.array(images.shape[:3], np.int32)
    return {video: np.concatenate(coded), f"{video}/end": ends, f"{video}/shape": shape}


class Clips(Shards):
    """Frames of stored videos, however they are stored.

    Args, Raises: As `Shards`.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        super().__init__(paths)
        self._shapes: dict[str, tuple[int, int, int]] = {}

    def shape(self, video: str) -> tuple[int, int, int]:
        """Frames, height and width."""
        if video not in self._shapes:
            name = f"{video}/shape"
            found = self[name] if name in self else self.shape_of(video)
            self._shapes[video] = int(found[0]), int(found[1]), int(found[2])
        return self._shapes[video]

    def images(self, video: str, wanted: range | NDArray[np.int64]) -> Frames:
        """Some frames, RGB, uint8, shape (n, h, w, 3); not to be written to.

        Args:
            video: Name.
            wanted: Numbers of the frames.
        """
        if f"{video}/end" not in self:
            if isinstance(wanted, range):
                return self.rows(video, wanted.start, wanted.stop, wanted.step)
            return np.asarray(self[video][wanted])
        import cv2  # as above

        ends = self.small(f"{video}/end")
        # From the first to the last in one read: they lie beside each other.
        begins = [int(ends[k - 1]) if k else 0 for k in wanted]
        first = min(begins)
        data = self.rows(video, first, int(ends[np.asarray(wanted)].max()))
        images = []
        for k, begin in zip(wanted, begins, strict=True):
            image = cv2.imdecode(data[begin - first : int(ends[k]) - first], cv2.IMREAD_COLOR_RGB)
            if image is None:
                path = self.path_of(video)
                raise UserError(f"{path}: frame {k} of {video} is damaged; {remedy(path)}")
            images.append(np.asarray(image, np.uint8))
        return np.stack(images)
