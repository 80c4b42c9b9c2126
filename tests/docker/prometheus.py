"""Prometheus and its promtool, of Debian's package, with the settings of the deployment."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.docker.programs import program
from tests.docker.promql import ALERTS
from tests.e2e.server import HOST, free_port, until
from tests.shared import ROOT

CONFIG = ROOT / "docker" / "prometheus" / "prometheus.yml"
_SETTING = re.compile(r"(?m)^( *)# ( *(?:- )?\w+:.*)$")
_INTERVALS = ("scrape_interval", "scrape_timeout", "evaluation_interval")
_OFTEN = "500ms"


@dataclass(frozen=True, slots=True)
class Prometheus:
    """One under way."""

    address: str

    def ask(self, path: str, **parameters: str) -> Any:
        """The data of an answer of its HTTP API; `AssertionError`, with what it says, on an error.

        The path is relative to the API's.
        """
        answer = httpx.get(f"{self.address}/api/v1/{path}", params=parameters).json()
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, expression: str) -> list[dict[str, str]]:
        """Labels of each series that an expression gives now."""
        found = self.ask("query", query=expression)["result"]
        return [series["metric"] for series in found]

    @property
    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.address}/-/ready").is_success
        except httpx.TransportError:
            return False


@contextmanager
def prometheus(
    folder: Path, targets: Mapping[str, Mapping[str, str]], key: Path
) -> Iterator[Prometheus]:
    """Starts one that asks twice a second, and stops it at the end.

    Args:
        folder: for its data.
        targets: addresses for each job in place of those that Docker's DNS would give, and the
            name that each has there.
        key: file with an API key of the service.
    """
    address = f"{HOST}:{free_port()}"
    settings = folder / "prometheus.yml"
    settings.write_text(_settings({**targets, "prometheus": {address: ""}}, key))
    command = [
        program("prometheus", "prometheus"),
        f"--config.file={settings}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        started = Prometheus(f"http://{address}")
        until(lambda: started.is_ready)
        yield started
    finally:
        process.terminate()
        process.wait()


def promtool(*arguments: str | Path) -> str:
    """What it says; `AssertionError`, with that, if it finds fault."""
    command = [program("promtool", "prometheus"), *map(str, arguments)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def uncommented() -> str:
    """The settings of the deployment with all that is commented out in them."""
    return _SETTING.sub(r"\1\2", CONFIG.read_text())


def _settings(targets: Mapping[str, Mapping[str, str]], key: Path) -> str:
    """Those of the deployment for other targets, and with a key as they say that one is sent."""
    settings = yaml.safe_load(CONFIG.read_text())
    settings["global"] |= dict.fromkeys(_INTERVALS, _OFTEN)
    settings["rule_files"] = [str(ALERTS)]
    with_all = yaml.safe_load(uncommented())
    for job, whole in zip(settings["scrape_configs"], with_all["scrape_configs"], strict=True):
        job.pop("dns_sd_configs", None)
        job["static_configs"] = [
            {"targets": [address], "labels": {"__meta_dns_name": name}}
            for address, name in targets[job["job_name"]].items()
        ]
        if "authorization" in whole:
            job["authorization"] = whole["authorization"] | {"credentials_file": str(key)}
    return yaml.safe_dump(settings)
