"""How GPUs do: asked of their driver whenever somebody looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily

from engines.runtime.gpus import Gpu, gpus


@dataclass(frozen=True, slots=True)
class _Gauge:
    name: str
    meaning: str
    read: Callable[[ModuleType, Any], float]


_GAUGES = (
    _Gauge(
        "pose_gpu_utilization_ratio",
        "Share of the last moments in which the GPU ran something.",
        lambda nvml, gpu: nvml.nvmlDeviceGetUtilizationRates(gpu).gpu / 100,
    ),
    _Gauge(
        "pose_gpu_memory_used_bytes",
        "Memory of the GPU that is taken, by whomever.",
        lambda nvml, gpu: nvml.nvmlDeviceGetMemoryInfo(gpu).used,
    ),
    _Gauge(
        "pose_gpu_temperature_celsius",
        "Temperature of the GPU.",
        lambda nvml, gpu: nvml.nvmlDeviceGetTemperature(gpu, nvml.NVML_TEMPERATURE_GPU),
    ),
    _Gauge(
        "pose_gpu_power_watts",
        "Power that the GPU draws.",
        lambda nvml, gpu: nvml.nvmlDeviceGetPowerUsage(gpu) / 1000,
    ),
)


class GpuMetrics:
    """A collector of Prometheus.

    Args:
        nvml: the driver's library, initialised.
        watched: the GPUs to ask about.
    """

    def __init__(self, nvml: ModuleType, watched: Sequence[Gpu]) -> None:
        self._nvml = nvml
        self._handles = {gpu.device: nvml.nvmlDeviceGetHandleByUUID(gpu.uuid) for gpu in watched}

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """What a GPU does not tell is left out."""
        for gauge in _GAUGES:
            family = GaugeMetricFamily(gauge.name, gauge.meaning, labels=["device"])
            for device, handle in self._handles.items():
                try:
                    family.add_metric([device], gauge.read(self._nvml, handle))
                except self._nvml.NVMLError:
                    continue
            yield family


def watch_gpus(registry: CollectorRegistry, chosen: Sequence[int] | None) -> None:
    """Adds the GPUs of this machine, if any, or those of these numbers."""
    watched = [gpu for gpu in gpus().found if chosen is None or gpu.index in chosen]
    if not watched:
        return
    import pynvml  # noqa: PLC0415 - an extra

    pynvml.nvmlInit()
    registry.register(GpuMetrics(pynvml, watched))
