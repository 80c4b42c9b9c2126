"""A trained model's maps, as a student should give them."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from engines.geometry import Floats
from engines.model import Model, answer
from engines.skeletons import Skeleton
from engines.systems import TOP_DOWN
from training.data.targets import TargetRule

Pictures = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Teacher:
    """A part affinity model that looks at pictures in several sizes, up to larger than its
    student does, and gives the mean: small people are found in the larger ones, large people in
    the smaller ones.

    Attributes:
        model: gives `heatmaps` and `fields` at an eighth of its input.
        scales: pixels of the teacher's for one of the student's, in a row; each divides the
            largest.
        flip: look at the mirrored pictures too.
        rule: of the targets that the maps stand for.
    """

    model: Model
    scales: tuple[int, ...] = (1, 2)
    flip: bool = False
    rule: TargetRule = field(default_factory=TargetRule)

    def __post_init__(self) -> None:
        entry = self.model.entry
        if entry.system == TOP_DOWN or not entry.skeleton.fields:
            raise ValueError(
                f"{entry.name} has no part affinity fields: choose a teacher that has them"
            )

    @property
    def largest(self) -> int:
        return max(self.scales)

    def maps(self, pictures: Pictures) -> Floats:
        """(N, K + 1 + 2 * limbs, h, w) on the student's cells, heatmaps first.

        Args:
            pictures: (N, H, W, 3) in the largest of the sizes.
        """
        looks: list[Floats] = []
        for scale in self.scales:
            smaller = reduced(pictures, self.largest // scale)
            looks.append(self._seen(smaller, scale))
            if self.flip:
                mirrored = self._seen(np.ascontiguousarray(smaller[:, :, ::-1]), scale)
                looks.append(flipped(mirrored, self.model.entry.skeleton))
        mean: Floats = np.mean(looks, axis=0, dtype=np.float32)
        background = len(self.model.entry.skeleton.keypoints)
        mean[:, background] = 1 - mean[:, :background].max(axis=1)
        return mean

    def _seen(self, pictures: Pictures, scale: int) -> Floats:
        entry = self.model.entry
        maps = answer(self.model.engines[entry.name], pictures)
        heatmaps = maps["heatmaps"][:, : len(entry.skeleton.keypoints) + 1]
        wide, vectors = widened(heatmaps, scale, self.rule), strongest(maps["fields"], scale)
        return np.concatenate([wide, vectors], axis=1)


def reduced(pictures: Pictures, times: int) -> Pictures:
    """(N, H, W, 3) so many times smaller, by area."""
    if times == 1:
        return pictures
    height, width = pictures.shape[1] // times, pictures.shape[2] // times
    smaller = [
        cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA) for picture in pictures
    ]
    return np.stack(smaller).astype(np.uint8)


def flipped(maps: Floats, skeleton: Skeleton) -> Floats:
    """Maps (N, C, h, w) of mirrored pictures as those of the pictures."""
    channels, signs = mirrored_channels(skeleton)
    return maps[:, channels, :, ::-1] * signs[:, None, None]


def mirrored_channels(skeleton: Skeleton) -> tuple[npt.NDArray[np.intp], Floats]:
    """Per channel (heatmaps, background, fields) of a picture, the one of the mirrored picture
    that says the same, and 1 or -1 to multiply it with: an x of a field turns round.
    """
    parts = len(skeleton.keypoints)
    channels = np.arange(parts + 1 + 2 * len(skeleton.limbs))
    signs = np.ones(len(channels), np.float32)
    mirror = skeleton.mirrored
    channels[:parts] = mirror
    fields = parts + 1 + np.array(skeleton.fields)
    for limb, (first, second) in enumerate(skeleton.limbs):
        ends = mirror[first], mirror[second]
        turned = ends not in skeleton.limbs  # then the mirrored limb runs the other way
        channels[fields[limb]] = fields[skeleton.limbs.index(ends[::-1] if turned else ends)]
        signs[fields[limb]] = (1, -1) if turned else (-1, 1)
    return channels, signs


def widened(heatmaps: Floats, enlarge: int, rule: TargetRule) -> Floats:
    """Peaks (N, K, h * enlarge, w * enlarge) as wide on the student's cells as they should be.

    On the student's cells the peaks of a teacher that sees everything larger are narrow; the mean
    over cells would make them low as well. The largest product of the heatmap and a Gaussian
    around each cell is wider and as high: of Gaussians with variances a and b, it is the Gaussian
    with a + b. Noise, unlike by a convolution, stays as low as it is.
    """
    if enlarge == 1:
        return heatmaps
    variance = (rule.sigma / rule.stride) ** 2 * (1 - 1 / enlarge**2)
    for axis in (2, 3):
        cells = heatmaps.shape[axis]
        theirs = (np.arange(cells, dtype=np.float32) + 0.5) / enlarge - 0.5
        ours = np.arange(cells // enlarge, dtype=np.float32)
        kernel = np.exp(-((ours[:, None] - theirs) ** 2) / np.float32(2 * variance))
        moved = np.moveaxis(heatmaps, axis, 3)
        wide = np.stack([(moved * row).max(axis=3) for row in kernel], axis=3)
        heatmaps = np.moveaxis(wide, 3, axis)
    return heatmaps


def strongest(fields: Floats, enlarge: int) -> Floats:
    """Of vectors (N, 2 * limbs, h * enlarge, w * enlarge), the longest in or beside each cell.

    A limb's band, which for the teacher is as many of its smaller cells wide, gets the student's
    width that way, and keeps its strength.
    """
    if enlarge == 1:
        return fields
    reach = enlarge - 1  # of the teacher's cells: half the band's width that is missing
    n, channels, height, width = fields.shape
    pairs = fields.reshape(n, channels // 2, 2, height, width)
    margin = np.pad(pairs, [(0, 0)] * 3 + [(reach, reach)] * 2)
    best = np.zeros((n, channels // 2, 2, height // enlarge, width // enlarge), np.float32)
    longest = np.zeros((n, channels // 2, *best.shape[3:]), np.float32)
    for y in range(enlarge + 2 * reach):
        for x in range(enlarge + 2 * reach):
            there = margin[..., y : y + height : enlarge, x : x + width : enlarge]
            length = np.hypot(there[:, :, 0], there[:, :, 1])
            longer = length > longest
            longest = np.where(longer, length, longest)
            best = np.where(longer[:, :, None], there, best)
    return best.reshape(n, channels, *best.shape[3:])
