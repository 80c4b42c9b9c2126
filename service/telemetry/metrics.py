"""What operators watch, in Prometheus' format. One registry a service."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client import generate_latest as _generate_latest

from engines.runtime.engine import Engine
from service.errors import CallerGoneError, ServiceError
from service.scheduling.device import Device
from service.telemetry.call import CALL
from service.telemetry.tracing import TRACE

_SECONDS = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.035, 0.05, 0.075),
    *(0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)
_SHED = ("capacity", "deadline", "draining", "rate", "too_large", "unavailable")
_PEOPLE = (0, 1, 2, 3, 5, 8, 13, 21, 34, 55)
_PICTURES = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """Counters, gauges and histograms of one service."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._counter = partial(Counter, registry=self.registry)
        self._gauge = partial(Gauge, registry=self.registry)
        self._histogram = partial(Histogram, registry=self.registry)
        self._of_requests()
        self._of_images()
        self._of_engines()
        self._of_devices()
        # Looking a child up by its labels takes longer than counting with it.
        self._request = cache(self.requests.labels)
        self._request_seconds = cache(self.seconds.labels)
        self._stage = cache(self.stages.labels)
        self._image = cache(self.images.labels)
        self._people = cache(self.people.labels)

    def _of_requests(self) -> None:
        self.requests = self._counter(
            "pose_requests_total", "Requests by outcome.", ["protocol", "model", "code"]
        )
        self.seconds = self._histogram(
            "pose_request_seconds",
            "Time from the last byte of a request to its answer.",
            ["protocol", "model"],
            buckets=_SECONDS,
        )
        self.ready = self._gauge("pose_ready", "1 while the service is ready.")
        self.inflight = self._gauge("pose_inflight", "Images in the system.")
        self.capacity = self._gauge("pose_capacity", "Images that the system admits.")
        self.shed = self._counter(
            "pose_shed_total",
            f"Images refused or given up: {', '.join(_SHED)}.",
            ["reason"],
        )
        for reason in _SHED:  # so that the first one is seen to be one more
            self.shed.labels(reason)
        self.cancelled = self._counter(
            "pose_cancelled_total", "Images whose caller left, by where they were.", ["where"]
        )
        self.streams = self._gauge("pose_streams", "Streams that are open.")
        self.frames_dropped = self._counter(
            "pose_frames_dropped_total", "Frames of streams that a newer one took the place of."
        )

    def _of_images(self) -> None:
        self.stages = self._histogram(
            "pose_stage_seconds",
            "Time an image spends in each stage.",
            ["stage", "model"],
            buckets=_SECONDS,
        )
        self.images = self._counter("pose_images_total", "Images answered with people.", ["model"])
        self.people = self._histogram(
            "pose_people_per_image", "People found in an image.", ["model"], buckets=_PEOPLE
        )

    def _of_engines(self) -> None:
        self.batches = self._histogram(
            "pose_batch_size", "Pictures an engine answered at once.", ["model"], buckets=_PICTURES
        )
        self.batches_run = self._counter(
            "pose_batches_total", "Batches that engines answered.", ["model"]
        )
        self.queue = self._gauge("pose_queue_depth", "Pictures that wait for an engine.", ["model"])
        self.engine_up = self._gauge(
            "pose_engine_up", "1 while the model's engines on the device run.", ["model", "device"]
        )
        self.engine_info = self._gauge(
            "pose_engine_info",
            "Always 1; what runs a network of the model on the device.",
            ["model", "device", "network", "engine", "precision", "max_batch"],
        )

    def _of_devices(self) -> None:
        self.device_up = self._gauge(
            "pose_device_up", "1 while the device runs what it is given.", ["device"]
        )
        self.device_batches = self._gauge(
            "pose_device_batches", "Batches under way on the device.", ["device"]
        )
        self.device_busy = self._counter(
            "pose_device_busy_seconds_total",
            "Time for which the device had batches under way.",
            ["device"],
        )
        self.restarts = self._counter(
            "pose_engine_restarts_total",
            "Times the engines of the device were loaded anew.",
            ["device"],
        )
        self.gpu_memory = self._gauge(
            "pose_gpu_memory_bytes", "Memory that the engines hold on the device.", ["device"]
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
            self._request(protocol, model, code).inc()
            self._request_seconds(protocol, model).observe(time.perf_counter() - began)
            if call := CALL.get():
                call.protocol, call.model, call.code = protocol, model, code

    def refused(self, error: ServiceError, protocol: str, model: str) -> None:
        """Counts a request that was refused before anything of it was read."""
        self._request(protocol, model, error.code).inc()
        if error.shed:
            self.shed.labels(error.shed).inc()
        if call := CALL.get():
            call.protocol, call.model, call.code = protocol, model, error.code

    @contextmanager
    def shedding(self) -> Iterator[None]:
        """Counts what is refused, given up, or left before all of it had come."""
        try:
            yield
        except CallerGoneError:
            self.cancelled.labels("body").inc()
            raise
        except ServiceError as error:
            if error.shed:
                self.shed.labels(error.shed).inc()
            raise

    def answered(self, model: str, timings_ms: Mapping[str, float], people: int) -> None:
        """Counts an image that was answered, and times its stages, of which `total` is none."""
        for stage, milliseconds in timings_ms.items():
            if stage != "total":
                self._stage(stage, model).observe(milliseconds / 1e3)
        self._image(model).inc()
        self._people(model).observe(people)
        if call := CALL.get():
            call.images += 1
            call.people += people
            call.stages.update(timings_ms)

    @contextmanager
    def encoding(self, model: str) -> Iterator[None]:
        """Times how long an answer takes to be put on the wire, as the stage `encode`."""
        began = time.perf_counter()
        yield
        seconds = time.perf_counter() - began
        self._stage("encode", model).observe(seconds)
        TRACE.get().stage("encode", began, seconds)
        if call := CALL.get():
            call.stages["encode"] = round(seconds * 1e3, 3)

    def batch(self, model: str, pictures: int) -> None:
        """Counts a batch that an engine answered, from any thread."""
        self.batches.labels(model).observe(pictures)
        self.batches_run.labels(model).inc()

    def describe(self, model: str, network: str, engine: Engine) -> None:
        """Says what runs a network of a model."""
        how = (engine.name, engine.precision, str(engine.max_batch))
        self.engine_info.labels(model, engine.device, network, *how).set(1)

    def watch_engine(self, model: str, device: Device) -> None:
        """Shows from now on whether the engines of a model run on a device."""
        self.engine_up.labels(model, device.name).set_function(lambda: float(device.alive))

    def watch(self, device: Device) -> None:
        """Shows how a device does from now on."""
        self.device_up.labels(device.name).set_function(lambda: float(device.alive))
        self.device_batches.labels(device.name).set_function(lambda: device.under_way)
        self.restarts.labels(device.name)

    def count_busy(self, device: str, seconds: float) -> None:
        """Counts time for which a device had batches under way."""
        self.device_busy.labels(device).inc(seconds)

    def text(self) -> bytes:
        """The text exposition format."""
        return _generate_latest(self.registry)
