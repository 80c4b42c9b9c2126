"""Checkpoints into networks: read without running code, and all of them or nothing."""

from engines.checkpoints.error import CheckpointError
from engines.checkpoints.loading import fit, load
from engines.checkpoints.reading import read

__all__ = ["CheckpointError", "fit", "load", "read"]
