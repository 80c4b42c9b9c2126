"""Programs of Debian's that tests of the deployment run."""

from __future__ import annotations

import os
import shutil

import pytest

_SYSTEM = "/usr/sbin"  # not in every user's path


def program(name: str, package: str) -> str:
    """Where it is; skips the test, by name, where it is absent."""
    found = shutil.which(name, path=f"{os.environ['PATH']}{os.pathsep}{_SYSTEM}")
    if found is None:
        pytest.skip(f"needs {name}, of Debian's package {package}")
    return found
