"""Triton's clients, unchanged, with a real server."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import grpc
import httpx
import pytest
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from tests.e2e.server import Server
from tests.service.serving import BLANK, MODEL
from tests.shared import ROOT


@pytest.fixture(scope="module")
def seen(
    served: Server, astronaut: bytes, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """What the clients saw of an astronaut and of nobody."""
    folder = tmp_path_factory.mktemp("pictures")
    pictures = [folder / "astronaut.jpg", folder / "nobody.png"]
    for path, data in zip(pictures, (astronaut, BLANK), strict=True):
        path.write_bytes(data)
    address = served.http.removeprefix("http://")
    done = subprocess.run(
        [sys.executable, "-m", "tests.e2e.triton_calls", address, served.grpc, MODEL, *pictures],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    answered: dict[str, Any] = json.loads(done.stdout)
    return answered


@pytest.fixture(scope="module")
def person(http: httpx.Client, astronaut: bytes) -> dict[str, Any]:
    """The astronaut, by REST."""
    (found,) = http.post("/v1/poses", content=astronaut).json()["people"]
    one: dict[str, Any] = found
    return one


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_health_and_metadata_are_as_the_clients_want_them(
    seen: dict[str, Any], protocol: str
) -> None:
    told = seen[protocol]
    assert [told[what] for what in ("live", "ready", "model", "version")] == [True] * 4
    assert told["another"] is False
    assert (told["server"], told["metadata"]) == ("posewire", MODEL)


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_a_tensor_of_pictures_comes_back_as_people(
    seen: dict[str, Any], person: dict[str, Any], protocol: str
) -> None:
    told = seen[protocol]
    (poses,) = told["one"]["people"]
    assert poses["people"] == [person]
    assert told["one"]["keypoints"][0] == [
        pytest.approx(point, abs=0.006) for point in person["keypoints"]
    ]
    assert told["one"]["boxes"] == [pytest.approx(person["box"], abs=0.006)]
    assert told["one"]["scores"] == [pytest.approx(person["score"], abs=1e-4)]
    assert [len(one["people"]) for one in told["several"]["people"]] == [1, 0]
    assert told["scores"].keys() == {"scores"}
    assert told["none"]["keypoints"] == told["none"]["boxes"] == told["best"]["scores"] == []
    assert told["several"].keys() == {"people"}
    assert "send the bytes of a JPEG" in told["refusal"]


@pytest.mark.parametrize("protocol", ["http at once", "grpc at once"])
def test_calls_at_once_get_the_same(
    seen: dict[str, Any], person: dict[str, Any], protocol: str
) -> None:
    assert [one["people"][0]["people"] for one in seen[protocol]] == [[person]] * 3


def test_grpc_reflection_describes_the_service(served: Server) -> None:
    with grpc.insecure_channel(served.grpc) as channel:
        told = ProtoReflectionDescriptorDatabase(channel)
        assert "inference.GRPCInferenceService" in told.get_services()
        file = told.FindFileContainingSymbol("inference.GRPCInferenceService")
    assert "ModelInfer" in [method.name for method in file.service[0].method]


def test_what_triton_has_beside_is_unimplemented(served: Server) -> None:
    with grpc.insecure_channel(served.grpc) as channel:
        for name in ("ModelConfig", "ModelStatistics", "RepositoryIndex"):
            method: Any = channel.unary_unary(f"/inference.GRPCInferenceService/{name}")
            with pytest.raises(grpc.RpcError) as refused:
                method(b"")
            assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_calls_are_counted_by_protocol(served: Server, seen: dict[str, Any]) -> None:
    assert seen
    for protocol in ("kserve_http", "kserve_grpc"):
        labels = f'code="ok",model="{MODEL}",protocol="{protocol}"'
        assert served.metric(f"pose_requests_total{{{labels}}}") == 8
