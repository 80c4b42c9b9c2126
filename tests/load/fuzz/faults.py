"""A decoder with planted faults, to see that the fuzzer finds them."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import numpy as np

from service.errors import BadImageError
from service.images.codec import ImageLimits

SLOW, LARGE, CRASHES, RAISES = b"\x01", b"\x02", b"\x03", b"\x04"


def decode(data: bytes, limits: ImageLimits) -> np.ndarray[Any, Any]:
    """Goes wrong in one way for each of four last bytes, and refuses all else."""
    match data[-1:]:
        case b"\x01":
            until = time.process_time() + 0.3
            while time.process_time() < until:
                pass
        case b"\x02":
            np.ones(220_000_000, np.uint8)
        case b"\x03":
            os.kill(os.getpid(), signal.SIGSEGV)
        case b"\x04":
            raise KeyError("an index out of range")
    raise BadImageError(f"{len(data)} bytes and {limits.max_pixels} pixels are no picture.")
