"""A pod starts, is looked after, is allowed and ends as the service and its images need it."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from engines.catalog import find
from engines.runtime.auto import Available, Candidate, choose
from engines.runtime.gpus import Gpu
from engines.runtime.options import EngineOptions
from service.core import Core
from service.http.rest import create_app
from service.instance import LAST_WORDS_S
from service.settings import Settings
from tests.docker.kubernetes.manifests import DOCKER, DOCS, FOLDER, Manifests, build

ENDING_S = 4 * LAST_WORDS_S  # engines, answers and traces, once the images are done
GPU = Gpu(0, "NVIDIA L4", "GPU-1", (8, 9), "580.1", 24 << 30)
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


def budget(probe: dict[str, Any]) -> int:
    """Seconds that it bears."""
    return int(probe["periodSeconds"]) * int(probe["failureThreshold"])


def test_the_settings_are_settings_and_the_pods_only_ones(
    made: Manifests, settings: Settings
) -> None:
    known = {f"POSEWIRE_{name.upper()}" for name in Settings.model_fields}
    assert made.variables.keys() <= known
    told = settings.environment()
    assert {name: str(told[name]).removesuffix(".0") for name in made.variables} == made.variables
    (source,) = made.container["envFrom"]
    assert source["configMapRef"]["name"] == made.one("ConfigMap")["metadata"]["name"]
    # Else a Service posewire-http in the namespace would set POSEWIRE_HTTP_PORT.
    assert made.pod["spec"]["enableServiceLinks"] is False


async def test_probes_ask_what_the_service_answers(made: Manifests, settings: Settings) -> None:
    asked = {made.container[probe]["httpGet"]["path"] for probe in PROBES}
    with ThreadPoolExecutor(1) as pool:
        transport = httpx.ASGITransport(create_app(Core.of(settings, pool)))
        async with httpx.AsyncClient(transport=transport, base_url="http://pod") as http:
            answers = {path: (await http.get(path)).status_code for path in asked}
    assert answers == {"/healthz": 200, "/readyz": 503}  # alive, and not ready yet
    assert made.container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert {made.container[probe]["httpGet"]["port"] for probe in PROBES} == {"http"}


def test_a_pod_is_killed_later_than_the_service_helps_itself(
    made: Manifests, settings: Settings
) -> None:
    assert budget(made.container["livenessProbe"]) > settings.watchdog


def test_a_first_start_has_the_time_that_the_image_and_the_docs_promise(
    cpu: Manifests, gpu: Manifests
) -> None:
    (promised,) = re.findall(r"--start-period=(\d+)m", (DOCKER / "Dockerfile.gpu").read_text())
    assert budget(gpu.container["startupProbe"]) >= int(promised) * 60
    (minutes,) = re.findall(r"A start has (\d+) minutes \((\d+) on a GPU\)", DOCS.read_text())
    told = [budget(made.container["startupProbe"]) // 60 for made in (cpu, gpu)]
    assert told == list(map(int, minutes))


def test_a_pod_has_time_to_drain_and_finish(made: Manifests, settings: Settings) -> None:
    assert settings.drain_delay > 0
    needed = settings.drain_delay + settings.grace + ENDING_S
    assert made.pod["spec"]["terminationGracePeriodSeconds"] > needed


def test_a_pod_on_gpus_takes_one_and_waits_for_no_other(cpu: Manifests, gpu: Manifests) -> None:
    assert gpu.container["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert "nvidia.com/gpu" not in str(cpu.objects)
    assert gpu.variables["POSEWIRE_ENGINE"] == "tensorrt"
    # It ends a pod before it starts the next, as there may be no GPU for both.
    assert gpu.workload["kind"] == "StatefulSet"
    assert "strategy" not in gpu.workload["spec"]


@pytest.mark.parametrize(("variant", "runs_it"), [("base", "openvino"), ("gpu", "tensorrt")])
def test_a_pod_serves_models_that_its_machine_runs(variant: str, runs_it: str) -> None:
    names = build(FOLDER / variant).variables["POSEWIRE_MODELS"].split(",")
    gpus = (GPU,) if variant == "gpu" else ()
    for name in names:
        chosen = choose(Candidate(find(name), checkpoint=True), Available(gpus), EngineOptions())
        assert chosen.backend == runs_it


def test_engines_that_were_built_outlive_their_pod(cpu: Manifests, gpu: Manifests) -> None:
    (claim,) = gpu.workload["spec"]["volumeClaimTemplates"]
    assert claim["metadata"]["name"] == "cache"
    assert "cache" not in {volume["name"] for volume in gpu.pod["spec"]["volumes"]}
    assert "emptyDir" in {volume["name"]: volume for volume in cpu.pod["spec"]["volumes"]}["cache"]


def test_only_the_cache_and_tmp_can_be_written(made: Manifests, settings: Settings) -> None:
    container, spec = made.container, made.workload["spec"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    assert mounts.keys() == {str(settings.cache), "/tmp"}  # noqa: S108 - a pod's
    claims = [claim["metadata"] for claim in spec.get("volumeClaimTemplates", [])]
    assert {one["name"] for one in (*made.pod["spec"]["volumes"], *claims)} == {*mounts.values()}


@pytest.mark.parametrize(("variant", "image"), [("base", "Dockerfile"), ("gpu", "Dockerfile.gpu")])
def test_a_pod_has_no_more_rights_than_the_image_needs(variant: str, image: str) -> None:
    made = build(FOLDER / variant)
    pod, container = made.pod["spec"], made.container["securityContext"]
    (user, group) = re.findall(r"(?m)^USER (\d+):(\d+)$", (DOCKER / image).read_text())[-1]
    context = pod["securityContext"]
    assert (context["runAsUser"], context["runAsGroup"]) == (int(user), int(group))
    assert context["fsGroup"] == int(group)  # who may write to what is mounted
    assert context["runAsNonRoot"] is True
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["allowPrivilegeEscalation"] is False
    assert container["capabilities"] == {"drop": ["ALL"]}
    assert pod["automountServiceAccountToken"] is False
