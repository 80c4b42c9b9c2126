"""Checkpoints of the safetensors library."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from engines.checkpoints.error import CheckpointError, not_installed

_LONGEST_HEADER = 100_000_000  # bytes; the library reads no longer ones


def starts(content: bytes) -> bool:
    """Whether a file that starts like this is one: a header's length, then its JSON."""
    return content[8:9] == b"{" and int.from_bytes(content[:8], "little") <= _LONGEST_HEADER


def read(path: Path) -> dict[str, Tensor]:
    """The parameters by key.

    Raises:
        CheckpointError: the file is truncated or malformed, or the library is not installed.
    """
    try:
        from safetensors.torch import load_file  # noqa: PLC0415 - optional
    except ImportError as error:
        raise not_installed("safetensors", path) from error
    try:
        return load_file(path)
    except Exception as error:  # a malformed file raises more than SafetensorError
        raise CheckpointError(
            f"{path} is truncated or not a safetensors file; download or copy it again"
        ) from error
