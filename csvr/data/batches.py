"""Clips with their poses, future and I-frames, drawn from the stored features of a data set."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from csvr.data.clips import Clips
from csvr.data.index import digest
from csvr.data.shards import Shards
from csvr.errors import UserError


@dataclass(frozen=True)
class ClipShape:
    """The `clip` parameters: how a clip lies in its video.

    Attributes:
        frames: Frames of a clip, T.
        stride: Distance between two of them, in video frames.
        crop: Height and width that the networks see, in pixels.
        iframe_window: How far before and after the clip its I-frames may lie, in video frames.
        iframe_inside: Whether I-frames inside the clip count too. Those of other times, seen by a camera that has
            moved on, can't be matched by layout and make the contrast learn what is in the scene.
    """

    frames: int
    stride: int
    crop: int
    iframe_window: int
    iframe_inside: bool

    @property
    def span(self) -> int:
        """Video frames that a clip covers."""
        return self.frames * self.stride


@dataclass(frozen=True)
class Batch:
    """N clips.

    Attributes:
        clip: RGB, uint8, (N, 3, T, h, w).
        future: The T frames after the clip, likewise; of the first clips only, as many as are asked for.
        poses: Keypoints during the clip, float32, (N, T', 17, 3): x, y in pixels and confidence, 0 where missing.
        future_poses: Likewise during the future.
        iframes: I-frames of all clips, uint8, (M, 3, h, w).
        owner: Which clip each I-frame belongs to, int64, (M,).
        share: (r, W): these are clips r, r + W, … of a whole batch; (0, 1) is all of it.
        iframe_place: Where the I-frames are among those of the whole batch, int64, (M,).
        total: Clips, and I-frames, of the whole batch.
    """

    clip: Tensor
    future: Tensor
    poses: Tensor
    future_poses: Tensor
    iframes: Tensor
    owner: Tensor
    share: tuple[int, int]
    iframe_place: Tensor
    total: tuple[int, int]

    def to(self, device: torch.device) -> Batch:
        """The same, what is large on `device`."""
        names = ("clip", "future", "poses", "future_poses", "iframes", "owner")
        return replace(self, **{name: getattr(self, name).to(device) for name in names})


class Features:
    """The stored clips, poses and I-frames of a data set.

    Args:
        clips, poses, iframes: Shard files (no I-frames where nothing is pretrained).
        shape: The `clip` parameters.

    Raises:
        UserError: A shard is missing or unreadable.
    """

    def __init__(self, clips: list[Path], poses: list[Path], iframes: list[Path], shape: ClipShape) -> None:
        self.clips, self.poses, self.iframes = Clips(clips), Shards(poses), Shards(iframes)
        self.shape = shape

    def require(self, videos: list[str]) -> None:
        """Check that all is there for these videos, and that their clips fit into one batch.

        Raises:
            UserError: Names the videos of which something is missing, or two of different size.
        """
        stores = [store for store in (self.clips, self.poses, self.iframes) if len(store)]
        missing = [v for v in videos if any(v not in store for store in stores)]
        if missing:
            raise UserError(f"no clips, poses or I-frames stored for {len(missing)} videos: {', '.join(missing[:10])}")
        sizes = {self.clips.shape(video)[1:]: video for video in videos}
        if len(sizes) > 1:
            (one, first), (other, second) = list(sizes.items())[:2]
            raise UserError(
                f"frames of {first} are {one[1]} × {one[0]} pixels, those of {second} {other[1]} × {other[0]}: such "
                "clips fit in no batch; set features.aspect (width by height), to which all are stretched"
            )

    def provenance(self, index: Path) -> dict[str, Any]:
        """What these features came from.

        Returns:
            `index_sha256`; for each kind of feature the run ids of its shards; and under `made`, for each kind, the
            parameters (`params`) and sources (`code`) that all of its shards were made with.

        Raises:
            UserError: A shard was made from another index, or otherwise than its fellows.
        """
        index_sha256 = digest(index)
        result: dict[str, Any] = {"index_sha256": index_sha256, "made": {}}
        for kind, store in {"clips": self.clips, "poses": self.poses, "iframes": self.iframes}.items():
            result[kind] = [header["run_id"] for header in store.headers.values()]
            for path, header in store.headers.items():
                made = {key: header.get(key) for key in ("params", "code")}
                first = result["made"].setdefault(kind, made)
                mend = f"run snakemake --cores 8 {path} --forcerun extract_{kind}"
                if made != first:
                    raise UserError(f"{path}: made with {made}, but the shards before it with {first}; {mend}")
                if header.get("index_sha256") != index_sha256:
                    raise UserError(
                        f"{path}: made from an index with sha256 {header.get('index_sha256')}, but that of {index} is "
                        f"{index_sha256}; {mend}"
                    )
        return result

    def images(self, video: str, start: int) -> Tensor:
        """The clip that starts at frame `start`: uint8, (3, T, h, w); as it is stored, not to be written to."""
        wanted, frames = range(start, start + self.shape.span, self.shape.stride), self.clips.shape(video)[0]
        looped = np.asarray(wanted) % frames
        images = self.clips.images(video, wanted if wanted.stop <= frames else looped)
        return torch.from_numpy(images).permute(3, 0, 1, 2)

    def keypoints(self, video: str, start: int) -> Tensor:
        """The poses extracted between frame `start` and the clip's end: float32, (T', 17, 3); as they are stored."""
        frame, stop = self.poses.small(f"{video}/frame"), start + self.shape.span
        if stop <= self.clips.shape(video)[0]:
            first, last = np.searchsorted(frame, [start, stop])
            return torch.from_numpy(self.poses.rows(video, int(first), int(last)))
        every = int(frame[1] - frame[0]) if len(frame) > 1 else 1
        times = np.arange(-(-start // every) * every, stop, every) % self.clips.shape(video)[0]
        return torch.from_numpy(self.poses[video][times // every])

    def length(self, video: str) -> int:
        """Frames of a video; one that is shorter than a clip and its future is played over and over."""
        return max(self.clips.shape(video)[0], 2 * self.shape.span)

    def _near(self, video: str, start: int) -> NDArray[np.bool_]:
        """Which of the video's I-frames are the clip's, at least one: from `iframe_window` before to as much after it.

        Where there is none (long GOPs), the nearest one.
        """
        index: NDArray[Any] = self.iframes.small(f"{video}/index")
        window, stop, frames = self.shape.iframe_window, start + self.shape.span, self.clips.shape(video)[0]
        near = np.zeros(len(index), bool)
        for past in range(0, self.length(video), frames):  # once, unless the video is looped
            where = index + past
            near |= (where >= start - window) & (where < stop + window)
            if not self.shape.iframe_inside:
                near &= (where < start) | (where >= stop)
        if not near.any():
            near[np.abs(index - (start + self.shape.span / 2)).argmin()] = True
        return near

    def batch(self, videos: list[str], starts: list[int], futures: int, share: tuple[int, int] = (0, 1)) -> Batch:
        """Clips of `videos` starting at `starts`, each followed by its future.

        Args:
            videos, starts: Of the whole batch.
            futures: Of how many clips of the whole batch the future's frames are read, from the first on.
            share: Only this part of the clips is read (see `Batch`).
        """
        pairs, span = list(zip(videos, starts, strict=True)), self.shape.span
        near = [self._near(v, s) for v, s in pairs]
        counts = torch.tensor([int(found.sum()) for found in near])
        place = torch.arange(len(pairs))[share[0] :: share[1]]
        mine = torch.isin(torch.repeat_interleave(torch.arange(len(pairs)), counts), place)
        first = pairs[share[0] : futures : share[1]]
        pairs, near = pairs[share[0] :: share[1]], near[share[0] :: share[1]]
        clip = torch.stack([self.images(v, s) for v, s in pairs])
        return Batch(
            clip=clip,
            future=torch.stack([self.images(v, s + span) for v, s in first]) if first else clip[:0],
            poses=torch.stack([self.keypoints(v, s) for v, s in pairs]),
            future_poses=torch.stack([self.keypoints(v, s + span) for v, s in pairs]),
            iframes=torch.from_numpy(
                np.concatenate(
                    [self.iframes.rows(v, 0, len(which))[which] for (v, _), which in zip(pairs, near, strict=True)]
                )
            ).permute(0, 3, 1, 2),
            owner=torch.repeat_interleave(counts[place]),
            share=share,
            iframe_place=mine.nonzero()[:, 0],
            total=(len(counts), len(mine)),
        )

    def draw(
        self, videos: list[str], size: int, seed: int, step: int, futures: int, share: tuple[int, int] = (0, 1)
    ) -> Batch:
        """The batch of training step `step`: a function of seed and step alone, so that a resumed run sees the same.

        Videos are taken in a new random order each epoch, clips start anywhere that leaves room for the future.
        `futures` and `share` as in `batch`; they do not change what the whole batch is.
        """
        position = step * size
        orders: dict[int, NDArray[np.int64]] = {}
        chosen: list[str] = []
        for k in range(position, position + size):
            epoch, place = divmod(k, len(videos))
            if epoch not in orders:
                orders[epoch] = np.random.default_rng([seed, 1, epoch]).permutation(len(videos))
            chosen.append(videos[orders[epoch][place]])
        rng = np.random.default_rng([seed, 2, step])
        starts = [int(rng.integers(0, self.length(v) - 2 * self.shape.span + 1)) for v in chosen]
        return self.batch(chosen, starts, futures, share)


def uniform_starts(length: int, span: int, count: int) -> list[int]:
    """Starts of `count` clips at the mid-points of equal slots (CMD's test clips), all within the video."""
    room = max(length - span, 0)
    return [round(room * (k + 0.5) / count) for k in range(count)]
