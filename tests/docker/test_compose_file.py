"""docker-compose.yml and the images' recipes, as they are written."""

from __future__ import annotations

import os
import re
import subprocess
from typing import Any

import pytest
import yaml

from service.settings import Settings
from tests.docker.stand_ins import services
from tests.shared import ROOT

RECIPES = ("docker/Dockerfile", "docker/Dockerfile.gpu")
_SETTING = re.compile(r"(?m)^#? ?(POSEWIRE_\w+)=(.*)$")
_PIN = re.compile(r"(?m)^([\w.-]+)==([^ ]+)")


@pytest.fixture
def configured(compose: str) -> dict[str, Any]:
    """Its services as compose itself understands them, with every profile."""
    command = [compose, "--profile", "gpu", "--profile", "monitoring", "config"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    understood: dict[str, Any] = yaml.safe_load(done.stdout)["services"]
    return understood


def test_compose_takes_it_with_every_profile(configured: dict[str, Any]) -> None:
    assert set(configured) == {"posewire", "posewire-gpu", "proxy", "prometheus", "grafana"}


def test_without_a_profile_only_the_service_and_its_proxy_start() -> None:
    always = {name for name, service in services().items() if "profiles" not in service}
    assert always == {"posewire", "proxy"}


def test_the_gpu_profile_reserves_nvidias_devices() -> None:
    service = services()["posewire-gpu"]
    assert service["profiles"] == ["gpu"]
    (device,) = service["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])


@pytest.mark.parametrize("name", services())
def test_a_service_is_bounded_and_has_no_privileges(name: str) -> None:
    service = services()[name]
    assert {"mem_limit", "pids_limit"} <= set(service)
    assert service["restart"] == "unless-stopped"
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", services())
def test_an_image_has_a_version_or_is_built_here(name: str) -> None:
    service = services()[name]
    _, _, tag = service["image"].partition(":")
    assert "build" in service or re.match(r"v?\d+\.\d+", tag)


@pytest.mark.parametrize("name", ["prometheus", "grafana"])
def test_what_watches_is_reached_from_this_machine_alone(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in services()[name]["ports"])


def test_replicas_can_be_many() -> None:
    for name in ("posewire", "posewire-gpu"):
        assert not {"container_name", "ports"} & set(services()[name])


def test_the_services_settings_are_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    written = dict(_SETTING.findall((ROOT / "docker" / "posewire.env").read_text()))
    assert written
    for name in [name for name in os.environ if name.startswith("POSEWIRE_")]:
        monkeypatch.delenv(name)
    known = {variable for variable, _, _ in Settings().described()}
    assert set(written) <= known
    for name, value in written.items():
        monkeypatch.setenv(name, value or "key")
    assert Settings().drain_delay == 3


@pytest.mark.parametrize("path", RECIPES)
def test_images_install_what_the_lock_files_pin_and_nothing_else(path: str) -> None:
    recipe = (ROOT / path).read_text().replace("\\\n", " ")
    installs = re.findall(r"pip install [^&\n]*", recipe)
    assert installs
    for install in installs:
        locked = "--require-hashes --requirement requirements/" in install
        assert locked or install.strip().endswith("--no-deps /dist/*.whl")


def test_gpus_have_the_versions_of_cpus_and_the_tested_torch() -> None:
    serve, gpu = (_pins(name) for name in ("serve", "gpu"))
    assert {name: gpu[name] for name in serve} == serve
    (tested,) = re.findall(r"(?m)^TORCH := torch==(\S+)", (ROOT / "Makefile").read_text())
    assert gpu["torch"] == tested


def test_tensorrt_is_that_of_nvidias_image() -> None:
    assert not [name for name in _pins("gpu") if name.startswith("tensorrt")]
    assert "nvcr.io/nvidia/tensorrt:" in (ROOT / "docker/Dockerfile.gpu").read_text()


def _pins(name: str) -> dict[str, str]:
    return dict(_PIN.findall((ROOT / "requirements" / f"{name}.txt").read_text()))
