"""How many threads the libraries outside the engine may take."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import cv2
from threadpoolctl import threadpool_limits


@contextmanager
def one_thread() -> Iterator[None]:
    """OpenCV, BLAS and OpenMP get one thread each, and OpenCV keeps its log to itself.

    Work on several images at once already fills the cores, and the engine has threads of
    its own; what OpenCV would log of a broken image is in the answer to its sender.
    """
    cv2.setNumThreads(1)
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    with threadpool_limits(1):
        yield
