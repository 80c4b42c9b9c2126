"""Traces of requests: what the service tells of them, to nobody unless they are wanted.

Only `service.telemetry.otel` knows what makes them of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

from service.scheduling.answers import Ran

Facts = Mapping[str, str | int]
"""What a trace says beside its times, by OpenTelemetry's names."""


class Trace(Protocol):
    """A request, or a picture of several in one. Every method may be called from any thread.

    Attributes:
        id: by which it is found again; empty where there is none.
    """

    id: str

    def stage(self, name: str, began: float, seconds: float) -> None:
        """Tells of a stage that it has been through; `began` is of `time.perf_counter`."""

    def part(self, name: str) -> Trace:
        """Begins a part of it, which has stages of its own."""

    def end(self, facts: Facts, *, name: str = "", failed: bool = False) -> None:
        """Ends it, under another name than it began with if one is given."""


class Tracer(Protocol):
    """Where traces begin and go."""

    def request(self, name: str, sent: Mapping[str, str]) -> Trace:
        """Begins the trace of a request that came with these headers, `traceparent` among them."""

    def batch(self, ran: Ran) -> None:
        """Tells of a batch that was run, from any thread."""

    def close(self) -> None:
        """Sends what has not been sent yet; takes as long as that takes."""


class Untraced:
    """The trace of what nobody traces."""

    id = ""

    def stage(self, name: str, began: float, seconds: float) -> None:
        pass

    def part(self, name: str) -> Trace:  # noqa: ARG002 - the protocol
        return self

    def end(self, facts: Facts, *, name: str = "", failed: bool = False) -> None:
        pass


UNTRACED = Untraced()
TRACE: ContextVar[Trace] = ContextVar("trace", default=UNTRACED)
"""That of the request which is handled in this context."""


class NoTracer:
    """For a service whose requests nobody traces."""

    def request(self, name: str, sent: Mapping[str, str]) -> Trace:  # noqa: ARG002 - the protocol
        return UNTRACED

    def batch(self, ran: Ran) -> None:
        pass

    def close(self) -> None:
        pass


NO_TRACER = NoTracer()


@contextmanager
def part(name: str) -> Iterator[None]:
    """What is done meanwhile is a part of the context's trace."""
    trace = TRACE.get().part(name)
    token = TRACE.set(trace)
    try:
        yield
    finally:
        TRACE.reset(token)
        trace.end({})


def tracer(*, wanted: bool) -> Tracer:
    """The service's.

    Raises:
        ModuleNotFoundError: traces are wanted, and OpenTelemetry is not installed.
    """
    if not wanted:
        return NO_TRACER
    from service.telemetry.otel import OtelTracer, exporting  # noqa: PLC0415 - an extra

    return OtelTracer(exporting())
