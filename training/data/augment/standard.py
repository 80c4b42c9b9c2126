"""All augmentations together, as posewire-small is trained."""

from __future__ import annotations

from collections.abc import Sequence

from engines.skeletons import Skeleton
from training.data.augment.affine import Affine
from training.data.augment.chain import Augmentation, Chain, Sometimes
from training.data.augment.colour import Colour
from training.data.augment.copy_paste import CopyPaste
from training.data.augment.flip import Flip
from training.data.augment.half_body import HalfBody
from training.data.augment.mosaic import Mosaic
from training.data.augment.portrait import Portrait
from training.data.sample import AnyOf, Sample


def standard(
    skeleton: Skeleton,
    samples: Sequence[Sample],
    affine: Affine,
    *,
    near: bool = False,
    half_body: float = 0.15,
    mosaic: float = 0.25,
    copy_paste: float = 0.25,
    flip: float = 0.5,
    colour: float = 0.8,
) -> Augmentation:
    """Each augmentation with its probability; `samples` are those that others are taken from.

    Nothing is pasted or joined where nobody in `samples` is labelled. From `near` there are no
    half bodies and no mosaics, but portraits.
    """
    one: Augmentation = Chain((Sometimes(half_body, HalfBody(skeleton)), affine))
    others = AnyOf([sample for sample in samples if len(sample.people)])
    if near:
        one = Portrait(skeleton, affine, size=affine.size, max_zoom=affine.max_zoom)
    elif others.samples:
        one = Sometimes(mosaic, Mosaic(others, affine), otherwise=one)
    steps = [one]
    if others.samples:
        steps.append(Sometimes(copy_paste, CopyPaste(skeleton, others, affine=affine)))
    steps += [Sometimes(flip, Flip(skeleton)), Sometimes(colour, Colour())]
    return Chain(tuple(steps))
