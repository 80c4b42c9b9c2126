"""Traces: a span a request, one a stage below it, and batches linked with their requests."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from engines.model import Model
from service.pb import pose_pb2 as pb
from service.telemetry.otel import OtelTracer
from service.telemetry.tracing import NO_TRACER, TRACE, UNTRACED, tracer
from tests.service.lanes import Engine
from tests.service.logged import logged
from tests.service.serving import (
    BLANK,
    MODEL,
    Gate,
    faulty,
    files,
    gated,
    lent,
    model_of,
    over_grpc,
    over_http,
    service,
    until,
)

TRACE_ID, SPAN_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE_ID}-{SPAN_ID}-01"
STAGES = ["decode", "prepare", "queue", "infer", "group", "encode"]


@dataclass(frozen=True, slots=True)
class Spans:
    """Those that have ended."""

    exporter: InMemorySpanExporter

    @property
    def all(self) -> list[ReadableSpan]:
        return list(self.exporter.get_finished_spans())

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.all if span.name == name]

    def one(self, name: str) -> ReadableSpan:
        (span,) = self.named(name)
        return span

    def below(self, span: ReadableSpan) -> list[str]:
        """Names of its children, by when they began."""
        children = [one for one in self.all if one.parent and one.parent.span_id == span_id(span)]
        return [one.name for one in sorted(children, key=lambda one: one.start_time or 0)]


def span_id(span: ReadableSpan) -> int:
    assert span.context
    return int(span.context.span_id)


def linked(span: ReadableSpan) -> set[int]:
    return {link.context.span_id for link in span.links}


@pytest.fixture
def spans() -> Spans:
    return Spans(InMemorySpanExporter())


@pytest.fixture
def traces(spans: Spans) -> Iterator[OtelTracer]:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(spans.exporter))
    tracer = OtelTracer(provider)
    yield tracer
    tracer.close()


async def test_over_http_a_request_is_a_span_of_its_caller_with_a_span_a_stage(
    model: Model, astronaut: bytes, spans: Spans, traces: OtelTracer
) -> None:
    with service(lent(model), tracer=traces) as running:
        async with over_http(running) as http:
            await http.post(
                "/v1/poses?model=",
                content=astronaut,
                headers={"traceparent": PARENT, "x-request-id": "mine"},
            )
    span = spans.one("POST /v1/poses")
    assert span.kind is SpanKind.SERVER
    assert span.context
    assert span.parent
    assert (span.context.trace_id, span.parent.span_id) == (int(TRACE_ID, 16), int(SPAN_ID, 16))
    assert dict(span.attributes or {}) == {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "url.path": "/v1/poses",
        "posewire.request_id": "mine",
        "posewire.model": MODEL,
        "posewire.code": "ok",
        "posewire.images": 1,
        "posewire.people": 1,
    }
    assert spans.below(span) == STAGES
    assert_within(span, [one for one in spans.all if one.name in STAGES])


def assert_within(span: ReadableSpan, parts: list[ReadableSpan]) -> None:
    """That they took place while it did, give or take what two clocks differ by."""
    apart = 1_000_000  # ns
    for part in parts:
        assert span.start_time
        assert span.end_time
        assert part.start_time
        assert part.end_time
        assert span.start_time - apart <= part.start_time <= part.end_time <= span.end_time + apart


async def test_over_grpc_a_call_is_a_span_of_its_caller_with_a_span_a_stage(
    spans: Spans, traces: OtelTracer
) -> None:
    name = "/pose.v1.PoseService/Estimate"
    gate = Gate()
    gate.opened.set()
    with service(model_of(gate), tracer=traces) as running:
        async with over_grpc(running) as stub:
            parent = (("traceparent", PARENT),)
            await stub.Estimate(pb.EstimateRequest(image=BLANK), metadata=parent)
            await until(lambda: bool(spans.named(name)))
    span = spans.one(name)
    assert span.parent
    assert span.parent.span_id == int(SPAN_ID, 16)
    assert span.attributes
    assert span.attributes["rpc.service"] == "pose.v1.PoseService"
    assert span.attributes["rpc.grpc.status_code"] == 0
    assert spans.below(span) == STAGES


async def test_a_picture_of_several_and_a_frame_have_spans_of_their_own(
    spans: Spans, traces: OtelTracer
) -> None:
    gate = Gate()
    gate.opened.set()
    frames = [pb.EstimateStreamRequest(request=pb.EstimateRequest(image=BLANK))] * 2
    with service(model_of(gate), tracer=traces) as running:
        async with over_http(running) as http, over_grpc(running) as stub:
            await http.post("/v1/poses", files=files(BLANK, BLANK))
            assert len([answer async for answer in stub.EstimateStream(iter(frames))]) == 2
            await until(lambda: bool(spans.named("/pose.v1.PoseService/EstimateStream")))
    assert spans.below(spans.one("POST /v1/poses")) == ["image", "image"]
    assert spans.below(spans.one("/pose.v1.PoseService/EstimateStream")) == ["frame", "frame"]
    for part in spans.named("image") + spans.named("frame"):
        assert spans.below(part) == STAGES


async def test_a_batch_and_its_two_requests_are_linked(spans: Spans, traces: OtelTracer) -> None:
    engine = Engine()
    with service(model_of(engine), tracer=traces) as running:
        async with over_http(running) as http:
            engine.held.clear()
            first = asyncio.create_task(http.post("/v1/poses", content=BLANK))
            await until(engine.entered.is_set)
            two = [asyncio.create_task(http.post("/v1/poses", content=BLANK)) for _ in range(2)]
            await until(lambda: len(running.registry.lane("network")) == 2)
            engine.held.set()
            await asyncio.gather(first, *two)
            await until(lambda: len(spans.named("batch")) == 2)
    alone, both = sorted(spans.named("batch"), key=lambda span: len(span.links))
    assert both.parent is None
    assert both.attributes == {
        "posewire.network": "network",
        "posewire.device": "cpu",
        "posewire.pictures": 2,
    }
    requests = spans.named("POST /v1/poses")
    assert len(linked(alone)) == 1
    assert linked(alone) | linked(both) == {span_id(span) for span in requests}
    for span in requests:
        batch = alone if span_id(span) in linked(alone) else both
        assert linked(span) == {span_id(batch)}


@pytest.mark.parametrize("sent", ["not a parent", "00-0-0-01", f"{PARENT}-\u00fc"])
async def test_a_parent_that_cannot_be_read_is_none(
    sent: str, spans: Spans, traces: OtelTracer
) -> None:
    with service(model_of(Gate()), tracer=traces) as running:
        async with over_http(running) as http:
            headers = [(b"traceparent", sent.encode())]
            assert (await http.get("/v1/models", headers=headers)).status_code == 200
    assert spans.one("GET /v1/models").parent is None


async def test_a_fault_is_a_failed_span_and_a_bad_picture_is_not(
    spans: Spans, traces: OtelTracer
) -> None:
    with service(model_of(Gate(), faulty), tracer=traces) as running:
        async with over_http(running) as http:
            await http.post("/v1/poses", content=BLANK)
            await http.post("/v1/poses", content=b"no picture")
    fault, bad = spans.named("POST /v1/poses")
    assert (fault.status.status_code, bad.status.status_code) == (
        StatusCode.ERROR,
        StatusCode.UNSET,
    )
    assert bad.attributes
    assert bad.attributes["posewire.code"] == "bad_image"
    assert spans.below(bad) == ["decode"]


async def test_names_of_spans_are_those_of_routes(spans: Spans, traces: OtelTracer) -> None:
    with service(model_of(Gate()), tracer=traces) as running:
        async with over_http(running) as http:
            await http.get(f"/v1/models/{MODEL}")
            await http.get("/made/up")
    assert [span.name for span in spans.all] == ["GET /v1/models/{name}", "GET"]


async def test_probes_are_not_traced(spans: Spans, traces: OtelTracer) -> None:
    with service(model_of(Gate()), tracer=traces) as running:
        async with over_http(running) as http:
            for path in ("/healthz", "/readyz", "/metrics", "/v2/health/live"):
                await http.get(path)
    assert not spans.all


async def test_a_caller_who_does_not_sample_is_not_traced(spans: Spans, traces: OtelTracer) -> None:
    gate = Gate()
    gate.opened.set()
    with service(model_of(gate), tracer=traces) as running:
        async with over_http(running) as http:
            headers = {"traceparent": f"{PARENT[:-2]}00"}
            answer = await http.post("/v1/poses", content=BLANK, headers=headers)
    assert answer.status_code == 200
    assert not spans.all


async def test_the_log_names_the_trace(spans: Spans, traces: OtelTracer) -> None:
    with service(model_of(Gate()), tracer=traces) as running, logged() as log:
        async with over_http(running) as http:
            await http.get("/v1/models", headers={"traceparent": PARENT})
    (record,) = log.requests
    assert record["trace_id"] == TRACE_ID


async def test_without_traces_nothing_is_made() -> None:
    assert tracer(wanted=False) is NO_TRACER
    assert NO_TRACER.request("GET /", {"traceparent": PARENT}) is UNTRACED
    assert UNTRACED.part("image") is UNTRACED
    with gated() as (running, gate):
        gate.opened.set()
        async with over_http(running) as http:
            answer: httpx.Response = await http.post("/v1/poses", content=BLANK)
    assert answer.status_code == 200
    assert TRACE.get() is UNTRACED
