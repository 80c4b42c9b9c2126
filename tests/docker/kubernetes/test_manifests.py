"""The manifests fit Kubernetes' schemas, each other, and what the docs put beside them."""

from __future__ import annotations

from pathlib import Path

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml

from service.settings import Settings
from tests.docker.kubernetes.manifests import DOCKER, Manifests, build_beside, documented

KUBERNETES = "1.33"


def assert_valid(made: Manifests) -> None:
    """Fits the schemas, less objects that are not Kubernetes' own."""
    for one in made.objects:
        if one["kind"] != "ScaledObject":
            kubernetes_validate.validate(one, KUBERNETES, strict=True)


def test_every_object_fits_kubernetes_schema(made: Manifests) -> None:
    kinds = {one["kind"] for one in made.objects} - {"Deployment", "StatefulSet"}
    assert kinds == {"ConfigMap", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget"}
    assert_valid(made)


def test_every_selector_is_of_the_pods(made: Manifests) -> None:
    selectors = [service["spec"]["selector"] for service in made.all("Service")]
    labelled = (made.workload["spec"], made.one("PodDisruptionBudget")["spec"])
    selectors += [spec["selector"]["matchLabels"] for spec in labelled]
    spread = made.pod["spec"]["topologySpreadConstraints"]
    selectors += [one["labelSelector"]["matchLabels"] for one in spread]
    assert all(map(made.selects, selectors))


def test_both_kinds_of_pods_live_in_one_namespace(cpu: Manifests, gpu: Manifests) -> None:
    assert not cpu.names & gpu.names
    for one, other in ((cpu, gpu), (gpu, cpu)):
        assert not any(one.selects(service["spec"]["selector"]) for service in other.all("Service"))


def test_services_lead_to_the_ports_that_the_service_listens_on(
    made: Manifests, settings: Settings
) -> None:
    listening = {port["name"]: port["containerPort"] for port in made.container["ports"]}
    assert listening == {"http": settings.http_port, "grpc": settings.grpc_port}
    for service in made.all("Service"):
        for port in service["spec"]["ports"]:
            assert listening[port["targetPort"]] == port["port"]


def test_a_grpc_client_finds_every_pod_by_name(made: Manifests) -> None:
    (headless,) = [one for one in made.all("Service") if one["spec"].get("clusterIP") == "None"]
    assert [port["name"] for port in headless["spec"]["ports"]] == ["grpc"]
    if made.workload["kind"] == "StatefulSet":
        assert made.workload["spec"]["serviceName"] == headless["metadata"]["name"]


def test_gateways_know_grpc_by_its_protocol(made: Manifests) -> None:
    ports = [port for one in made.all("Service") for port in one["spec"]["ports"]]
    told = {(port["name"], port["appProtocol"]) for port in ports}
    assert told == {("http", "http"), ("grpc", "kubernetes.io/h2c")}


def test_images_are_those_that_the_dockerfiles_name(cpu: Manifests, gpu: Manifests) -> None:
    for made, image in ((cpu, "Dockerfile"), (gpu, "Dockerfile.gpu")):
        assert f"docker build -t {made.container['image']} " in (DOCKER / image).read_text()


def test_other_settings_are_a_roll_out(tmp_path: Path, cpu: Manifests) -> None:
    changed = "[{name: posewire, behavior: merge, literals: [POSEWIRE_GRACE=5]}]"
    files = {"kustomization.yaml": f"resources: [../base]\nconfigMapGenerator: {changed}"}
    made = build_beside(tmp_path, files)
    assert made.variables == {**cpu.variables, "POSEWIRE_GRACE": "5"}
    assert made.container["envFrom"] != cpu.container["envFrom"]


@pytest.mark.parametrize("number", range(3))
def test_what_the_docs_put_beside_the_manifests_can_be_applied(number: int, tmp_path: Path) -> None:
    examples = [one for one in documented() if "resources" in one]
    assert len(examples) == 3
    example = examples[number]
    (scaled,) = [one for one in documented() if one.get("kind") == "ScaledObject"]
    files = {
        "kustomization.yaml": yaml.safe_dump(example),
        "keys.env": "POSEWIRE_API_KEYS=one,another",
        "scaled.yaml": yaml.safe_dump(scaled),
    }
    made = build_beside(tmp_path, files)
    assert_valid(made)
    pod = made.pod["spec"]
    (image,) = {one["image"] for one in (*pod["containers"], *pod.get("initContainers", []))}
    for wanted in example.get("images", []):
        assert image == f"{wanted['newName']}:{wanted['newTag']}"
    for secret in made.all("Secret"):
        assert {"secretRef": {"name": secret["metadata"]["name"]}} in made.container["envFrom"]
    # One of the two scales, never both.
    assert len(made.all("HorizontalPodAutoscaler") + made.all("ScaledObject")) == 1
