"""Writes protobuf messages, and Caffe's models as far as tests need them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

Blob = npt.NDArray[np.float32]


def varint(value: int) -> bytes:
    more, low = value >> 7, value & 0x7F
    return bytes([low | 0x80]) + varint(more) if more else bytes([low])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def message(field: int, *contents: bytes) -> bytes:
    """A field of bytes: a message, a string or packed numbers."""
    content = b"".join(contents)
    return varint(field << 3 | 2) + varint(len(content)) + content


def blob(values: Blob) -> bytes:
    """The content of a BlobProto: shape and data."""
    shape = message(1, *(varint(size) for size in values.shape))
    return message(7, shape) + message(5, values.astype("<f4").tobytes())


def layer(name: str, kind: str, blobs: Sequence[Blob] = ()) -> bytes:
    """A layer of a NetParameter."""
    return message(
        100,
        message(1, name.encode()),
        message(2, kind.encode()),
        message(3, b"the layer below"),
        *(message(7, blob(values)) for values in blobs),
        number(10, 1),  # phase
    )


def caffemodel(layers: Mapping[str, Sequence[Blob]]) -> bytes:
    """A NetParameter with these layers' parameters, and one layer without."""
    return b"".join(
        [
            message(1, b"net"),
            layer("input", "Input"),
            *(layer(name, "Convolution", blobs) for name, blobs in layers.items()),
        ]
    )
