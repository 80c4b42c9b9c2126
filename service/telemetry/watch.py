"""What is told of every call, over whichever protocol: its line in the log, and its trace."""

from __future__ import annotations

from collections.abc import Mapping

from service.telemetry.call import CALL, Call
from service.telemetry.request_id import HEADER, request_id
from service.telemetry.request_log import tell
from service.telemetry.tracing import TRACE, UNTRACED, Facts, Tracer

SENT = frozenset({HEADER, "traceparent", "tracestate"})
"""Headers and metadata of a call that matter here."""


class Watch:
    """Sees calls begin and end.

    Args:
        tracer: told of those that are no probes.
    """

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def begin(self, protocol: str, method: str, sent: Mapping[str, str]) -> Call:
        """A call that came with some of `SENT`; from now on it is that of the context."""
        call = Call(request_id(sent.get(HEADER)), protocol, method)
        CALL.set(call)
        TRACE.set(UNTRACED if call.is_probe else self._tracer.request(method, sent))
        return call

    def end(
        self, call: Call, status: int | str, facts: Facts, *, name: str = "", failed: bool
    ) -> None:
        """Tells how the context's call went; see `Trace.end`."""
        trace = TRACE.get()
        if trace is not UNTRACED:
            trace.end({**_facts(call), **facts}, name=name, failed=failed)
        tell(call, status)


def _facts(call: Call) -> dict[str, str | int]:
    return {
        "posewire.request_id": call.id,
        "posewire.model": call.model,
        "posewire.code": call.code,
        "posewire.images": call.images,
        "posewire.people": call.people,
    }
