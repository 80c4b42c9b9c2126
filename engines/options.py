"""What can be chosen of how a model runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """Choices beyond the catalogue; the defaults are a model's own, and the fastest.

    Attributes:
        height: of the network's input in pixels, where the picture's width follows from it.
        flip: look at the mirrored picture too and take the mean, as the authors' tests do.
        scales: sizes of the picture that DEKR looks at, relative to the input height.
        dark: place HRNet's keypoints by the shape of their peak (DARK) in place of a quarter
            of a pixel towards the higher neighbour.
    """

    height: int | None = None
    flip: bool = False
    scales: tuple[float, ...] = (1.0,)
    dark: bool = False

    def chosen(self) -> frozenset[str]:
        """Names of the options that differ from the default."""
        default = Options()
        return frozenset(
            name for name in self.__slots__ if getattr(self, name) != getattr(default, name)
        )
