"""Loads models and lets their engines answer a first picture, on every device."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

import numpy as np

from engines.model import Model, run
from engines.runtime.engine import Engine
from service.loading import load_model, memory_in_use
from service.settings import Settings
from service.telemetry.metrics import Metrics

log = logging.getLogger("posewire")


def start_model(name: str, settings: Settings, metrics: Metrics) -> Model:
    """A model whose engines have answered once."""
    model = load_model(name, settings)
    with ExitStack() as opened:
        opened.callback(model.close)
        for engines in (model.engines, *model.replicas):
            engine = next(iter(engines.values()))
            how = (engine.name, engine.precision, engine.device)
            log.info("%s runs on %s, %s, on %s: %s", name, *how, model.why)
            run(replace(model, engines=engines), np.zeros((480, 640, 3), np.uint8))
            if engine.device != "cpu":
                memory = memory_in_use(engine.device, settings)
                metrics.gpu_memory.labels(engine.device).set_function(memory)
        opened.pop_all()
    return model


def start_engines(
    device: str, models: Sequence[str], settings: Settings, metrics: Metrics
) -> dict[str, Engine]:
    """The engines of all networks of some models on one device alone, which have answered once."""
    if device != "cpu":
        gpu = int(device.removeprefix("cuda:"))
        settings = settings.model_copy(update={"gpus": (gpu,)})
    with ExitStack() as opened:
        engines: dict[str, Engine] = {}
        for name in models:
            model = start_model(name, settings, metrics)
            opened.callback(model.close)
            engines |= model.engines
        opened.pop_all()
    return engines
