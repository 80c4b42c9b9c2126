"""The TensorRT that is installed, or TensorRT-RTX, whose programming is the same."""

from __future__ import annotations

import importlib
import logging
import re
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cache
from threading import Lock
from types import ModuleType
from typing import Any

_NAMES = {"tensorrt": "TensorRT", "tensorrt_rtx": "TensorRT-RTX"}  # the first is preferred
_SINCE = (10, 12)  # of TensorRT; older ones do not build every graph as it says
_LEVELS = (logging.ERROR, logging.ERROR, logging.DEBUG, logging.DEBUG)  # of their severities
# Told the name of a phase, which may lie within another, and the share of it that is done.
Progress = Callable[[str, float], None]

_log = logging.getLogger(__name__)


class NoTensorRTError(Exception):
    """None is installed that the GPUs can use; the message says why of each."""


@dataclass(frozen=True, slots=True)
class TensorRT:
    """A TensorRT.

    Attributes:
        module: `tensorrt` or `tensorrt_rtx`.
        name, version: of the product.
    """

    module: ModuleType
    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    @property
    def is_rtx(self) -> bool:
        return self.name == _NAMES["tensorrt_rtx"]

    @property
    def logger(self) -> Any:
        """Of everything that is made with the module, which has one for the whole process.

        Its messages go to Python's logging; `errors` keeps the last errors.
        """
        return _logger(self.module)

    def target(self, capability: str) -> Any:
        """RTX's name of GPUs of a compute capability, such as "8.9"; None if it has none."""
        name = f"SM{capability.replace('.', '')}"
        return self.module.ComputeCapability.__members__.get(name)

    def refusal(self, capability: str) -> str | None:
        """Why GPUs of a compute capability, such as "8.9", cannot be used; None if they can."""
        if not self.is_rtx or self.target(capability) is not None:
            return None
        return f"{self} does not support GPUs of compute capability {capability}; TensorRT does"


def find_tensorrt(capabilities: Collection[str] = ()) -> TensorRT:
    """TensorRT, or else TensorRT-RTX.

    Args:
        capabilities: compute capabilities of the GPUs that have to be supported, "8.9" each.

    Raises:
        NoTensorRTError
    """
    reasons = []
    for module, name in _NAMES.items():
        try:
            found = _import(module, name)
        except (ImportError, OSError) as error:  # OSError: one of its libraries is missing
            reasons.append(f"{name}: {error}")
            continue
        refusals = filter(None, map(found.refusal, capabilities))
        if (refusal := next(refusals, None)) is None:
            return found
        reasons.append(refusal)
    raise NoTensorRTError("; ".join(reasons))


def _import(module: str, name: str) -> TensorRT:
    found = TensorRT(imported := importlib.import_module(module), name, imported.__version__)
    version = tuple(int(part) for part in re.findall(r"\d+", found.version)[:2])
    if not found.is_rtx and version < _SINCE:
        raise ImportError(f"{found.version} is too old: {'.'.join(map(str, _SINCE))} is needed")
    return found


@cache
def _logger(module: ModuleType) -> Any:
    class Logger(module.ILogger):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            module.ILogger.__init__(self)
            self.errors: deque[str] = deque(maxlen=20)

        def log(self, severity: Any, message: str) -> None:
            if severity <= module.ILogger.Severity.ERROR:
                self.errors.append(message)
            if severity <= module.ILogger.Severity.INFO:
                _log.log(_LEVELS[severity.value], "%s", message)

    return Logger()


def monitor(module: ModuleType, progress: Progress) -> Any:
    """An `IProgressMonitor` that tells `progress`, and keeps what that raised as `raised`.

    An exception must not go up through TensorRT: the build is told to end in its place.
    """

    class Monitor(module.IProgressMonitor):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            module.IProgressMonitor.__init__(self)
            self.raised: BaseException | None = None
            self._steps: dict[str, int] = {}
            self._lock = Lock()  # TensorRT calls from threads of its own

        def phase_start(self, phase: str, _: str | None, steps: int) -> None:
            self._steps[phase] = steps
            self._tell(phase, 0)

        def step_complete(self, phase: str, step: int) -> bool:
            self._tell(phase, step + 1)
            return self.raised is None

        def phase_finish(self, phase: str) -> None:
            self._tell(phase, self._steps.get(phase, 1))

        def _tell(self, phase: str, done: int) -> None:
            with self._lock:
                if self.raised is None:
                    try:
                        progress(phase, done / self._steps[phase])
                    except BaseException as error:  # raised again by who asked for the build
                        self.raised = error

    return Monitor()
