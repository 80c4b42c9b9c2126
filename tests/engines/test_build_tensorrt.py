"""Plans of TensorRT-RTX, which builds without a GPU, in the cache."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("tensorrt_rtx", reason="plans are built by TensorRT-RTX: not installed")

from engines.building.maker import Order
from engines.building.tensorrt import TensorRtMaker
from engines.catalog import find
from engines.loading import build, load
from engines.options import Options
from engines.plan import PORTABLE
from engines.profile import Profile
from engines.runtime.auto import EngineError
from engines.runtime.gpus import Gpu, gpus
from engines.runtime.options import EngineOptions
from engines.trt import find_tensorrt
from engines.weights import Store
from tests.engines.exported import exported

if gpus().found:
    pytest.skip("these are of a machine without a GPU", allow_module_level=True)

NAME = "lightweight-openpose"
SMALL = Options(height=64)


@pytest.fixture
def store(exports: Callable[[str], Path], tmp_path: Path) -> Store:
    """A cache of the test's own with the model."""
    shutil.copytree(exported(find(NAME), exports(NAME)).cache, tmp_path / "cache")
    return Store(tmp_path / "cache")


def plans(store: Store, **wanted: Any) -> dict[str, Any]:
    """The sidecar of the plan that is built."""
    said: list[str] = []
    options = EngineOptions(backend="tensorrt", **wanted)
    (built,) = build(NAME, store, SMALL, options, say=said.append)
    (file,) = (path for path in built.folder.iterdir() if path.suffix == ".plan")
    assert file.stat().st_size > 2e6
    assert (built.folder / "sidecar.json").is_file()
    again = build(NAME, store, SMALL, options, say=said.append)
    assert again == [built]
    assert sum("100 %" in line for line in said) == 1, "it is built once"
    return built.sidecar.to_json()


def test_a_plan_is_half_precision_and_for_every_gpu_that_rtx_builds_for(store: Store) -> None:
    stored = plans(store)
    identity = stored["identity"]
    assert (identity["backend"], identity["precision"]) == ("tensorrt_rtx", "fp16")
    assert identity["machine"] == {
        "name": "any",
        "capability": " ".join(PORTABLE),
        "driver": "",
    }
    assert stored["comparison"] is None, "there is no GPU to run it on"


@pytest.mark.parametrize("precision", ["fp32", "bf16", "int8"])
def test_a_plan_of_each_precision_is_another(store: Store, precision: str) -> None:
    if precision == "int8":
        pytest.importorskip("nncf", reason="int8 needs NNCF, which is not installed")
        pytest.importorskip("onnxruntime", reason="NNCF needs ONNX Runtime: not installed")
    assert plans(store, precision=precision)["identity"]["precision"] == precision


def test_a_plan_has_the_sizes_and_batches_that_are_wanted(store: Store) -> None:
    sizes = ((64, 64), (64, 128), (64, 256))
    identity = plans(store, sizes=sizes, max_batch=4)["identity"]
    assert identity["profile"] == json.loads(json.dumps({"batch": (1, 4, 4), "sizes": sizes}))
    assert Profile((1, 4, 4), sizes).holds((2, 64, 200, 3))


def test_sizes_that_the_system_does_not_make_are_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="multiples of 8"):
        plans(store, sizes=((64, 64), (64, 100), (64, 256)))


@pytest.mark.parametrize(
    ("capability", "portable"), [((8, 9), True), ((12, 0), True), ((7, 5), False)]
)
def test_what_rtx_built_without_a_gpu_fits_those_that_it_is_for(
    store: Store, capability: tuple[int, int], portable: bool
) -> None:
    wanted = EngineOptions(backend="tensorrt")
    order = Order(find(NAME), store, SMALL, wanted, "fp16", lambda _: None)
    tensorrt = find_tensorrt()
    built = TensorRtMaker(order, None, tensorrt).built_for
    gpu = Gpu(0, "NVIDIA GeForce", "GPU-1", capability, "580.95", 8 << 30)
    maker = TensorRtMaker(order, gpu, tensorrt)
    assert (maker.built_for == built) is portable
    assert maker.machine == gpu.machine, "which it is compared on"


def test_a_plan_is_not_served_where_there_is_no_gpu(store: Store) -> None:
    plans(store)
    with pytest.raises(EngineError, match="no NVIDIA"):
        load(NAME, store, SMALL, EngineOptions(backend="tensorrt"))
    model = load(NAME, store, SMALL)
    assert [engine.name for engine in model.engines.values()] == ["openvino"]
    model.close()
