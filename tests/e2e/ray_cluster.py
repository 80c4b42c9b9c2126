"""A real Ray cluster on this machine, started by the documented command, and its replicas."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.e2e.server import Server, server, until

EVERY_ADDRESS = "0.0.0.0"  # noqa: S104 - Ray's gRPC proxy has no other
_TITLE = "ray::ServeReplica:posewire:Replica"
_END_S = 20.0


@dataclass(frozen=True, slots=True)
class Cluster:
    """The service on a cluster of its own.

    Attributes:
        seen: every process of Ray's so far.
    """

    server: Server
    seen: set[psutil.Process] = field(default_factory=set)

    @property
    def replicas(self) -> list[psutil.Process]:
        """Those that live."""
        processes = psutil.Process(self.server.process.pid).children(recursive=True)
        self.seen.update(processes)
        return [one for one in processes if _is_replica(one)]

    @property
    def ready(self) -> int:
        """How many replicas have become ready so far."""
        return self.server.log.count("INFO posewire: ready: ")


@contextmanager
def cluster(environment: dict[str, str], replicas: int, log_file: Path) -> Iterator[Cluster]:
    """Starts the service on a cluster, and ends both, down to the last process."""
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as place:
        own = {  # its sockets' paths may have 107 characters; its key lies in the home folder
            "RAY_ADDRESS": "local",
            "RAY_TMPDIR": place,
            "HOME": place,
            "RAY_USAGE_STATS_ENABLED": "0",
            "POSEWIRE_MIN_REPLICAS": str(replicas),
            "POSEWIRE_HOST": EVERY_ADDRESS,
        }
        with server(environment | own, log_file, module="service.ray") as started:
            running = Cluster(started)
            until(lambda: len(running.replicas) >= replicas)
            yield running
        _, alive = psutil.wait_procs(running.seen, _END_S)
        for process in alive:
            process.kill()
        assert not alive


def _is_replica(process: psutil.Process) -> bool:
    try:
        return " ".join(process.cmdline()).startswith(_TITLE)
    except psutil.NoSuchProcess:
        return False
