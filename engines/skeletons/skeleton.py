"""What a skeleton is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Skeleton:
    """A set of keypoints and how they hang together.

    Attributes:
        name: what the wire calls it.
        keypoints: names, in the order of a model's keypoint channels.
        limbs: pairs of keypoint indices.
        sigmas: per keypoint, the standard deviation of its annotation relative to the
            object's scale, as COCO's object keypoint similarity (OKS) uses it.
        flip_pairs: keypoints that change places in a mirrored picture.
        fields: per limb, its (x, y) channels among the part affinity fields; empty for a
            skeleton that has none.
        loops: how many of the last limbs only close a loop. They help to find people but
            are not drawn.
        coco: per COCO keypoint, its index here; empty where COCO's cannot be had.
    """

    name: str
    keypoints: tuple[str, ...]
    limbs: tuple[tuple[int, int], ...]
    sigmas: tuple[float, ...]
    flip_pairs: tuple[tuple[int, int], ...]
    fields: tuple[tuple[int, int], ...] = ()
    loops: int = 0
    coco: tuple[int, ...] = ()

    @property
    def mirrored(self) -> list[int]:
        """Per keypoint, the index of the one that a mirrored picture shows in its place."""
        order = list(range(len(self.keypoints)))
        for left, right in self.flip_pairs:
            order[left], order[right] = right, left
        return order

    @property
    def drawn_limbs(self) -> tuple[tuple[int, int], ...]:
        return self.limbs[: len(self.limbs) - self.loops]
