"""Two replicas on a Ray cluster of one machine: what callers see, also when one of them dies."""

from __future__ import annotations

import importlib.util
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import httpx
import pytest

from engines.weights import Store
from service.pb import pose_pb2 as pb
from service.pb.pose_pb2_grpc import PoseServiceStub
from tests.e2e.ray_cluster import Cluster, cluster
from tests.e2e.server import Server, environment, until

if importlib.util.find_spec("ray") is None:
    pytest.skip("needs ray[serve], which is not installed", allow_module_level=True)

CALLERS = 4  # of each kind
STUCK_S = 1.0


@pytest.fixture(scope="module")
def ray(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """With two replicas of a thread each, which have room for every caller."""
    settings = {"height": "256", "threads": "1", "max_images": "32"}
    log = tmp_path_factory.mktemp("ray") / "log"
    with cluster(environment(store, **settings), 2, log) as started:
        yield started


@pytest.fixture(scope="module")
def served(ray: Cluster) -> Server:
    return ray.server


@pytest.fixture
def channel(served: Server) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(served.grpc) as opened:
        yield opened


@pytest.fixture
def stub(channel: grpc.Channel) -> PoseServiceStub:
    stub: PoseServiceStub = PoseServiceStub(channel)  # type: ignore[no-untyped-call] # generated
    return stub


def test_http_is_that_of_a_single_process(http: httpx.Client, astronaut: bytes) -> None:
    answer = http.post("/v1/poses", content=astronaut, headers={"X-Request-ID": "mine"})
    assert len(answer.json()["people"]) == 1
    assert answer.headers.get_list("x-request-id") == ["mine"]
    assert "infer;dur=" in answer.headers["server-timing"]
    assert http.get("/readyz").json() == {"status": "ready"}
    refused = http.post("/v1/poses", content=b"no picture")
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "bad_image")
    assert len(refused.headers.get_list("x-request-id")) == 1
    late = http.post("/v1/poses", content=astronaut, headers={"X-Request-Timeout": "1ms"})
    assert (late.status_code, late.json()["error"]["code"]) == (504, "deadline_exceeded")


def test_grpc_is_that_of_a_single_process(stub: PoseServiceStub, astronaut: bytes) -> None:
    asked, named = pb.EstimateRequest(image=astronaut), (("x-request-id", "mine"),)
    answer, call = stub.Estimate.with_call(asked, timeout=20, metadata=named)
    assert len(answer.people) == 1
    assert dict(call.trailing_metadata())["x-request-id"] == "mine"
    assert [one.name for one in stub.ListModels(pb.ListModelsRequest()).models]
    frames = [pb.EstimateStreamRequest(frame_id=str(one), request=asked) for one in range(8)]
    answers = list(stub.EstimateStream(iter(frames)))
    assert [one.frame_id for one in answers] == [one.frame_id for one in frames]
    assert all(len(one.result.people) == 1 for one in answers)
    with pytest.raises(grpc.RpcError) as refused:
        stub.Estimate(pb.EstimateRequest(image=astronaut, model="other"))
    assert refused.value.code() == grpc.StatusCode.NOT_FOUND
    assert trailer(refused.value)["posewire-code"] == "unknown_model"


def test_a_message_that_is_none_is_the_callers_fault(channel: grpc.Channel) -> None:
    one: Any = channel.unary_unary("/pose.v1.PoseService/Estimate")
    several: Any = channel.stream_stream("/pose.v1.PoseService/EstimateStream")
    for call in (lambda: one(b"\xff"), lambda: list(several(iter([b"\xff"])))):
        with pytest.raises(grpc.RpcError) as refused:
            call()
        assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_a_replica_that_dies_loses_what_it_had_alone_which_may_be_sent_again(
    ray: Cluster, stub: PoseServiceStub, http: httpx.Client, astronaut: bytes
) -> None:
    until(lambda: len(ray.replicas) == 2)
    before = ray.ready
    kinds = {
        "http": lambda: post(http, astronaut),
        "grpc": lambda: estimate(stub, astronaut),
        "stream": lambda: frame(stub, astronaut),
    }
    load = Load()
    with load.under_way(kinds):
        until(lambda: all(load.answered(kind) >= 2 * CALLERS for kind in kinds))
        victim, other = ray.replicas
        victim.suspend()  # so that requests are in it for sure
        until(lambda: load.stuck >= CALLERS)
        killed = time.monotonic()
        victim.kill()
        until(lambda: not load.stuck_since(killed))
        # Service goes on, with as many replicas as there were.
        until(lambda: ray.ready > before and len(ray.replicas) == 2)
        seen = load.counts()
        until(lambda: all(load.answered(kind) > seen[kind] + 2 * CALLERS for kind in kinds))
    assert other in ray.replicas
    # What it had not accepted yet was given to the other one.
    lost = [one for one in load.done if one.failed]
    assert 1 <= len(lost) <= CALLERS * len(kinds)
    assert all(one.began < killed <= one.ended for one in lost)


