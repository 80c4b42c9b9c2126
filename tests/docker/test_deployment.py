"""`docker-compose up`, on a real engine: built, asked, scaled, killed and watched."""

from __future__ import annotations

import asyncio
import json
import queue
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import grpc
import httpx
import pytest

from service.pb import pose_pb2 as pb
from service.pb.pose_pb2_grpc import PoseServiceStub
from tests.docker.compose import Deployment
from tests.docker.prometheus import Prometheus
from tests.e2e.server import until
from tests.load.grpc_caller import GrpcCaller
from tests.load.http_caller import HttpCaller
from tests.load.open_loop import constant, offer
from tests.load.pictures import people
from tests.load.replies import CLOSED, Record, counts
from tests.shared import shared

pytestmark = pytest.mark.docker

_MOST_BYTES = 700e6
_RATE, _SECONDS = 10.0, 6.0
_BOUND = 6  # images that a replica admits
_WAIT_S = 60.0


def test_the_image_is_small_and_has_nothing_that_builds(deployment: Deployment) -> None:
    [image] = json.loads(deployment.engine.docker("image", "inspect", "posewire:cpu"))
    assert image["Size"] <= _MOST_BYTES
    assert image["Config"]["User"] == "10001:10001"
    script = "! command -v gcc cc pip pip3 && ! python3 -m pip && ! ls -d /root/.cache/pip"
    deployment.engine.docker("run", "--rm", "--entrypoint", "sh", "posewire:cpu", "-c", script)


def test_the_image_has_a_model_that_needs_no_network(deployment: Deployment) -> None:
    alone = ("run", "--rm", "--network", "none", "posewire:cpu")
    assert "posewire-small is in " in deployment.engine.docker(*alone, "pull", "posewire-small")
    said = deployment.engine.docker(*alone, "config")
    assert "POSEWIRE_MODELS=posewire-small" in said


def test_the_gpus_image_is_of_the_same_wheel(deployment: Deployment) -> None:
    build = ("build", "--quiet", "--target", "wheel", "--file", "docker/Dockerfile.gpu", ".")
    wheel = deployment.engine.docker(*build).splitlines()[-1]
    listed = deployment.engine.docker("run", "--rm", wheel, "ls", "/dist")
    assert listed.startswith("posewire-")
    assert listed.endswith(".whl")


def test_the_service_runs_with_a_read_only_root_and_without_privileges(
    deployment: Deployment,
) -> None:
    [replica] = deployment.scale(1)
    known = deployment.inspect(replica.name)["HostConfig"]
    assert known["ReadonlyRootfs"]
    assert known["CapDrop"] == ["ALL"]
    touch = ("exec", replica.name, "touch", "/opt/posewire/file")
    assert not deployment.engine.has(*touch)


def test_docker_finds_it_healthy(deployment: Deployment) -> None:
    [replica] = deployment.scale(1)

    def says() -> str:
        return str(deployment.inspect(replica.name)["State"]["Health"]["Status"])

    until(lambda: says() == "healthy", _WAIT_S)


def test_photographs_give_people_over_http_and_grpc(deployment: Deployment) -> None:
    deployment.scale(1)
    photograph = next(iter(sorted(shared("coco-mini/images").rglob("*.jpg")))).read_bytes()
    answer = httpx.post(f"{deployment.http}/v1/poses", content=photograph)
    assert answer.status_code == 200
    found = answer.json()["people"]
    with _stub(deployment) as service:
        response = service.Estimate(pb.EstimateRequest(image=photograph))
    assert len(found) == len(response.people) > 0


def test_each_request_of_one_connection_goes_to_the_replica_with_least_to_do(
    deployment: Deployment, astronaut: bytes
) -> None:
    replicas = deployment.scale(2)
    before = [replica.answered for replica in replicas]
    request = pb.EstimateRequest(image=astronaut)
    with httpx.Client() as client, _stub(deployment) as service:
        for _ in range(4):
            assert client.post(f"{deployment.http}/v1/poses", content=astronaut).is_success
            assert service.Estimate(request).people
    for replica, had in zip(replicas, before, strict=True):
        now = replica.answered
        for protocol in ("http", "grpc"):
            assert now[protocol] > had.get(protocol, 0)


