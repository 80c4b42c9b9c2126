"""Checkpoints of MultiPoseNet: HDF5 files with one dataset for each key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engines.checkpoints.error import CheckpointError, not_installed

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_MOST_EXPANSION = 4  # parameters hardly compress; what claims more is meant to fill the memory


def starts(content: bytes) -> bool:
    """Whether a file that starts like this is one."""
    return content.startswith(_SIGNATURE)


def read(path: Path) -> dict[str, Tensor]:
    """The parameters by key, as LiMeng95/MultiPoseNet.pytorch saves them; groups may nest.

    Raises:
        CheckpointError: the file is truncated or malformed, holds other than arrays of numbers,
            refers to other files, or h5py is not installed.
    """
    try:
        import h5py  # noqa: PLC0415 - optional
    except ImportError as error:
        raise not_installed("h5py", path) from error
    try:
        with h5py.File(path, "r") as file:
            datasets: list[Any] = []  # soft and external links are not followed
            file.visititems(
                lambda _, item: datasets.append(item) if isinstance(item, h5py.Dataset) else None
            )
            return _parameters(datasets, path)
    except CheckpointError:
        raise
    except Exception as error:  # a malformed file raises nearly anything
        raise CheckpointError(
            f"{path} is truncated or not an HDF5 file; download or copy it again"
        ) from error


def _parameters(datasets: list[Any], path: Path) -> dict[str, Tensor]:
    """The datasets' contents, none of which is read before all were looked at."""
    named = {dataset.name.strip("/").replace("/", "."): dataset for dataset in datasets}
    if len(named) != len(datasets):
        raise CheckpointError(f"{path} has a key twice; save its parameters under one key each")
    for key, dataset in named.items():
        if dataset.shape is None or dataset.dtype.kind not in "fiu":
            raise CheckpointError(f"{path} holds no numbers at {key}; save its parameters alone")
        if dataset.is_virtual or dataset.external:
            raise CheckpointError(
                f"{path} keeps {key} in another file; save its parameters in one file"
            )
    if sum(dataset.nbytes for dataset in datasets) > _MOST_EXPANSION * path.stat().st_size:
        raise CheckpointError(
            f"{path} claims more parameters than it can hold; download or copy it again"
        )
    return {key: _tensor(dataset) for key, dataset in named.items()}


def _tensor(dataset: Any) -> Tensor:
    values = np.asarray(dataset[()])
    return torch.from_numpy(values.astype(values.dtype.newbyteorder("="), copy=False))
