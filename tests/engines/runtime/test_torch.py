"""PyTorch's engine gives what the network gives, in any precision it has, on any device."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest

pytest.importorskip("torch", reason="networks are defined in torch, which is not installed")

import torch
from torch import nn

from engines.catalog import Network, catalog, find
from engines.graphs import network_of
from engines.networks.dekr import FEATURES, AdaptiveBlock, Dekr
from engines.networks.dekr_fused import fuse
from engines.networks.lightweight_openpose import LightweightOpenPose
from engines.networks.prn import GRID, PoseResidualNetwork
from engines.precision import Precision
from engines.runtime.engine import Batch, Maps
from engines.runtime.torch import TorchEngine
from tests.gpu import DEVICE, needs_gpu

ABOUT = find("lightweight-openpose").networks["network"]
HRNET = find("hrnet-w32-256x192").networks["network"]
NEAR: dict[Precision, float] = {"fp32": 2e-4, "fp16": 1e-2, "bf16": 8e-2}
MADE = [entry.name for entry in catalog().values() if entry.checkpoint is not None]


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    return LightweightOpenPose(1).eval()


def pictures(count: int, height: int = 64, width: int = 96) -> Batch:
    return np.random.default_rng(count).integers(0, 256, (count, height, width, 3), np.uint8)


def inputs_of(about: Network, count: int = 2) -> Batch:
    if about.pixels is None:
        return np.random.default_rng(1).random((count, *GRID), np.float32)
    return pictures(count, 128, 192)


def assert_near(maps: Maps, expected: Maps, tolerance: float) -> None:
    """`tolerance` is of the largest value of each map."""
    assert maps.keys() == expected.keys()
    for name, array in maps.items():
        assert array.shape == expected[name].shape
        assert np.abs(array - expected[name]).max() <= tolerance * np.abs(expected[name]).max(), (
            name
        )


def same(maps: Maps, expected: Maps) -> bool:
    return all(np.array_equal(array, expected[name]) for name, array in maps.items())


def test_it_gives_what_the_network_makes_of_normalised_pixels(network: nn.Module) -> None:
    batch = pictures(2, 32, 48)
    normalised = torch.from_numpy(batch.astype(np.float32).transpose(0, 3, 1, 2) - 128) / 256
    with torch.inference_mode():
        expected = network(normalised)

    maps = TorchEngine(network, ABOUT).infer(batch)

    assert list(maps) == ["heatmaps", "fields"]
    assert_near(maps, {"heatmaps": expected[0].numpy(), "fields": expected[1].numpy()}, 1e-5)
    assert all(array.dtype == np.float32 and array.flags.c_contiguous for array in maps.values())


def test_a_network_that_takes_rgb_is_given_it() -> None:
    batch = np.zeros((1, 8, 8, 3), np.uint8)
    batch[..., 2] = 255  # red

    maps = TorchEngine(nn.Identity(), HRNET).infer(batch)

    red, green, blue = maps["heatmaps"][0, :, 0, 0]
    assert red == pytest.approx((1 - 0.485) / 0.229)
    assert green == pytest.approx(-0.456 / 0.224)
    assert blue == pytest.approx(-0.406 / 0.225)


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
@pytest.mark.parametrize(
    ("make", "about"),
    [
        (lambda: LightweightOpenPose(1), ABOUT),
        (lambda: nn.Sequential(nn.Conv2d(3, FEATURES, 1), AdaptiveBlock()), HRNET),
        (lambda: PoseResidualNetwork(1), find("multiposenet-resnet50").networks["prn"]),
    ],
    ids=["lightweight-openpose", "deformable", "prn"],
)
def test_half_precision_is_near_float32(
    make: Callable[[], nn.Module], about: Network, precision: Precision
) -> None:
    torch.manual_seed(0)
    network = make()
    batch = inputs_of(about, 1) if about.pixels is None else pictures(1, 32, 32)
    expected = TorchEngine(network, about).infer(batch)

    maps = TorchEngine(network, about, precision=precision).infer(batch)

    assert_near(maps, expected, NEAR[precision])
    assert not same(maps, expected)


def test_the_network_is_not_changed(network: nn.Module) -> None:
    before = {key: value.clone() for key, value in network.state_dict().items()}

    engine = TorchEngine(network, ABOUT, precision="bf16")
    engine.warm([(1, 32, 32, 3)])
    engine.close()

    after = network.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(value, before[key]) for key, value in after.items())
    assert {value.dtype for value in network.parameters()} == {torch.float32}


def test_it_has_no_int8(network: nn.Module) -> None:
    with pytest.raises(ValueError, match="does not compute in int8: choose fp32, fp16 or bf16"):
        TorchEngine(network, ABOUT, precision="int8")


def test_on_a_cpu_nothing_is_started_ahead(network: nn.Module) -> None:
    engine = TorchEngine(network, ABOUT)

    assert (engine.name, engine.device, engine.precision) == ("torch", "cpu", "fp32")
    assert engine.ahead == 0


@needs_gpu
@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16"])
@pytest.mark.parametrize("name", MADE)
def test_every_network_on_a_gpu_is_near_float32_on_the_cpu(name: str, precision: Precision) -> None:
    torch.manual_seed(0)
    entry = find(name)
    whole = network_of(entry, {}).eval()
    for role, about in entry.networks.items():
        part = whole if role == "network" else whole.get_submodule(role)
        part = fuse(part) if isinstance(part, Dekr) else part
        batch = inputs_of(about)
        expected = TorchEngine(part, about).infer(batch)
        engine = TorchEngine(part, about, device=DEVICE, precision=precision)

        assert_near(engine.infer(batch), expected, NEAR[precision])
        engine.warm([batch.shape])
        assert_near(engine.infer(batch), expected, NEAR[precision])
        engine.close()


@needs_gpu
def test_a_cuda_graph_gives_what_is_computed_without_it(network: nn.Module) -> None:
    with_graphs = TorchEngine(network, ABOUT, device=DEVICE, precision="fp16")
    without = TorchEngine(network, ABOUT, device=DEVICE, precision="fp16", graphs=0)
    for engine in (with_graphs, without):
        engine.warm([(4, 64, 96, 3), (2, 64, 96, 3)])

    for count in (4, 3, 2):
        assert_near(with_graphs.infer(pictures(count)), without.infer(pictures(count)), 2e-3)


@needs_gpu
@pytest.mark.parametrize("shapes", [[], [(4, 64, 96, 3)]], ids=["eager", "graph"])
def test_batches_under_way_on_a_gpu_do_not_touch_each_other(
    shapes: list[tuple[int, ...]], network: nn.Module
) -> None:
    engine = TorchEngine(network, ABOUT, device=DEVICE, ahead=2)
    engine.warm(shapes)
    batches = [np.roll(pictures(4), shift, axis=0) for shift in range(3)]
    alone = [engine.infer(batch) for batch in batches]

    for _ in range(20):
        pending = [engine.start(batch) for batch in batches]
        for expected, answer in zip(alone, pending, strict=True):
            assert_near(answer(), expected, 1e-4)
    assert np.abs(alone[0]["fields"] - alone[1]["fields"]).max() > 1e-2


@needs_gpu
def test_a_batch_is_started_without_waiting_for_it(network: nn.Module) -> None:
    engine = TorchEngine(network, ABOUT, device=DEVICE)
    batch = pictures(32, 368, 656)
    engine.warm([batch.shape])

    began = time.perf_counter()
    pending = [engine.start(batch) for _ in range(2)]
    started = time.perf_counter() - began
    for answer in pending:
        answer()

    assert started < 0.5 * (time.perf_counter() - began)
