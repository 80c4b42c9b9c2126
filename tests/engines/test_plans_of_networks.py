"""Every network's graph becomes a plan of TensorRT-RTX, which builds without a GPU."""

from __future__ import annotations

import pytest

pytest.importorskip("tensorrt_rtx", reason="plans are built by TensorRT-RTX: not installed")
pytest.importorskip("onnx", reason="graphs are made by onnx, which is not installed")

from collections.abc import Callable
from pathlib import Path

import onnx
import tensorrt_rtx

from engines.catalog import Entry, Network, find
from engines.options import Options
from engines.plan import PORTABLE, Interface, build_plan, draft
from engines.precision.compact import read
from engines.precision.half import to_half
from engines.profile import Profile, input_shape, profile_of
from engines.raw_pixels import on_pixels
from engines.trt import TensorRT
from engines.weights import Store, ensure
from tests.engines.exported import exported

RTX = TensorRT(tensorrt_rtx, "TensorRT-RTX", tensorrt_rtx.__version__)
pytestmark = pytest.mark.xdist_group("exports")  # which test_graphs.py has made

# Of each definition, the member that test_graphs.py exports; and the third of OpenPose's.
EXPORTED = (
    *("lightweight-openpose", "openpose-coco", "openpose-mpi", "openpose-body25"),
    *("hrnet-w32-256x192", "dekr-w32-crowdpose", "multiposenet-resnet50"),
)
PUBLISHED = ("yolox-nano", "pp-tinypose-256x192", "posewire-small")
CHANNELS = {  # of every output, in order; of detections their numbers, -1 for what is free
    "lightweight-openpose": [(-1, 19, -1, -1), (-1, 38, -1, -1)],
    "openpose-coco": [(-1, 19, -1, -1), (-1, 38, -1, -1)],
    "openpose-mpi": [(-1, 16, -1, -1), (-1, 28, -1, -1)],
    "openpose-body25": [(-1, 26, -1, -1), (-1, 52, -1, -1)],
    "hrnet-w32-256x192": [(-1, 17, -1, -1)],
    "dekr-w32-crowdpose": [(-1, 15, -1, -1), (-1, 28, -1, -1)],
    "multiposenet-resnet50": [(-1, 18, -1, -1), (-1, -1, 4), (-1, -1, 1)],
    "multiposenet-resnet50/prn": [(-1, 56, 36, 17)],
    "yolox-nano": [(1, 3549, 85)],
    "pp-tinypose-256x192": [(1, 17, 64, 48)],
    "posewire-small": [(-1, 19, -1, -1), (-1, 38, -1, -1)],
}


def assert_fits(entry: Entry, network: Network, graph: onnx.ModelProto) -> None:
    """That a graph's plan takes and gives what engines bind, and holds the graph's weights."""
    wanted = profile_of(entry, network, Options(), max_batch=8, shape=input_shape(graph))
    content, outputs = graph.SerializeToString(), network.outputs.values()
    assert_bound(draft(content, wanted, outputs=outputs, tensorrt=RTX).interface, network, wanted)
    plan = build_plan(content, wanted, outputs=outputs, tensorrt=RTX, capabilities=PORTABLE)
    assert 0.95 * len(content) < len(plan) < 1.2 * len(content) + 10e6


def assert_bound(interface: Interface, network: Network, wanted: Profile) -> None:
    free = -1 if wanted.batch[2] > 1 else 1
    least, usual, largest = interface.profile
    assert (least[0], usual[0], largest[0]) == wanted.batch
    if wanted.sizes is None:
        assert (interface.input.dtype, interface.input.shape) == ("float32", (-1, 56, 36, 17))
        assert {shape[1:] for shape in interface.profile} == {(56, 36, 17)}
    else:
        assert (interface.input.name, interface.input.dtype) == ("image", "uint8")
        assert (interface.input.shape[0], interface.input.shape[3]) == (free, 3)
        assert (least[1:3], usual[1:3], largest[1:3]) == wanted.sizes
    assert [tensor.name for tensor in interface.outputs] == list(network.outputs.values())
    assert [tensor.shape for tensor in interface.outputs] == CHANNELS[network.name]
    assert {tensor.dtype for tensor in interface.outputs} == {"float32"}


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("name", EXPORTED)
def test_every_exported_network_is_built(
    name: str, precision: str, exports: Callable[[str], Path]
) -> None:
    entry = find(name)
    store = exported(entry, exports(name))
    for network in entry.networks.values():
        graph = onnx.load(store.graph(entry, network))
        assert_fits(entry, network, graph if precision == "fp32" else to_half(graph, "fp16"))


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("name", PUBLISHED)
def test_every_published_network_is_built(name: str, precision: str, store: Store) -> None:
    entry = find(name).exact
    ensure(entry, store)
    (network,) = entry.networks.values()
    assert network.pixels is not None
    graph = on_pixels(read(store.graph(entry, network)), network.pixels)
    assert_fits(entry, network, graph if precision == "fp32" else to_half(graph, "fp16"))