def test_what_was_accepted_before_sigterm_is_answered(
    ray: Cluster, http: httpx.Client, stub: PoseServiceStub, astronaut: bytes
) -> None:
    until(lambda: len(ray.replicas) == 2)
    asked, many = pb.EstimateRequest(image=astronaut), 2 * CALLERS
    with ThreadPoolExecutor(2 * many) as callers:
        posted = [callers.submit(http.post, "/v1/poses", content=astronaut) for _ in range(many)]
        called = [callers.submit(stub.Estimate, asked) for _ in range(many)]
        until(lambda: any(one.done() for one in (*posted, *called)))
        ray.server.process.terminate()
        assert not all(one.done() for one in (*posted, *called))
        assert [one.result().status_code for one in posted] == [200] * many
        assert all(one.result().people for one in called)
    assert ray.server.process.wait(30) == 0
    assert "Traceback" not in ray.server.log


@dataclass(frozen=True, slots=True)
class Done:
    """A request that has ended."""

    kind: str
    began: float
    ended: float
    failed: bool


@dataclass(slots=True)
class Load:
    """Callers of several kinds, each of which sends its next request when its last one ended."""

    done: list[Done] = field(default_factory=list)
    waiting: dict[tuple[str, int], float] = field(default_factory=dict)
    ends: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def under_way(self, kinds: dict[str, Callable[[], bool]]) -> Iterator[None]:
        """`CALLERS` of each kind; a request says whether it was answered, not refused for now."""
        with ThreadPoolExecutor(CALLERS * len(kinds)) as threads:
            callers = [
                threads.submit(self._call, kind, number, request)
                for kind, request in kinds.items()
                for number in range(CALLERS)
            ]
            try:
                yield
            finally:
                self.ends.set()
            for caller in callers:
                caller.result()

    def answered(self, kind: str) -> int:
        return sum(one.kind == kind and not one.failed for one in list(self.done))

    def counts(self) -> dict[str, int]:
        return {kind: self.answered(kind) for kind, _ in self.waiting}

    @property
    def stuck(self) -> int:
        """How many wait for long."""
        return sum(time.monotonic() - since > STUCK_S for since in list(self.waiting.values()))

    def stuck_since(self, moment: float) -> bool:
        """Whether some still wait that began before then."""
        return any(since < moment for since in list(self.waiting.values()))

    def _call(self, kind: str, number: int, request: Callable[[], bool]) -> None:
        while not self.ends.is_set():
            self.waiting[kind, number] = began = time.monotonic()
            answered = request()
            self.done.append(Done(kind, began, time.monotonic(), not answered))


def post(http: httpx.Client, image: bytes) -> bool:
    answer = http.post("/v1/poses", content=image)
    if answer.status_code == 200:
        return len(answer.json()["people"]) == 1
    assert answer.status_code == 503, answer.text
    assert answer.json()["error"]["code"] == "unavailable"
    assert answer.headers["retry-after"] == "1"
    assert len(answer.headers.get_list("x-request-id")) == 1
    return False


def estimate(stub: PoseServiceStub, image: bytes) -> bool:
    try:
        return len(stub.Estimate(pb.EstimateRequest(image=image), timeout=30).people) == 1
    except grpc.RpcError as error:
        return not_now(error)


def frame(stub: PoseServiceStub, image: bytes) -> bool:
    """A stream of one frame."""
    asked = pb.EstimateStreamRequest(request=pb.EstimateRequest(image=image))
    try:
        (answer,) = stub.EstimateStream(iter([asked]), timeout=30)
    except grpc.RpcError as error:
        return not_now(error)
    return len(answer.result.people) == 1


def not_now(error: grpc.RpcError) -> bool:
    assert error.code() == grpc.StatusCode.UNAVAILABLE, error
    told = trailer(error)
    assert (told["posewire-code"], told["grpc-retry-pushback-ms"]) == ("unavailable", "1000")
    return False


def trailer(error: grpc.RpcError) -> dict[str, str]:
    return {one.key: str(one.value) for one in error.trailing_metadata()}
