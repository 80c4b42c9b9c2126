"""The request that is being handled, for whoever tells of it: its log line, its metrics.

It is known wherever its handler's context is: in the tasks that the handler starts, and in
threads that are given a copy of the context.
"""

from __future__ import annotations

import re
import time
from contextvars import ContextVar
from dataclasses import dataclass, field

_PROBES = re.compile(
    r"(GET|HEAD) /(healthz|readyz|metrics|v2/health/\w*|v2/models/[^/]*/ready)"
    r"|/grpc\.health\.v1\.Health/\w*"
    r"|/inference\.GRPCInferenceService/(ServerLive|ServerReady|ModelReady)"
)


@dataclass(slots=True)
class Call:
    """A request over HTTP, or a call over gRPC, as a stream is.

    Attributes:
        id: the caller's, or a fresh one.
        protocol: `http` or `grpc`, and from where it is counted on as metrics call it.
        method: of HTTP with the path, or that of gRPC.
        model: as metrics call it; empty where none is served by the name that was asked for.
        code: `ok`, or that of the error it ended with; empty where no image is asked about.
        received: bytes of its body or messages.
        images, people: that were answered, and found in them.
        stages: milliseconds that the last image spent in each.
    """

    id: str
    protocol: str
    method: str
    model: str = ""
    code: str = ""
    received: int = 0
    images: int = 0
    people: int = 0
    stages: dict[str, float] = field(default_factory=dict)
    began: float = field(default_factory=time.perf_counter)

    @property
    def is_probe(self) -> bool:
        """Whether it asks how the service does, as somebody does all the time."""
        return _PROBES.fullmatch(self.method) is not None

    @property
    def milliseconds(self) -> float:
        """Since it began."""
        return (time.perf_counter() - self.began) * 1e3


CALL: ContextVar[Call | None] = ContextVar("call", default=None)
"""That which is handled in this context."""