def test_a_stream_goes_through_the_proxy_frame_by_frame(
    deployment: Deployment, astronaut: bytes
) -> None:
    deployment.scale(1)
    frames = queue.SimpleQueue[pb.EstimateStreamRequest | None]()
    request = pb.EstimateRequest(image=astronaut)
    with _stub(deployment) as service:
        answers = service.EstimateStream(iter(frames.get, None))
        for number in "123":  # each is answered before the next one is sent
            frames.put(pb.EstimateStreamRequest(frame_id=number, request=request))
            assert next(answers).frame_id == number
        frames.put(None)
        assert not list(answers)


async def test_a_killed_replica_takes_no_more_with_it_than_it_had_under_way(
    deployment: Deployment,
) -> None:
    _, victim = deployment.scale(2)
    records = await _while_asked(deployment, lambda: _kill(deployment, victim.name))
    failed = [record for record in records if not record.reply.ok]
    told = counts([record.reply for record in failed])
    assert all(_is_to_be_sent_again(record) for record in failed), told
    assert len(failed) <= _BOUND, told
    assert {record.protocol for record in records if record.reply.ok} == {"http", "grpc"}
    late = [record for record in records if record.planned > _SECONDS - 1]
    assert all(record.reply.ok for record in late), told
    assert len(deployment.scale(2)) == 2


async def test_a_replica_that_is_taken_away_answers_what_it_has_accepted(
    deployment: Deployment,
) -> None:
    deployment.scale(2)
    records = await _while_asked(deployment, lambda: deployment.scale(1))
    assert set(counts([record.reply for record in records])) == {"200", "OK"}


def test_a_service_that_has_died_is_started_again(deployment: Deployment) -> None:
    [replica] = deployment.scale(1)
    kill = "kill -9 $(cat /proc/1/task/1/children)"
    deployment.engine.docker("exec", replica.name, "sh", "-c", kill)
    until(lambda: deployment.inspect(replica.name)["RestartCount"] == 1, _WAIT_S)
    deployment.scale(1)
    with _stub(deployment) as service:
        assert service.ListModels(pb.ListModelsRequest()).models


def test_prometheus_watches_every_replica_and_the_proxy(deployment: Deployment) -> None:
    names = {replica.address for replica in deployment.scale(2)}
    watched = Prometheus(deployment.prometheus)

    def up(job: str) -> set[str]:
        series = watched.query(f'up{{job="{job}"}} == 1')
        return {one["instance"].partition(":")[0] for one in series}

    until(lambda: up("posewire") == names, _WAIT_S)
    assert up("proxy") == {"proxy"}


def test_every_image_is_the_published_one(deployment: Deployment) -> None:
    instead = [said for said in deployment.said if not said.endswith(("was there", "was pulled"))]
    if instead:
        pytest.skip("; ".join(instead))


@contextmanager
def _stub(deployment: Deployment) -> Iterator[PoseServiceStub]:
    """Over one connection, by the published port."""
    with grpc.insecure_channel(deployment.grpc) as channel:
        yield PoseServiceStub(channel)  # type: ignore[no-untyped-call] # generated


async def _while_asked(deployment: Deployment, happens: Callable[[], object]) -> list[Record]:
    """How requests over both protocols ended, half-way through which something happens."""
    callers = (HttpCaller(deployment.http), GrpcCaller(deployment.grpc))
    images = [picture.data for picture in people(4)]
    asked = asyncio.create_task(offer(callers, images, constant(_RATE), _SECONDS))
    await asyncio.sleep(_SECONDS / 3)
    await asyncio.to_thread(happens)
    records = await asked
    for caller in callers:
        await caller.close()
    return records


def _kill(deployment: Deployment, name: str) -> None:
    deployment.engine.docker("kill", name)


def _is_to_be_sent_again(record: Record) -> bool:
    """The proxy ends a kept connection instead of a 502, as HTTP has it."""
    reply = record.reply
    told = reply.code == "unavailable" and reply.again
    return told or reply.status in {"UNAVAILABLE", CLOSED}
