"""Graphs become plans of TensorRT-RTX, which builds without a GPU, or are refused with a reason."""

from __future__ import annotations

import pytest

pytest.importorskip("tensorrt_rtx", reason="plans are built by TensorRT-RTX: not installed")
pytest.importorskip("onnx", reason="graphs are made by onnx, which is not installed")

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import tensorrt_rtx
from onnx import TensorProto, helper, numpy_helper

from engines.plan import PORTABLE, PlanError, build_plan, draft
from engines.profile import Profile
from engines.trt import TensorRT

RTX = TensorRT(tensorrt_rtx, "TensorRT-RTX", tensorrt_rtx.__version__)
build = partial(build_plan, tensorrt=RTX, capabilities=PORTABLE)
read = partial(draft, tensorrt=RTX)


def small(
    *nodes: onnx.NodeProto,
    taken: int = TensorProto.UINT8,
    made: int = TensorProto.FLOAT,
    batch: str | int = "n",
    constants: Mapping[str, np.ndarray] | None = None,
) -> bytes:
    """A graph of `image` (N, h, w, 3) whose last node makes `maps`."""
    pixels = helper.make_node("Cast", ["image"], ["pixels"], to=TensorProto.FLOAT)
    graph = helper.make_graph(
        [pixels, *nodes],
        "small",
        [helper.make_tensor_value_info("image", taken, [batch, "h", "w", 3])],
        [helper.make_tensor_value_info("maps", made, None)],
        [numpy_helper.from_array(value, name) for name, value in (constants or {}).items()],
    )
    opset = helper.make_opsetid("", 18)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=9)
    content: bytes = model.SerializeToString()
    return content


RELU = helper.make_node("Relu", ["pixels"], ["maps"], name="relu")
GRAPH = small(RELU)
PROFILE = Profile((1, 2, 4), ((8, 8), (16, 16), (32, 64)))
MAPS = ("maps",)


def test_networks_are_strongly_typed_and_float32_is_not_tf32() -> None:
    made = read(GRAPH, PROFILE, outputs=MAPS)
    assert made.network.get_flag(tensorrt_rtx.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    assert not made.config.get_flag(tensorrt_rtx.BuilderFlag.TF32)
    assert made.config.num_optimization_profiles == 1


@pytest.mark.parametrize(
    ("graph", "why"),
    [
        (b"no graph", "TensorRT-RTX .* cannot read the graph: .*Failed to parse the ONNX model"),
        (
            small(helper.make_node("NonZero", ["pixels"], ["maps"], name="where"), made=7),
            "cannot read the graph: NonZero 'where': ",
        ),
        (
            small(helper.make_node("Folded", ["pixels"], ["maps"], name="paper")),
            "cannot read the graph: Folded 'paper': ",
        ),
        (small(RELU, taken=TensorProto.FLOAT), "input image is float32, not uint8"),
        (
            small(
                helper.make_node("Cast", ["pixels"], ["maps"], to=TensorProto.FLOAT16),
                made=TensorProto.FLOAT16,
            ),
            "output maps is float16, not float32",
        ),
    ],
)
def test_a_graph_that_is_not_of_the_form_is_refused_with_the_reason(graph: bytes, why: str) -> None:
    with pytest.raises(PlanError, match=why):
        build(graph, PROFILE, outputs=MAPS)


def test_outputs_are_bound_by_name_but_for_an_only_one() -> None:
    read(GRAPH, PROFILE, outputs=("heatmaps",))
    with pytest.raises(PlanError, match="the graph gives maps, not heatmaps, fields"):
        read(GRAPH, PROFILE, outputs=("heatmaps", "fields"))


def test_a_graph_has_one_input() -> None:
    model = onnx.load_from_string(GRAPH)
    model.graph.input.append(helper.make_tensor_value_info("more", TensorProto.FLOAT, ["n"]))
    model.graph.node[-1].CopyFrom(helper.make_node("Add", ["pixels", "more"], ["maps"]))
    with pytest.raises(PlanError, match="the graph has 2 inputs, not one: image, more"):
        read(model.SerializeToString(), PROFILE, outputs=MAPS)


def test_a_profile_that_the_graph_does_not_take_is_refused() -> None:
    with pytest.raises(
        PlanError, match=r"\[1, -1, -1, 3\].* the profile asks for \[2, 16, 16, 3\]"
    ):
        build(small(RELU, batch=1), PROFILE, outputs=MAPS)
    with pytest.raises(PlanError, match="input image is uint8, not float32"):
        build(GRAPH, Profile((1, 1, 1), None), outputs=MAPS)
    falling = Profile((1, 2, 4), ((16, 16), (8, 8), (32, 64)))
    with pytest.raises(PlanError, match=r"does not take the profile .*MIN<=OPT<=MAX"):
        build(GRAPH, falling, outputs=MAPS)


def test_sizes_that_the_network_cannot_have_fail_with_the_builders_reason() -> None:
    """A row's pixels are taken in pairs: TensorRT notices that an odd width has no such rows."""
    shape = {"halves": np.array([0, 0, -1, 6], np.int64)}
    odd = small(
        helper.make_node("Reshape", ["pixels", "halves"], ["paired"]),
        helper.make_node("Relu", ["paired"], ["maps"]),
        constants=shape,
    )
    build(odd, Profile((1, 1, 1), ((8, 8),) * 3), outputs=MAPS)
    with pytest.raises(PlanError, match=r"could not build the graph: .*[Rr]eshape"):
        build(odd, Profile((1, 1, 1), ((8, 9),) * 3), outputs=MAPS)


def test_rtx_is_not_aimed_at_gpus_that_it_has_nothing_for() -> None:
    assert build(GRAPH, PROFILE, outputs=MAPS, capabilities=("8.9",))
    for capability in ("9.0", "6.1"):
        with pytest.raises(PlanError, match=f"does not support .* {capability}; TensorRT does"):
            build(GRAPH, PROFILE, outputs=MAPS, capabilities=("8.9", capability))


def test_progress_is_told_by_phase() -> None:
    told: list[tuple[str, float]] = []
    build(GRAPH, PROFILE, outputs=MAPS, progress=lambda phase, done: told.append((phase, done)))
    assert all(0 <= done <= 1 for _, done in told)
    assert told[0] == ("Building engine", 0)
    assert told[-1] == ("Building engine", 1)
    assert len({phase for phase, _ in told}) > 3


def test_what_progress_raises_ends_the_build() -> None:
    told: list[str] = []

    def stop(phase: str, _: float) -> None:
        told.append(phase)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(GRAPH, PROFILE, outputs=MAPS, progress=stop)
    assert told == ["Building engine"]


class Config:
    """A builder's config whose timing caches are those of TensorRT, which RTX has not.

    It holds what was made for the same GPU to be what begins with "here".
    """

    def __init__(self, real: Any) -> None:
        self.__dict__["real"] = real
        self.__dict__["used"] = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.real, name, value)

    def create_timing_cache(self, stored: bytes) -> Timings | None:
        return None if stored == b"broken" else Timings(stored)

    def set_timing_cache(self, timings: Timings, ignore_mismatch: bool) -> bool:
        self.__dict__["used"] = timings
        return ignore_mismatch or timings.content[:4] in {b"", b"here"}


