"""Traces by OpenTelemetry. Its own variables, `OTEL_*`, say where they go and how many."""

from __future__ import annotations

import time
from collections.abc import Mapping

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, Span, SpanKind, StatusCode, Tracer, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from service.scheduling.answers import Ran
from service.telemetry.tracing import Facts, Trace


def exporting() -> TracerProvider:
    """Sends what is sampled by OTLP over HTTP, from a thread of its own."""
    named = Resource.create({"service.name": "posewire"}).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=named, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


class OtelTracer:
    """Makes spans of what it is told.

    Args:
        provider: takes them; closed with the tracer.
    """

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("posewire")
        self._parents = TraceContextTextMapPropagator()

    def request(self, name: str, sent: Mapping[str, str]) -> Trace:
        parent = self._parents.extract(sent, Context())
        return _Trace(self._tracer, self._tracer.start_span(name, parent, SpanKind.SERVER))

    def batch(self, ran: Ran) -> None:
        """A span with no parent: its requests are many. They and it are linked."""
        spans = {trace.span for trace in ran.traces if isinstance(trace, _Trace)}
        sampled = [span for span in spans if span.get_span_context().trace_flags.sampled]
        if not sampled:
            return
        began = time.time_ns() - int((time.monotonic() - ran.began) * 1e9)
        batch = self._tracer.start_span(
            "batch",
            Context(),
            attributes={
                "posewire.network": ran.network,
                "posewire.device": ran.device,
                "posewire.pictures": ran.pictures,
            },
            links=[Link(span.get_span_context()) for span in sampled],
            start_time=began,
        )
        batch.end(began + int((ran.ended - ran.began) * 1e9))
        for span in sampled:
            if span.is_recording():  # its caller may have gone
                span.add_link(batch.get_span_context())

    def close(self) -> None:
        self._provider.shutdown()


class _Trace:
    """A span, and those of its stages below it."""

    def __init__(self, tracer: Tracer, span: Span) -> None:
        self.id = f"{span.get_span_context().trace_id:032x}"
        self.span = span
        self._tracer = tracer
        self._below = set_span_in_context(span, Context())
        self._zero = time.time_ns() - time.perf_counter_ns()

    def stage(self, name: str, began: float, seconds: float) -> None:
        start = self._zero + int(began * 1e9)
        span = self._tracer.start_span(name, self._below, start_time=start)
        span.end(start + int(seconds * 1e9))

    def part(self, name: str) -> Trace:
        return _Trace(self._tracer, self._tracer.start_span(name, self._below))

    def end(self, facts: Facts, *, name: str = "", failed: bool = False) -> None:
        if name:
            self.span.update_name(name)
        self.span.set_attributes(facts)
        if failed:
            self.span.set_status(StatusCode.ERROR)
        self.span.end()
