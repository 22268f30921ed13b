"""Training targets of OpenPifPaf's CIF and CAF heads for images with at most one person, a batch at a time.

The same targets as `openpifpaf.encoder.Cif` and `.Caf` (tested against them), which take about 10 ms of CPU an
image; with one person no two annotations compete for a cell, so that every cell can be written at once.
Definitions: Kreiss, Bertoni, Alahi, "OpenPifPaf: Composite Fields for Semantic Keypoint Detection and
Spatio-Temporal Association", sections III-B and III-C.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Heads:
    """What the encoders need to know of the CIF and CAF heads.

    Attributes:
        sigmas: OKS sigmas, shape (17,).
        skeleton: CAF's pairs of keypoint indices (from 0), shape (19, 2).
        pose: Reference pose, shape (17, 3), from which the person's size is judged when joints are missing.
        stride: Pixels a cell.
        b_min: Smallest regression spread in pixels.
    """

    sigmas: Floats
    skeleton: NDArray[np.int64]
    pose: Floats
    stride: int
    b_min: float = 0.1


def person_scale(points: Floats, pose: Floats) -> float:
    """Size of a person: root of its bounding box's area, corrected for the joints that are missing.

    Args:
        points: x, y, visibility, shape (17, 3), in any unit.
        pose: Reference pose, shape (17, 3).

    Returns:
        The size in the unit of `points`; NaN when fewer than three joints (or joints on one line) tell too little.
    """
    seen = points[:, 2] > 0
    if seen.sum() < 3:
        return float("nan")
    c = np.sqrt(0.5)
    factors = []
    for reference in (pose[:, :2], pose[:, :2] @ np.array([[c, -c], [c, c]]).T):
        part = float(np.prod(np.ptp(reference[seen], axis=0)))
        factors.append(float(np.prod(np.ptp(reference, axis=0))) / part if part > 0.1 else np.inf)
    factor = float(np.sqrt(min(factors)))
    if np.isinf(factor):
        return float("nan")
    scale = float(np.sqrt(np.prod(np.ptp(points[seen, :2], axis=0)))) * min(5.0, factor)
    return scale if scale >= 0.1 else float("nan")


def encode(points: Floats, size: tuple[int, int], heads: Heads) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """CIF and CAF targets.

    Args:
        points: One person an image: x, y in pixels of the padded image and visibility (0: no such joint; nobody
            is in the image when all are 0), shape (B, 17, 3).
        size: Height and width of the padded image in pixels, multiples of the stride plus one.
        heads: Constants of the two heads.

    Returns:
        CIF (B, 17, 5, h, w): confidence, vector x, y, b_min, scale; and CAF (B, 19, 9, h, w): confidence,
        vectors to both joints, two b_min, two scales. Everything but the confidence is NaN outside the cells of a
        joint or limb.
    """
    grid = ((size[0] - 1) // heads.stride + 1, (size[1] - 1) // heads.stride + 1)
    cells = points.astype(np.float64)
    cells[..., :2] /= heads.stride
    scales = np.array([person_scale(person, heads.pose) for person in cells])
    return _cif(cells, scales, grid, heads), _caf(cells, scales, grid, heads)


def _fields(hit: NDArray[np.bool_], planes: list[Floats | float]) -> NDArray[np.float32]:
    """Confidence plane from `hit` (B, F, h, w), then `planes`, NaN where there is no hit."""
    result = np.full((*hit.shape[:2], 1 + len(planes), *hit.shape[2:]), np.nan, dtype=np.float32)
    result[:, :, 0] = hit
    for k, plane in enumerate(planes, start=1):
        np.copyto(result[:, :, k], np.asarray(plane, dtype=np.float32), where=hit)
    return result


def _cif(cells: Floats, scales: Floats, grid: tuple[int, int], heads: Heads) -> NDArray[np.float32]:
    """Each joint owns the 4 × 4 cells around it."""
    corner = np.round(cells[..., :2] - 1.5)  # (B, 17, 2), top left of the 4 × 4 cells
    row, column = np.arange(grid[0])[:, None], np.arange(grid[1])[None, :]
    x0, y0 = (corner[..., k, None, None] for k in range(2))
    hit = (column >= x0) & (column < x0 + 4) & (row >= y0) & (row < y0 + 4) & (cells[..., 2, None, None] > 0)
    scale = scales[:, None] * heads.sigmas
    x, y = (cells[..., k, None, None] for k in range(2))
    return _fields(hit, [x - column, y - row, heads.b_min / heads.stride, scale[..., None, None]])


def _caf(cells: Floats, scales: Floats, grid: tuple[int, int], heads: Heads) -> NDArray[np.float32]:
    """Each limb owns the 3 × 3 cells around every point of its middle part."""
    first, second = (cells[:, heads.skeleton[:, k]] for k in range(2))  # (B, 19, 3)
    limit = np.array([grid[1] - 1, grid[0] - 1], dtype=np.float64)
    outside = [((end[..., :2] < 0) | (end[..., :2] > limit)).any(axis=-1) for end in (first, second)]
    there = (first[..., 2] > 0) & (second[..., 2] > 0) & ~(outside[0] & outside[1])

    offset = second[..., :2] - first[..., :2]
    length = np.linalg.norm(offset, axis=-1)
    steps = np.maximum(2, np.ceil(length)).astype(int)
    margin = np.clip(1.5 / (length + np.spacing(1)), 0.25, 0.4)
    at = np.minimum(np.arange(int(steps.max())), steps[..., None] - 1)  # (B, 19, K)
    along = margin[..., None] + at * ((1 - 2 * margin) / (steps - 1))[..., None]
    middle = first[..., None, :2] + along[..., None] * offset[..., None, :]  # (B, 19, K, 2)
    around = np.stack(np.meshgrid([-1.0, 0.0, 1.0], [-1.0, 0.0, 1.0]), axis=-1).reshape(9, 2)
    cell = np.round(middle[..., None, :] + around).astype(int)  # (B, 19, K, 9, 2)
    valid = ((cell >= 0) & (cell <= limit)).all(axis=-1) & there[..., None, None]
    image, limb = np.indices(valid.shape)[:2]
    hit = np.zeros((*there.shape, *grid), dtype=bool)
    hit[image[valid], limb[valid], cell[valid][:, 1], cell[valid][:, 0]] = True

    row, column = np.arange(grid[0])[:, None], np.arange(grid[1])[None, :]
    vectors: list[Floats | float] = []
    for end in (first, second):
        vectors += [end[..., 0, None, None] - column, end[..., 1, None, None] - row]
    spread: list[Floats | float] = [heads.b_min / heads.stride] * 2
    size: list[Floats | float] = [
        (scales[:, None] * heads.sigmas[heads.skeleton[:, k]])[..., None, None] for k in range(2)
    ]
    return _fields(hit, vectors + spread + size)