class Timings:
    def __init__(self, content: bytes) -> None:
        self.content = content

    def serialize(self) -> bytes:
        return (self.content or b"here") + b", more"


@pytest.fixture
def configs(monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    """Those of builds by `TENSORRT`."""
    made: list[Config] = []

    class Builder(tensorrt_rtx.Builder):  # type: ignore[misc]
        def create_builder_config(self) -> Config:
            made.append(Config(super().create_builder_config()))
            return made[-1]

        def build_serialized_network(self, network: Any, config: Config) -> Any:
            return super().build_serialized_network(network, config.real)

    monkeypatch.setattr(TENSORRT.module, "Builder", Builder)
    return made


# TensorRT-RTX in all but name and timing caches.
TENSORRT = TensorRT(ModuleType("tensorrt"), "TensorRT", "11.4.0")
TENSORRT.module.__dict__.update(vars(tensorrt_rtx))


def test_tensorrt_keeps_its_timings(configs: list[Config], tmp_path: Path) -> None:
    timings = tmp_path / "cache" / "timings"
    for kept in (b"here, more", b"here, more, more"):
        build(GRAPH, PROFILE, outputs=MAPS, tensorrt=TENSORRT, timing_cache=timings)
        assert timings.read_bytes() == kept
    assert [path.name for path in timings.parent.iterdir()] == ["timings"]


@pytest.mark.parametrize("stored", [b"broken", b"elsewhere"])
def test_timings_of_another_gpu_are_not_used(
    stored: bytes, configs: list[Config], tmp_path: Path
) -> None:
    (tmp_path / "timings").write_bytes(stored)
    build(GRAPH, PROFILE, outputs=MAPS, tensorrt=TENSORRT, timing_cache=tmp_path / "timings")
    assert (tmp_path / "timings").read_bytes() == b"here, more"


def test_a_build_that_fails_leaves_the_timings_alone(configs: list[Config], tmp_path: Path) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(
            *(GRAPH, PROFILE),
            outputs=MAPS,
            tensorrt=TENSORRT,
            timing_cache=tmp_path / "timings",
            progress=stop,
        )
    assert not list(tmp_path.iterdir())


def test_rtx_keeps_no_timings(tmp_path: Path) -> None:
    build(GRAPH, PROFILE, outputs=MAPS, timing_cache=tmp_path / "timings")
    assert not list(tmp_path.iterdir())


def test_workspace_is_bounded(configs: list[Config]) -> None:
    build(GRAPH, PROFILE, outputs=MAPS, tensorrt=TENSORRT, workspace=1 << 28)
    pool = tensorrt_rtx.MemoryPoolType.WORKSPACE
    assert configs[0].get_memory_pool_limit(pool) == 1 << 28
