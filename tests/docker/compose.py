"""A deployment by docker-compose, on ports of its own."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml
from prometheus_client.parser import text_string_to_metric_families

from service.default import FETCHED
from tests.docker.base_image import ensure_base_image
from tests.docker.engine import Engine
from tests.docker.stand_ins import StandIns, services
from tests.e2e.server import HOST, free_port, until
from tests.shared import ROOT

_READY_S = 60.0
_PORTS = ("HTTP_PORT", "GRPC_PORT", "PROMETHEUS_PORT", "GRAFANA_PORT")


@dataclass(frozen=True, slots=True)
class Replica:
    """A container of the service."""

    name: str
    address: str

    @property
    def is_ready(self) -> bool:
        """By its own account."""
        try:
            return httpx.get(f"http://{self.address}:8000/readyz").is_success
        except httpx.TransportError:
            return False

    @property
    def answered(self) -> dict[str, float]:
        """Requests that were answered with people, by protocol."""
        text = httpx.get(f"http://{self.address}:8000/metrics").text
        return {
            sample.labels["protocol"]: sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == "pose_requests_total" and sample.labels["code"] == "ok"
        }


@dataclass(frozen=True, slots=True)
class Deployment:
    """What `docker-compose up` has started.

    Attributes:
        engine: that runs it.
        command: of compose, with its files and project.
        ports: of this machine, by the names that the compose file gives them.
        said: what stands in for which image, in words.
    """

    engine: Engine
    command: tuple[str, ...]
    ports: Mapping[str, int]
    said: tuple[str, ...]

    @property
    def http(self) -> str:
        return f"http://{HOST}:{self.ports['HTTP_PORT']}"

    @property
    def grpc(self) -> str:
        return f"{HOST}:{self.ports['GRPC_PORT']}"

    @property
    def prometheus(self) -> str:
        return f"http://{HOST}:{self.ports['PROMETHEUS_PORT']}"

    def compose(self, *arguments: str) -> str:
        """What compose says; AssertionError, with all it said, if it fails."""
        settings = {name: str(port) for name, port in self.ports.items()}
        command = [*self.command, *arguments]
        done = subprocess.run(
            command,
            env=dict(self.engine.environment) | settings,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def scale(self, replicas: int) -> list[Replica]:
        """Has so many replicas, and waits until the proxy sends requests to each."""
        self.compose("up", "--detach", "--no-build", "--scale", f"posewire={replicas}", "proxy")
        until(lambda: [one.is_ready for one in self.replicas] == [True] * replicas, _READY_S)
        until(lambda: self.serving == replicas, _READY_S)
        return self.replicas

    @property
    def serving(self) -> int:
        """Replicas to which the proxy sends calls, by its own account."""
        [proxy] = self._addresses("proxy").values()
        text = httpx.get(f"http://{proxy}:8404/metrics").text
        return sum(
            int(sample.value)
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == "haproxy_server_status"
            and (sample.labels["proxy"], sample.labels["state"]) == ("grpc", "UP")
        )

    @property
    def replicas(self) -> list[Replica]:
        """Those that run."""
        return [Replica(*found) for found in sorted(self._addresses("posewire").items())]

    def inspect(self, name: str) -> dict[str, Any]:
        """What the engine knows of a container."""
        [known] = json.loads(self.engine.docker("inspect", name))
        assert isinstance(known, dict)
        return known

    def _addresses(self, service: str) -> dict[str, str]:
        running = self.compose("ps", "--quiet", service).split()
        known = [self.inspect(name) for name in running]
        return {
            one["Name"].removeprefix("/"): network["IPAddress"]
            for one in known
            if one["State"]["Running"]
            for network in one["NetworkSettings"]["Networks"].values()
        }


@contextmanager
def deployed(compose: str, engine: Engine, weights: Path, folder: Path) -> Iterator[Deployment]:
    """Builds what can be built, starts it with monitoring, and removes all of it at the end.

    Args:
        weights: a mirror of the models' files.
        folder: for the file that names what stands in.
    """
    came = ensure_base_image(engine)
    stand_ins = StandIns.of(engine, services())
    stand_ins.override["posewire"] = {
        "environment": {
            "POSEWIRE_MIRROR": "/mirror",
            "POSEWIRE_MODELS": FETCHED,
            "POSEWIRE_HEIGHT": "192",  # a light load
        },
        "volumes": [f"{weights.resolve()}:/mirror:ro"],
    }
    override = folder / "override.yml"
    override.write_text(yaml.safe_dump({"services": stand_ins.override}))
    files = ("--file", "docker-compose.yml", "--file", str(override))
    deployment = Deployment(
        engine,
        (compose, "--project-name", "posewire-tests", *files, "--profile", "monitoring"),
        {name: free_port() for name in _PORTS},
        (came, *stand_ins.said),
    )
    started = {"posewire", "proxy", "prometheus", "grafana"} - stand_ins.absent
    try:
        deployment.compose("up", "--detach", "--build", *sorted(started))
        deployment.scale(1)
        yield deployment
    finally:
        deployment.compose("down", "--volumes", "--remove-orphans", "--timeout", "5")
