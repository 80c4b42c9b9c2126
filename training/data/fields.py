"""Part affinity fields of known people."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engines.geometry import Floats
from engines.skeletons import Skeleton


def part_affinity(
    people: Floats, skeleton: Skeleton, height: int, width: int, band: float
) -> Floats:
    """Along every limb, its unit vector, in a band around the line between its keypoints.

    Z. Cao et al., "Realtime Multi-Person 2D Pose Estimation using Part Affinity Fields", 2017:
    where people's limbs of one kind overlap, the mean of their vectors. As in the code of
    Lightweight OpenPose the band reaches beyond both ends by its half width, without which the
    limbs of a face would have no cell. There it ends parallel to the axes, and cells count from
    their corner, half a cell beside where heatmaps see them; here it ends across the limb, and
    cells count from their centres, where the grouping looks for both.

    Args:
        people: (P, K, 3) x, y, visibility in cells: a cell's centre is whole.
        skeleton: limbs, and channels of their fields.
        height, width: of the maps.
        band: half its width, in cells.

    Returns:
        (2 * limbs, height, width) float32.
    """
    fields = np.zeros((2 * len(skeleton.limbs), height, width), np.float32)
    first, second = np.transpose(skeleton.limbs)
    line = people[:, second, :2] - people[:, first, :2]  # (P, L, 2)
    length = np.hypot(line[:, :, 0], line[:, :, 1])
    known = (people[:, first, 2] > 0) & (people[:, second, 2] > 0) & (length > 0)
    person, limb = np.nonzero(known)
    if not len(person):
        return fields
    length = length[person, limb]
    unit = line[person, limb] / length[:, None]
    on_limb = _bands(people[person, first[limb], :2], unit, length, (height, width), band)

    # Limbs of one kind follow each other, so that their sums are those of segments.
    order = np.argsort(limb, kind="stable")
    kinds, starts = np.unique(limb[order], return_index=True)
    on_limb, unit = on_limb[order].astype(np.float32), unit[order]
    several = np.maximum(np.add.reduceat(on_limb, starts), 1)
    for axis in range(2):
        channels = np.array(skeleton.fields)[kinds, axis]
        along = on_limb * unit[:, axis, None, None]
        fields[channels] = np.add.reduceat(along, starts) / several
    return fields


def _bands(
    start: Floats, unit: Floats, length: Floats, shape: tuple[int, int], band: float
) -> npt.NDArray[np.bool_]:
    """(n, height, width) whether a cell is in the band of each of n lines."""
    height, width = shape
    x = np.arange(width, dtype=np.float32) - start[:, :1]
    y = np.arange(height, dtype=np.float32) - start[:, 1:]
    ux, uy = unit[:, :1], unit[:, 1:]
    along = (ux * x)[:, None, :] + (uy * y)[:, :, None]
    aside = (uy * x)[:, None, :] - (ux * y)[:, :, None]
    within: npt.NDArray[np.bool_] = (along >= -band) & (along <= length[:, None, None] + band)
    within &= np.abs(aside) <= band
    return within
