"""The service without its process: a real estimator, called over HTTP in memory or real gRPC."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
from grpc_health.v1.health import aio as health_aio

from engines.catalog import find
from engines.geometry import Pixels
from engines.model import Model
from engines.people import People
from engines.runtime.engine import Batch, Engine, Maps
from engines.steps import Infer, Steps
from service.admission import Admission, State
from service.core import Core
from service.estimator import Estimator
from service.http.rest import create_app
from service.pb import pose_pb2 as pb
from service.pb.pose_pb2_grpc import PoseServiceStub
from service.rpc.server import create_server
from service.scheduling.registry import Registry
from service.settings import WHOLE_IMAGE, Settings
from service.telemetry.tracing import Tracer
from tests.service.fakes import PATIENCE_S, AtOnce, OnDevice
from tests.service.pictures import encode

MODEL = "lightweight-openpose-int8"
BLANK = encode(np.full((64, 96, 3), 127, np.uint8), "PNG")  # nobody is in it


@dataclass(frozen=True, slots=True)
class Service:
    """The core of a service, under way."""

    core: Core

    @property
    def admission(self) -> Admission:
        return self.core.admission

    @property
    def registry(self) -> Registry:
        return self.core.registry

    @property
    def estimator(self) -> Estimator:
        return self.core.estimator

    def count(self, name: str, **labels: str) -> float:
        """The value of a metric; 0 when there is none with those labels."""
        return self.core.metrics.registry.get_sample_value(name, labels) or 0.0


@contextmanager
def service(
    *models: Model,
    state: State = State.SERVING,
    detector: str = WHOLE_IMAGE,
    tracer: Tracer | None = None,
    **settings: Any,
) -> Iterator[Service]:
    """Serves these models with these settings; the engines stop at the end."""
    with ThreadPoolExecutor(2) as pool:
        core = Core.of(Settings(detector=detector, **settings), pool, tracer)
        for model in models:
            core.registry.add(model)
        core.admission.state = state
        try:
            yield Service(core)
        finally:
            core.registry.close()


@asynccontextmanager
async def over_http(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    """Calls the HTTP application without a socket."""
    app = create_app(service.core)
    # A server answers a fault with the application's own 500, so the client shall see that too.
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://posewire") as client:
        yield client


@asynccontextmanager
async def over_grpc(service: Service) -> AsyncIterator[PoseServiceStub]:
    """Calls a gRPC server on a free port of this machine.

    A stream that is refused at once should send nothing: while grpc.aio still writes, it may report
    INTERNAL for its own failed write in place of the server's status (grpcio 1.85).
    """
    async with over_channel(service) as channel:
        yield PoseServiceStub(channel)  # type: ignore[no-untyped-call] # generated


@asynccontextmanager
async def over_channel(service: Service) -> AsyncIterator[grpc.aio.Channel]:
    """As `over_grpc`, for any of its services."""
    server = create_server(service.core, health_aio.HealthServicer())
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield channel
    finally:
        await server.stop(None)


def files(*images: bytes) -> list[tuple[str, bytes]]:
    """A form of images, as httpx takes it."""
    return [("image", image) for image in images]


def assert_refused(answer: httpx.Response, status: int, code: str) -> None:
    """That the answer is an error in the one form every error has."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json")
    assert_error(answer.json(), code)


def assert_error(body: Any, code: str) -> None:
    """That the JSON is an error with a sentence."""
    assert body.keys() == {"error"}
    assert body["error"].keys() == {"code", "message"}
    assert body["error"]["code"] == code
    assert_sentence(body["error"]["message"])


async def assert_rpc_refused(
    stub: PoseServiceStub, request: pb.EstimateRequest, status: grpc.StatusCode, code: str
) -> grpc.aio.AioRpcError:
    """That the call ends with that status, our code in its trailer and a sentence."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub.Estimate(request)
    error = refused.value
    assert error.code() == status
    assert_sentence(error.details() or "")
    assert dict(error.trailing_metadata())["posewire-code"] == code
    return error


def assert_sentence(message: str) -> None:
    assert " " in message
    assert message.endswith(".")


async def until(condition: Callable[[], bool]) -> None:
    """Lets the event loop run until the condition holds; `TimeoutError` if it never does."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - what is awaited is the service's own state
            await asyncio.sleep(0.001)


def lent(model: Model) -> Model:
    """`model` with engines that stay open when a service stops, for the next test."""
    engines = {name: OnDevice(engine, engine.device) for name, engine in model.engines.items()}
    return Model(model.entry, model.system, engines)


def nobody(image: Pixels) -> Steps:
    """Asks the engine `network` once and finds no people."""
    yield Infer("network", image[None, :8, :8])
    return People.of(np.zeros((0, 18, 3), np.float32), np.zeros(0, np.float32))


def faulty(image: Pixels) -> Steps:
    """Raises what nobody expects before it asks for anything."""
    raise ValueError("secret")
    yield


@dataclass(frozen=True, slots=True)
class Stepping:
    """A system whose steps are these."""

    steps: Callable[[Pixels], Steps]


def model_of(engine: Engine, steps: Callable[[Pixels], Steps] = nobody) -> Model:
    """A model with these steps whose only network runs on `engine`."""
    return Model(find(MODEL), Stepping(steps), {"network": engine})


class Gate(AtOnce):
    """An engine that answers only once it is opened."""

    name = "test"
    max_batch = 1

    def __init__(self, device: str = "cpu") -> None:
        self.device = device
        self.opened = threading.Event()
        self.calls = 0

    def infer(self, batch: Batch) -> Maps:
        self.calls += 1
        if not self.opened.wait(PATIENCE_S):
            raise TimeoutError("the test never opened the gate")
        return {"maps": np.zeros((len(batch), 1), np.float32)}


class Failing(AtOnce):
    """An engine that raises what it is given."""

    name = "test"
    max_batch = 1

    def __init__(self, error: BaseException, device: str = "cpu") -> None:
        self._error = error
        self.device = device

    def infer(self, batch: Batch) -> Maps:  # noqa: ARG002 - the protocol
        raise self._error


@contextmanager
def gated(**settings: Any) -> Iterator[tuple[Service, Gate]]:
    """A service whose only engine waits; it is opened at the end, so that its thread can stop."""
    gate = Gate()
    with service(model_of(gate), **settings) as running:
        try:
            yield running, gate
        finally:
            gate.opened.set()
