"""What operators watch, in Prometheus' format. One registry a service."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client import generate_latest as _generate_latest

from service.device import Device
from service.errors import ServiceError

_SECONDS = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.035, 0.05, 0.075),
    *(0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)


class Metrics:
    """Counters, gauges and histograms of one service."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "pose_requests_total",
            "Requests by outcome.",
            ["protocol", "model", "code"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "pose_request_seconds",
            "Time from the last byte of a request to its answer.",
            ["protocol", "model"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.stages = Histogram(
            "pose_stage_seconds",
            "Time an image spends in each stage.",
            ["stage", "model"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.images = Counter(
            "pose_images_total", "Images answered with people.", ["model"], registry=self.registry
        )
        self.people = Histogram(
            "pose_people_per_image",
            "People found in an image.",
            ["model"],
            buckets=(0, 1, 2, 3, 5, 8, 13, 21, 34, 55),
            registry=self.registry,
        )
        self.batches = Histogram(
            "pose_batch_size",
            "Pictures an engine was given at once.",
            ["model"],
            buckets=(1, 2, 4, 8, 16, 32, 64),
            registry=self.registry,
        )
        self.queue = Gauge(
            "pose_queue_depth",
            "Pictures that wait for an engine.",
            ["model"],
            registry=self.registry,
        )
        self.inflight = Gauge("pose_inflight", "Images in the system.", registry=self.registry)
        self.shed = Counter(
            "pose_shed_total", "Images refused or given up.", ["reason"], registry=self.registry
        )
        self.engine_up = Gauge(
            "pose_engine_up", "1 while the engine answers.", ["model"], registry=self.registry
        )
        self.device_up = Gauge(
            "pose_device_up",
            "1 while the device runs what it is given.",
            ["device"],
            registry=self.registry,
        )
        self.device_batches = Gauge(
            "pose_device_batches",
            "Batches under way on the device.",
            ["device"],
            registry=self.registry,
        )
        self.device_busy = Counter(
            "pose_device_busy_seconds_total",
            "Time for which the device had batches under way.",
            ["device"],
            registry=self.registry,
        )
        self.gpu_memory = Gauge(
            "pose_gpu_memory_bytes",
            "Memory that the engines hold on the device.",
            ["device"],
            registry=self.registry,
        )

    @contextmanager
    def request(self, protocol: str, model: str) -> Iterator[None]:
        """Counts and times a request; its code is that of the error it ends with, or `ok`."""
        began, code = time.perf_counter(), "internal"
        try:
            yield
            code = "ok"
        except ServiceError as error:
            code = error.code
            raise
        except asyncio.CancelledError:
            code = "cancelled"
            raise
        finally:
            self.requests.labels(protocol, model, code).inc()
            self.seconds.labels(protocol, model).observe(time.perf_counter() - began)

    def watch(self, device: Device) -> None:
        """Shows how a device does from now on."""
        self.device_up.labels(device.name).set_function(lambda: float(device.alive))
        self.device_batches.labels(device.name).set_function(lambda: device.under_way)

    def count_busy(self, device: str, seconds: float) -> None:
        """Counts time for which a device had batches under way."""
        self.device_busy.labels(device).inc(seconds)

    def text(self) -> bytes:
        """The text exposition format."""
        return _generate_latest(self.registry)
