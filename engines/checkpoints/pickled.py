"""Checkpoints of torch, of which nothing is run."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engines.checkpoints.error import CheckpointError

# Where projects put the parameters; of a training's, the average comes before the last.
_WRAPPERS = ("state_dict", "best_state_dict", "ema", "model")
_FIRST_BYTES = (b"PK\x03\x04", b"\x80")  # of an archive, or a bare pickle


class _Nothing:
    """Stands in for what lies beside the parameters: it takes anything, holds and does nothing."""

    def __init__(self, *_: object) -> None: ...

    def __setstate__(self, _: object) -> None: ...


# Training checkpoints hold NumPy scalars (HRNet's the accuracy) and arrays, MMPose's their
# history too. NumPy's own constructors trust what they are given, so they are not called.
_PASSED_OVER: list[Any] = [
    (_Nothing, name)
    for name in (
        "numpy.core.multiarray.scalar",
        "numpy.core.multiarray._reconstruct",
        "numpy._core.multiarray.scalar",  # since NumPy 2
        "numpy._core.multiarray._reconstruct",
        "numpy.dtype",
        "numpy.ndarray",
        "mmengine.logging.history_buffer.HistoryBuffer",
    )
]


def starts(content: bytes) -> bool:
    """Whether a file that starts like this is one."""
    return content.startswith(_FIRST_BYTES)


def read(path: Path) -> dict[str, Tensor]:
    """The parameters by key.

    A plain state dict is taken as it is; of a training checkpoint, its `state_dict`,
    `best_state_dict`, `ema` or `model`.

    Raises:
        CheckpointError: the file is truncated, no checkpoint, or would have to run code.
    """
    found = _unpickle(path)
    if (plain := _state_dict(found)) is not None:
        return plain
    if isinstance(found, Mapping):
        for wrapper in _WRAPPERS:
            if (wrapped := _state_dict(found.get(wrapper))) is not None:
                return wrapped
    raise CheckpointError(
        f"{path} holds no state dict; save one with torch.save(network.state_dict(), path), "
        f"or under one of the keys {', '.join(_WRAPPERS)}"
    )


def _unpickle(path: Path) -> Any:
    # Opened here, so that what torch raises afterwards, OSError included, is about the content.
    with path.open("rb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of old pickle protocols; what matters is raised
        try:
            with torch.serialization.safe_globals(_PASSED_OVER):
                return torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # a malformed file raises nearly anything
            if "GLOBAL " in str(error):
                raise CheckpointError(
                    f"{path} holds more than parameters, and reading it would run code; where "
                    "you trust it, load it with torch and save its state dict alone"
                ) from error
            raise CheckpointError(
                f"{path} is truncated or not a torch checkpoint; download or copy it again"
            ) from error


def _state_dict(value: Any) -> dict[str, Tensor] | None:
    if not isinstance(value, Mapping) or not value:
        return None
    if not all(isinstance(k, str) and _is_plain(v) for k, v in value.items()):
        return None
    return dict(value)


def _is_plain(value: Any) -> bool:
    """Whether a network's parameter can be made of it; of a sparse tensor, say, it cannot."""
    return (
        isinstance(value, Tensor)
        and value.layout == torch.strided
        and value.device.type == "cpu"
        and not (value.is_quantized or value.is_nested or value.is_complex())
    )
