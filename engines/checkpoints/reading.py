"""A checkpoint's parameters, whatever kind of file it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from engines.checkpoints import caffemodel, hdf5, pickled, safetensor
from engines.checkpoints.error import CheckpointError

_Reader = Callable[[Path], dict[str, Tensor]]
_SUFFIXES: dict[str, _Reader] = {
    ".caffemodel": caffemodel.read,
    ".h5": hdf5.read,
    ".safetensors": safetensor.read,
}
_START_BYTES = 16


def read(path: Path) -> dict[str, Tensor]:
    """The parameters in a checkpoint, on the CPU, by the keys it gives them.

    It may be a file of torch, Caffe, HDF5 or safetensors. Its first bytes tell, and its name
    only where they do not. Nothing in the file is run.

    Raises:
        OSError: the file cannot be opened.
        CheckpointError: the file is truncated, no checkpoint, would have to run code, or needs
            a library that is not installed.
    """
    with path.open("rb") as file:
        reader = _by_content(file.read(_START_BYTES))
    parameters = (reader or _SUFFIXES.get(path.suffix.lower(), pickled.read))(path)
    if not parameters:
        raise CheckpointError(f"{path} holds no parameters; choose the checkpoint of a network")
    return parameters


def _by_content(start: bytes) -> _Reader | None:
    for reader, is_its_own in (
        (safetensor.read, safetensor.starts),
        (hdf5.read, hdf5.starts),
        (pickled.read, pickled.starts),
        (caffemodel.read, caffemodel.starts),  # last, as Caffe's first bytes say the least
    ):
        if is_its_own(start):
            return reader
    return None
