"""In which form networks take their pixels: order of the channels, mean and deviation."""

from __future__ import annotations

from dataclasses import dataclass

Triple = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class PixelForm:
    """A network gets (pixel - mean) / scale; pixels are 0 to 255.

    Attributes:
        mean, scale: of each channel, in the order the network takes them.
        rgb: whether that order is RGB; else it is BGR.
    """

    mean: Triple = (0.0, 0.0, 0.0)
    scale: Triple = (1.0, 1.0, 1.0)
    rgb: bool = False


PIXELS = {
    "plain": PixelForm(),
    # OpenPose's pixel / 256 - 0.5 and Lightweight OpenPose's (pixel - 128) / 256.
    "centred": PixelForm(mean=(128.0, 128.0, 128.0), scale=(256.0, 256.0, 256.0)),
    # torchvision's, which HRNet, DEKR and MultiPoseNet share.
    "imagenet": PixelForm(
        mean=(0.485 * 255, 0.456 * 255, 0.406 * 255),
        scale=(0.229 * 255, 0.224 * 255, 0.225 * 255),
        rgb=True,
    ),
    "none": None,
}
