"""Checkpoints of Caffe, which OpenPose's are, without Caffe.

The fields are those of BVLC/caffe, src/caffe/proto/caffe.proto.
"""

from __future__ import annotations

import math
import mmap
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engines.checkpoints.error import CheckpointError
from engines.checkpoints.wire import Reader, WireError, content, varints

# The fields of NetParameter that hold layers, and in these the fields of name and blobs.
_LAYERS = {100: (1, 7), 2: (4, 6)}  # layer, of LayerParameter; layers, of V1LayerParameter
_FIRST_BYTES = (b"\x0a", b"\x12", b"\xa2\x06")  # NetParameter's name, layers and layer
_SIZES = (1, 2, 3, 4)  # BlobProto's num, channels, height and width, from before it had a shape
_DATA, _SHAPE, _DOUBLE_DATA = 5, 7, 8  # further fields of BlobProto
_DIM = 1  # of BlobShape
_MOST_AXES = 32  # Caffe's own bound
_MOST_FIELDS = 1_000_000  # of the file; OpenPose's have some thousands
_KINDS = ("weight", "bias")  # what the blobs of a layer are, in order


def starts(start: bytes) -> bool:
    """Whether a file that starts like this may be one."""
    return start.startswith(_FIRST_BYTES)


def read(path: Path) -> dict[str, Tensor]:
    """The parameters by key: `<layer>.weight` (O, I, height, width) and `<layer>.bias` (O,).

    A PReLU's slopes (C,) are a weight. Layers without parameters are passed over.

    Raises:
        CheckpointError: the file is truncated or malformed, or has layers of other kinds.
    """
    if not path.stat().st_size:
        raise CheckpointError(f"{path} is empty; download or copy it again")
    with path.open("rb") as file:  # mapped, so that only its numbers are copied, and but once
        net = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    try:
        return _parameters(net, Reader(_MOST_FIELDS))
    except ValueError as error:
        raise CheckpointError(
            f"{path} is truncated or not a Caffe model: {error}; download or copy it again"
        ) from error


def _parameters(net: memoryview, reader: Reader) -> dict[str, Tensor]:
    parameters: dict[str, Tensor] = {}
    for number, value in reader.fields(net):
        if number not in _LAYERS:
            continue
        name, blobs = _layer(content(value), reader, *_LAYERS[number])
        named = {f"{name}.{kind}": blob for kind, blob in zip(_KINDS, blobs, strict=False)}
        if named.keys() & parameters.keys():
            raise WireError(f"two layers are named {name}")
        parameters |= named
    return parameters


def _layer(
    message: memoryview, reader: Reader, name_field: int, blobs_field: int
) -> tuple[str, list[Tensor]]:
    name, blobs = "", list[Tensor]()
    for number, value in reader.fields(message):
        if number == name_field:
            name = str(content(value), "utf-8")
        elif number == blobs_field:
            if len(blobs) == len(_KINDS):
                raise WireError("a layer has more parameters than weight and bias")
            blobs.append(_blob(content(value), reader))
    if len(blobs) == len(_KINDS):
        blobs[1] = blobs[1].flatten()  # a bias without a shape of its own is (1, 1, 1, O)
    return name, blobs


def _blob(message: memoryview, reader: Reader) -> Tensor:
    """A BlobProto's numbers in its shape, copied from the message."""
    floats, doubles, sizes = bytearray(), bytearray(), [0] * len(_SIZES)
    shape: list[int] | None = None
    for number, value in reader.fields(message):
        if number == _DATA:  # packed, or one number a field
            floats += content(value)
        elif number == _DOUBLE_DATA:
            doubles += content(value)
        elif number == _SHAPE:
            shape = _shape(content(value), reader)
        elif number in _SIZES and isinstance(value, int):
            sizes[_SIZES.index(number)] = value
    values = np.frombuffer(doubles, "<f8") if doubles else np.frombuffer(floats, "<f4")
    if shape is None:
        shape = sizes
    if math.prod(shape) != len(values):
        raise WireError(f"{len(values)} numbers are said to be of shape {tuple(shape)}")
    return torch.from_numpy(values.astype(np.float32, copy=False)).reshape(shape)


def _shape(message: memoryview, reader: Reader) -> list[int]:
    dims: list[int] = []
    for number, value in reader.fields(message):
        if number == _DIM:
            packed = [value] if isinstance(value, int) else islice(varints(value), _MOST_AXES + 1)
            dims.extend(packed)
        if len(dims) > _MOST_AXES:
            raise WireError(f"an array has more than {_MOST_AXES} axes")
    return dims
