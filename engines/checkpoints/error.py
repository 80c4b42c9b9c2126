"""Why a checkpoint is refused."""

from __future__ import annotations

from pathlib import Path


class CheckpointError(ValueError):
    """A file is no checkpoint that can be read safely, or not one of this network."""


def not_installed(library: str, path: Path) -> CheckpointError:
    """The error of a file whose library is missing."""
    return CheckpointError(
        f"{path} is read with {library}, which is not installed; pip install 'posewire[torch]'"
    )
