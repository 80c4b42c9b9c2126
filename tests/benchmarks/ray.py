"""`python -m tests.benchmarks.ray DIR`: what Ray's proxies cost, in images a second.

One process of its own and one replica on Ray, with the same engine, are loaded in turns by eight
callers from another process with the pictures in DIR. POSEWIRE_CACHE must have the weights.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.e2e.ray_cluster import cluster
from tests.e2e.server import HOST, Server, server

_TURNS, _SECONDS, _CALLERS = 3, 5.0, 8


def _images_a_second(on: Server, protocol: str, pictures: Path) -> float:
    port = on.http_port if protocol == "http" else on.grpc_port
    asked = [protocol, f"{HOST}:{port}", str(pictures), str(_SECONDS), str(_CALLERS)]
    done = subprocess.run(
        [sys.executable, "-m", "service.bench.client", *asked], stdout=subprocess.PIPE, check=True
    )
    latencies, took = json.loads(done.stdout)
    return float(len(latencies) / took)


def main(pictures: Path) -> None:
    """Prints medians."""
    settings = dict(os.environ) | {"POSEWIRE_HOST": HOST, "POSEWIRE_MAX_IMAGES": str(4 * _CALLERS)}
    with (
        tempfile.TemporaryDirectory() as logs,
        server(settings, Path(logs, "alone")) as alone,
        cluster(settings, 1, Path(logs, "ray")) as ray,
    ):
        for protocol in ("http", "grpc", "grpc_stream"):
            turns = [
                [_images_a_second(on, protocol, pictures) for on in (alone, ray.server)]
                for _ in range(_TURNS)
            ]
            direct, through = (statistics.median(column) for column in zip(*turns, strict=True))
            print(f"{protocol:12} alone {direct:6.1f}  on Ray {through:6.1f}  images/s", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
