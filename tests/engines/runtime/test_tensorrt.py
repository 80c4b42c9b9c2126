"""TensorRT's engine gives what PyTorch does; what it cannot run is refused clearly."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="networks are defined in torch, which is not installed")

import torch
from torch import nn

from engines.catalog import find
from engines.export import export
from engines.networks.lightweight_openpose import LightweightOpenPose
from engines.plan import PlanError, build_plan
from engines.profile import OutsideProfileError, Profile
from engines.runtime.engine import Batch, Maps
from engines.runtime.tensorrt import TensorRtEngine, deserialise
from engines.runtime.torch import TorchEngine
from engines.trt import NoTensorRTError, find_tensorrt
from tests.gpu import DEVICE, needs_gpu, tensorrt

ABOUT = find("lightweight-openpose").networks["network"]
PROFILE = Profile((1, 4, 8), ((64, 64), (64, 96), (128, 128)))


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    return LightweightOpenPose(1).eval()


@pytest.fixture(scope="module")
def plan(network: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("graph") / ABOUT.graph
    assert ABOUT.pixels is not None
    names = list(ABOUT.outputs.values())
    export(network, path, mean=ABOUT.pixels.mean, scale=ABOUT.pixels.scale, outputs=names)
    return build_plan(path.read_bytes(), PROFILE, outputs=names, tensorrt=tensorrt())


@pytest.fixture
def engine(plan: bytes) -> Iterator[TensorRtEngine]:
    one = TensorRtEngine(
        plan, ABOUT, tensorrt=tensorrt(), profile=PROFILE, device=DEVICE, precision="fp32"
    )
    yield one
    one.close()


def pictures(count: int, height: int = 64, width: int = 96) -> Batch:
    return np.random.default_rng(count).integers(0, 256, (count, height, width, 3), np.uint8)


def assert_near(maps: Maps, expected: Maps) -> None:
    assert maps.keys() == expected.keys()
    for name, array in maps.items():
        assert array.dtype == np.float32
        assert np.abs(array - expected[name]).max() <= 1e-3 * np.abs(expected[name]).max(), name


@pytest.mark.parametrize("content", [b"", b"not a plan" * 100], ids=["empty", "other"])
def test_what_is_no_plan_is_refused(content: bytes) -> None:
    try:
        found = find_tensorrt()
    except NoTensorRTError as error:
        pytest.skip(f"needs TensorRT: {error}")

    with pytest.raises(PlanError, match=r"does not take the plan: .*deserialize"):
        deserialise(content, found)


@needs_gpu
@pytest.mark.parametrize("warm", [[], [(4, 64, 96, 3), (8, 64, 96, 3)]], ids=["plain", "graphs"])
def test_it_gives_what_pytorch_gives(
    warm: list[tuple[int, ...]], engine: TensorRtEngine, network: nn.Module
) -> None:
    reference = TorchEngine(network, ABOUT)
    engine.warm(warm)

    for count in (1, 3, 4, 5, 8):
        assert_near(engine.infer(pictures(count)), reference.infer(pictures(count)))
    assert_near(engine.infer(pictures(2, 128, 64)), reference.infer(pictures(2, 128, 64)))


@needs_gpu
@pytest.mark.parametrize("warm", [[], [(4, 64, 96, 3)]], ids=["plain", "graphs"])
def test_batches_under_way_do_not_touch_each_other(
    warm: list[tuple[int, ...]], engine: TensorRtEngine
) -> None:
    engine.warm(warm)
    batches = [pictures(4), pictures(4)[::-1].copy(), pictures(4, 128, 128)]
    alone = [engine.infer(batch) for batch in batches]

    for _ in range(20):
        pending = [engine.start(batch) for batch in batches]
        for expected, answer in zip(alone, pending, strict=True):
            assert_near(answer(), expected)


@needs_gpu
def test_what_it_was_not_built_for_is_refused(engine: TensorRtEngine) -> None:
    with pytest.raises(OutsideProfileError):
        engine.start(pictures(9))
    with pytest.raises(OutsideProfileError):
        engine.warm([(1, 256, 256, 3)])

    assert engine.max_batch == 8


@needs_gpu
def test_a_plan_of_another_network_is_refused(plan: bytes, tmp_path: Path) -> None:
    (tmp_path / "plan").write_bytes(plan)
    other = find("dekr-w32-coco").networks["network"]

    with pytest.raises(PlanError, match=r"not one input and the outputs .*offsets"):
        TensorRtEngine(tmp_path / "plan", other, tensorrt=tensorrt(), profile=PROFILE)
