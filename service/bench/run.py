"""Measures an engine and all that is around it, side by side in one run."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

from service.bench.figures import Load
from service.bench.local import Engines, Pipeline, Spell
from service.bench.pictures import read_pictures
from service.bench.remote import Server
from service.loading import load_pair
from service.settings import Settings
from service.threads import one_thread

# Machines drift, so every figure gets a spell in each of several rounds; in a shorter spell
# the requests under way at its end would weigh too much.
_ROUNDS, _LEAST_SPELL_S = 20, 3.0


def run(
    settings: Settings,
    folder: Path,
    seconds: float,
    concurrency: int,
    say: Callable[[str], None],
) -> dict[str, dict[str, float]]:
    """Images a second of the engine alone, the pipeline, HTTP, gRPC and a gRPC stream.

    Args:
        settings: with the model; its weights must be in the cache.
        folder: of pictures.
        seconds: of load for each figure.
        concurrency: images under way.
        say: told what goes on.
    """
    pictures = read_pictures(folder)
    images = list(pictures.values())
    with one_thread(), closing(Server(_open(settings, concurrency))) as server:
        model, detector = load_pair(settings)
        engines = Engines(model, detector, pictures)
        server.wait()
        rounds = max(1, min(_ROUNDS, int(seconds / _LEAST_SPELL_S)))
        spell = seconds / rounds
        with closing(Pipeline(model, detector)) as pipeline:
            tasks: dict[str, Callable[[], Spell]] = {
                "engine": partial(engines.load, spell),
                "pipeline": partial(pipeline.load, images, spell, concurrency),
            }
            for name in ("http", "grpc", "grpc_stream"):
                tasks[name] = partial(server.load, name, folder, spell, concurrency)
            loads = {name: Load() for name in tasks}
            for turn in range(rounds):
                say(f"round {turn + 1} of {rounds}")
                for name in list(tasks)[:: 1 if turn % 2 else -1]:  # nobody is always last
                    loads[name].add(*tasks[name]())
    return {name: load.figure() for name, load in loads.items()}


def _open(settings: Settings, concurrency: int) -> Settings:
    """The same, for a server that refuses none of so many images at once, whoever sends them."""
    room = {
        "max_images": max(concurrency, settings.max_images or 0),
        "stream_window": max(concurrency, settings.stream_window),
    }
    keys = {"api_keys": (), "api_keys_file": (), "rate_limit": None}
    tls = {"tls_certificate": None, "tls_key": None, "tls_client_ca": None}
    return settings.model_copy(update=room | keys | tls)
