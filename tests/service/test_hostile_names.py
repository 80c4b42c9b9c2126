"""A model's name is looked up, never opened: it cannot lead out of a folder, nor to an address."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import grpc
import httpx
import pytest

from engines.weights import Store
from service.pb import pose_pb2 as pb
from service.pb.pose_pb2_grpc import PoseServiceStub
from tests.service.command import Posewire
from tests.service.serving import (
    BLANK,
    MODEL,
    Gate,
    Service,
    assert_refused,
    assert_rpc_refused,
    model_of,
    service,
)

NAMES = [
    "../../etc/passwd",
    f"../{MODEL}",
    f"{MODEL}/../{MODEL}",
    f"{MODEL}/.",
    f"./{MODEL}",
    "/etc/passwd",
    "..",
    "file:///etc/passwd",
    "http://127.0.0.1:9/model",
    "\\\\host\\share",
    f"{MODEL}\0",
    "%2e%2e%2fetc",
    "~root",
    "$HOME",
    "x" * 3000,
    MODEL.upper(),
]


@pytest.fixture
def running() -> Iterator[Service]:
    gate = Gate()
    gate.opened.set()
    with service(model_of(gate)) as serving:
        yield serving


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
async def test_no_name_of_a_request_leaves_the_models_that_are_served(
    http: httpx.AsyncClient, stub: PoseServiceStub, running: Service, name: str
) -> None:
    for asked in ({"model": name}, {"detector": name}):
        answer = await http.post("/v1/poses", params=asked, content=BLANK)
        assert answer.status_code in {404, 422}
    answer = await http.post("/v1/poses", params={"model": name}, content=BLANK)
    assert_refused(answer, 404, "unknown_model")
    for path in ("/v1/models/", "/v2/models/"):
        found = await http.get(path + quote(name, safe="").replace(".", "%2E"))
        assert (found.status_code, MODEL in found.json().get("name", "")) == (404, False)
    request = pb.EstimateRequest(image=BLANK, model=name)
    await assert_rpc_refused(stub, request, grpc.StatusCode.NOT_FOUND, "unknown_model")


@pytest.mark.parametrize("command", ["pull", "import", "build"])
@pytest.mark.parametrize("name", ["../../etc", f"{MODEL}/..", f"./{MODEL}", "/etc", "http://x/y"])
def test_no_name_on_the_command_line_leaves_the_catalogue(
    command: str, name: str, posewire: Posewire, tmp_path: Path
) -> None:
    file = [str(Path(__file__))] if command == "import" else []
    cache = tmp_path / "cache" / "inner"
    result = posewire(command, name, *file, POSEWIRE_CACHE=str(cache))
    assert result.exit_code == 2
    assert f"no model {name!r}" in result.stderr
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_name_of_a_file_that_is_brought_means_nothing(
    posewire: Posewire, store: Store, tmp_path: Path
) -> None:
    """It is kept under the name of the model's own."""
    model = "yolox-nano"
    published = Path(str(store.mirror)) / model / "yolox_nano.onnx"
    (folder := tmp_path / "a" / "b").mkdir(parents=True)
    (odd := folder / "..%2f..%2fevil.onnx").write_bytes(published.read_bytes())
    cache = tmp_path / "cache"
    assert posewire("import", model, odd, POSEWIRE_CACHE=str(cache)).exit_code == 0
    kept = [path.relative_to(cache) for path in cache.rglob("*.onnx")]
    assert kept == [Path(model) / "yolox_nano.onnx"]
