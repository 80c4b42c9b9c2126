"""Engines that TensorRT builds for a GPU."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import onnx

from engines.building.calibration import calibration
from engines.building.gpu import current, device_memory, most_inputs, shapes_to_warm
from engines.building.maker import Order
from engines.catalog import Network
from engines.machine import ANY, Machine
from engines.plan import CURRENT, PORTABLE, build_plan
from engines.precision.compact import read
from engines.precision.half import to_half
from engines.profile import Profile, input_shape, profile_of
from engines.raw_pixels import on_pixels
from engines.runtime.gpus import Gpu
from engines.runtime.tensorrt import TensorRtEngine
from engines.trt import TensorRT

_PLAN = "engine.plan"
_DEFORM_CONV = ".deform-conv.onnx"


@dataclass(frozen=True, slots=True)
class TensorRtMaker:
    """Plans of TensorRT for the GPU of this machine, or of TensorRT-RTX for any.

    Attributes:
        gpu: None where there is none: TensorRT-RTX builds all the same.
        tensorrt: that builds and runs them.
    """

    order: Order
    gpu: Gpu | None
    tensorrt: TensorRT

    @property
    def backend(self) -> str:
        return "tensorrt_rtx" if self.tensorrt.is_rtx else "tensorrt"

    @property
    def version(self) -> str:
        return self.tensorrt.version

    @property
    def machine(self) -> Machine:
        return self.gpu.machine if self.gpu else ANY

    @property
    def built_for(self) -> Machine:
        """TensorRT-RTX builds for all GPUs that it can, so that a plan which was built without one
        is used as well."""
        if self.gpu is None or (self.tensorrt.is_rtx and self.gpu.machine.capability in PORTABLE):
            return replace(ANY, capability=" ".join(PORTABLE))
        return self.gpu.machine

    @property
    def runs_here(self) -> bool:
        return self.gpu is not None

    def graph(self, network: Network) -> Path:
        """DEKR's is the one with DeformConv, where TensorRT has that and a checkpoint is here: its
        own GridSample is not right in strongly typed networks of some releases."""
        entry, store = self.order.entry, self.order.store
        graph = store.graph(entry, network)
        if entry.system != "dekr" or self.tensorrt.is_rtx or not store.checkpoint(entry).is_file():
            return graph
        graph = graph.with_suffix(_DEFORM_CONV)
        if not graph.is_file():
            from engines.graphs import make_graphs  # noqa: PLC0415 - takes seconds to import

            self.order.say(f"making the graph of {network.name} with DeformConv")
            make_graphs(entry, store.checkpoint(entry), store, deform_conv=True)
        return graph

    def profile(self, network: Network) -> Profile:
        order = self.order
        return profile_of(
            order.entry,
            network,
            order.options,
            max_batch=order.wanted.max_batch or most_inputs(order.entry, network),
            sizes=order.wanted.sizes,
            shape=input_shape(self._read(network, weights=False)),
        )

    def make(self, network: Network, folder: Path) -> None:
        model, precision = self._read(network), self.order.precision
        if precision == "int8":
            from engines.precision.int8 import quantise_onnx  # noqa: PLC0415 - needs NNCF

            self.order.say(f"quantising {network.name} to int8")
            model = quantise_onnx(model, calibration(self.order)[network.name])
        if precision != "fp32":
            model = to_half(model, "bf16" if precision == "bf16" else "fp16")
        limit = self.order.wanted.gpu_memory
        with current(self.gpu):
            plan = build_plan(
                model.SerializeToString(),
                self.profile(network),
                outputs=network.outputs.values(),
                tensorrt=self.tensorrt,
                timing_cache=self._timing_cache(),
                workspace=limit and limit << 20,
                capabilities=CURRENT if self.built_for == self.machine else PORTABLE,
                progress=_Progress(self.order, network.name).tell,
            )
        (folder / _PLAN).write_bytes(plan)

    def open(self, network: Network, folder: Path) -> TensorRtEngine:
        if self.gpu is None:
            raise RuntimeError("there is no GPU to run the plan on")
        profile = self.profile(network)
        engine = TensorRtEngine(
            folder / _PLAN,
            network,
            tensorrt=self.tensorrt,
            profile=profile,
            device=self.gpu.device,
            precision=self.order.precision,
            memory=device_memory(self.gpu.device, self.order.wanted.gpu_memory),
        )
        engine.warm(shapes_to_warm(profile))
        return engine

    def _read(self, network: Network, *, weights: bool = True) -> onnx.ModelProto:
        model = read(self.graph(network), weights=weights)
        return model if network.pixels is None else on_pixels(model, network.pixels)

    def _timing_cache(self) -> Path:
        """Of this kind of GPU and release; measurements of one model speed up the next."""
        name = re.sub(r"\W+", "-", f"{self.machine.name} {self.version}")
        return self.order.store.cache / "timing" / f"{name}.cache"


class _Progress:
    """Says how far a build is, a line for each of its outermost phases."""

    def __init__(self, order: Order, name: str) -> None:
        self._order, self._name = order, name
        self._outermost: str | None = None
        self._said = -1

    def tell(self, phase: str, share: float) -> None:
        self._outermost = self._outermost or phase
        percent = int(10 * share) * 10
        if phase == self._outermost and percent > self._said:
            self._said = percent
            self._order.say(f"building the engine of {self._name}: {percent} %")
