"""Which inputs an engine is built for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engines.catalog import Entry, Network
from engines.options import Options
from engines.sizes import Made, Size, Sizes, within, written
from engines.systems import SYSTEMS

__all__ = ["OutsideProfileError", "Profile", "Size", "Sizes", "input_shape", "profile_of"]

Shape = Sequence[int | None]  # of a graph's input; None is free


class OutsideProfileError(ValueError):
    """An engine was given what it was not built for; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Profile:
    """The least, the usual and the largest input of a network.

    Attributes:
        batch: inputs a call takes.
        sizes: of a picture; None for a network that takes none. Each side is bounded by itself.
    """

    batch: tuple[int, int, int]
    sizes: Sizes | None

    def holds(self, shape: Sequence[int]) -> bool:
        """Whether an input of that shape, (N, h, w, 3) or (N, ...), lies inside."""
        if not self.batch[0] <= shape[0] <= self.batch[2]:
            return False
        return self.sizes is None or within((shape[1], shape[2]), self.sizes[0], self.sizes[2])

    def require(self, shape: Sequence[int]) -> None:
        """Refuses an input of a shape that it does not hold.

        Raises:
            OutsideProfileError
        """
        if self.holds(shape):
            return
        asked, what = f"{shape[0]}", f"{self.batch[0]} to {self.batch[2]}"
        if self.sizes is None:
            raise OutsideProfileError(
                f"the engine takes {what} inputs at once, not {asked}: build it with another "
                "largest batch"
            )
        least, _, largest = self.sizes
        raise OutsideProfileError(
            f"the engine takes {what} pictures at once of {written(least)} to {written(largest)}, "
            f"not {asked} of {written((shape[1], shape[2]))}: build it with sizes that hold this "
            "one, or without a choice of sizes"
        )


def profile_of(
    entry: Entry,
    network: Network,
    options: Options,
    *,
    max_batch: int,
    usual_batch: int | None = None,
    sizes: Sizes | None = None,
    shape: Shape = (),
) -> Profile:
    """The inputs that a network of a model gets, as its system makes them of any picture.

    Args:
        entry: of the catalogue.
        network: of the entry.
        options: how the model runs.
        max_batch: the most inputs of a call.
        usual_batch: for which the engine is to be fastest; the most if None, which is what
            queues hold when speed counts.
        sizes: that the user wants in place of the system's; fewer pictures are served.
        shape: of the graph's input (see `input_shape`): what is a constant of it decides.

    Raises:
        ValueError: `sizes` are none that the system makes, or not what the graph takes.
    """
    batch, fixed = shape[0] if shape else None, tuple(shape[1:3])
    most = batch or max_batch
    batches = (batch or 1, min(batch or usual_batch or most, most), most)
    if network.pixels is None:
        return Profile(batches, None)
    made = SYSTEMS[entry.system].make(entry, None, options).sizes
    if sizes is not None:
        _check(entry, made, sizes)
    return Profile(batches, _held(entry, sizes or made.sizes, fixed or (None, None)))


def input_shape(model: Any) -> tuple[int | None, ...]:
    """The shape of the first input of an `onnx.ModelProto`; what is free is None."""
    stored = {tensor.name for tensor in model.graph.initializer}
    given = next(one for one in model.graph.input if one.name not in stored)
    sides = given.type.tensor_type.shape.dim
    return tuple(side.dim_value if side.HasField("dim_value") else None for side in sides)


def _check(entry: Entry, made: Made, sizes: Sizes) -> None:
    """That a user's sizes hold some picture of the system, and no other."""
    least, _, largest = made.sizes
    if least == largest and set(sizes) != {least}:
        raise ValueError(f"{entry.name} takes pictures of {written(least)} alone: choose no sizes")
    for size in sizes:
        if any(side % made.multiple for side in size):
            raise ValueError(
                f"size {written(size)}: {entry.name} takes sides that are multiples of "
                f"{made.multiple}"
            )
    common = tuple(map(max, least, sizes[0])), tuple(map(min, largest, sizes[2]))
    if any(low > high for low, high in zip(*common, strict=True)):
        raise ValueError(
            f"{entry.name} makes inputs of {written(least)} to {written(largest)}, none of which "
            f"is of {written(sizes[0])} to {written(sizes[2])}"
        )


def _held(entry: Entry, sizes: Sizes, fixed: Sequence[int | None]) -> Sizes:
    """The sizes with those sides that are constants of the graph."""

    def held(size: Size) -> Size:
        height, width = (one or side for one, side in zip(fixed, size, strict=True))
        return height, width

    least, usual, largest = sizes
    if not within(held(usual), least, largest):
        raise ValueError(
            f"the graph of {entry.name} takes pictures of {written(held(usual))} alone, not of "
            f"{written(least)} to {written(largest)}"
        )
    return held(least), held(usual), held(largest)
