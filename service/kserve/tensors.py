"""Tensors as the protocol carries them: images in, people out."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engines.people import Floats
from service import formats
from service.errors import BadParameterError
from service.estimate import Estimate

IMAGE = "image"
OUTPUTS = ("people", "keypoints", "scores", "boxes")
_LENGTH = struct.Struct("<I")  # before each element of BYTES


@dataclass(frozen=True, slots=True)
class Tensor:
    """A named output: text in one dimension (BYTES), or float32 in any number (FP32)."""

    name: str
    values: list[str] | Floats

    @property
    def datatype(self) -> str:
        return "BYTES" if isinstance(self.values, list) else "FP32"

    @property
    def shape(self) -> list[int]:
        return list(np.shape(self.values))

    def raw(self) -> bytes:
        """Little-endian numbers; or each text's length in 4 bytes and its bytes."""
        if isinstance(self.values, list):
            return b"".join(_with_length(text.encode()) for text in self.values)
        return self.values.astype("<f4").tobytes()

    def plain(self) -> list[str] | list[float]:
        """The elements row by row, for JSON."""
        if isinstance(self.values, list):
            return self.values
        numbers: list[float] = self.values.ravel().tolist()
        return numbers


def outputs(estimates: Sequence[Estimate], asked: Sequence[str]) -> list[Tensor]:
    """The outputs that were asked for, or every one that there is for so many images."""
    return [_output(name, estimates) for name in asked or names(len(estimates))]


def names(images: int) -> Sequence[str]:
    """Outputs for so many images: those of several are no array, as the number of people varies."""
    return OUTPUTS if images == 1 else OUTPUTS[:1]


def check_image(name: str, datatype: str, shape: Sequence[int], most: int) -> int:
    """How many images an input has that says this of itself.

    Raises:
        BadParameterError: another input, or more images than `most`.
    """
    if (name, datatype) != (IMAGE, "BYTES"):
        raise BadParameterError(
            f"The input {name!r} of {datatype} is not known: send encoded pictures as `{IMAGE}` "
            "of BYTES."
        )
    if len(shape) != 1 or not 1 <= shape[0] <= most:
        raise BadParameterError(
            f"`{IMAGE}` has the shape {list(shape)}: send [N] for N pictures, at most {most}."
        )
    return shape[0]


def unpack(raw: bytes | memoryview, images: int) -> list[bytes]:
    """The elements of a BYTES tensor of so many, each after its length in 4 bytes.

    Raises:
        BadParameterError: they do not fill `raw`.
    """
    elements, at = [], 0
    for _ in range(images):
        start = at + _LENGTH.size
        at = start + (_LENGTH.unpack_from(raw, at)[0] if start <= len(raw) else 0)
        elements.append(bytes(raw[start:at]))
    if at != len(raw):
        raise BadParameterError(
            f"The {len(raw)} bytes of `{IMAGE}` are not the {images} pictures of its shape: send "
            "the length of each in 4 bytes, little-endian, before its own bytes."
        )
    return elements


def _with_length(data: bytes) -> bytes:
    return _LENGTH.pack(len(data)) + data


def _output(name: str, estimates: Sequence[Estimate]) -> Tensor:
    if name == "people":
        return Tensor(name, [formats.native(one).model_dump_json() for one in estimates])
    values: Floats = getattr(estimates[0].people, name)
    return Tensor(name, values)
