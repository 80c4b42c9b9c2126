"""Kubernetes' objects as kustomize makes them of docker/kubernetes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docker.programs import program
from tests.shared import ROOT

DOCKER = ROOT / "docker"
FOLDER = DOCKER / "kubernetes"
DOCS = ROOT / "docs" / "kubernetes.md"
_KUSTOMIZE = 5  # its oldest


@dataclass(frozen=True, slots=True)
class Manifests:
    """What `kubectl apply` would be given."""

    objects: list[dict[str, Any]]

    def all(self, kind: str) -> list[dict[str, Any]]:
        return [one for one in self.objects if one["kind"] == kind]

    def one(self, kind: str) -> dict[str, Any]:
        """The only object of its kind."""
        (found,) = self.all(kind)
        return found

    @property
    def names(self) -> set[tuple[str, str]]:
        """Kind and name of every object."""
        return {(one["kind"], one["metadata"]["name"]) for one in self.objects}

    @property
    def workload(self) -> dict[str, Any]:
        """What starts pods."""
        (found,) = self.all("Deployment") + self.all("StatefulSet")
        return found

    @property
    def pod(self) -> dict[str, Any]:
        """What it starts: `metadata` and `spec`."""
        template: dict[str, Any] = self.workload["spec"]["template"]
        return template

    @property
    def container(self) -> dict[str, Any]:
        """The service's."""
        (found,) = self.pod["spec"]["containers"]
        return dict(found)

    @property
    def variables(self) -> dict[str, str]:
        """Settings that the pod gets from the ConfigMap."""
        return dict(self.one("ConfigMap")["data"])

    def selects(self, selector: Mapping[str, str]) -> bool:
        """Whether a selector is of the pods."""
        return bool(selector) and selector.items() <= self.pod["metadata"]["labels"].items()


@cache
def build(folder: Path) -> Manifests:
    """What kustomize makes of a folder, without a warning."""
    ran = subprocess.run(
        [_kubectl(), "kustomize", str(folder)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    return Manifests(list(yaml.safe_load_all(ran.stdout)))


def build_beside(folder: Path, files: Mapping[str, str]) -> Manifests:
    """What kustomize makes of these files, by name, beside the others of docker/kubernetes.

    Args:
        folder: empty, for copies.
    """
    copied = folder / FOLDER.name
    shutil.copytree(FOLDER, copied)
    mine = copied / "mine"
    mine.mkdir()
    for name, text in files.items():
        (mine / name).write_text(text)
    return build(mine)


def documented() -> list[dict[str, Any]]:
    """The objects and kustomizations that docs/kubernetes.md gives as examples."""
    blocks = re.findall(r"(?ms)^```yaml\n(.*?)^```$", DOCS.read_text())
    return [yaml.safe_load(block) for block in blocks]


def _kubectl() -> str:
    kubectl = program("kubectl", "kubernetes-client")
    told = subprocess.run(
        [kubectl, "version", "--client", "--output=json"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    version = json.loads(told.stdout).get("kustomizeVersion", "v0")
    if int(re.findall(r"\d+", version)[0]) < _KUSTOMIZE:
        pytest.skip(
            f"needs kubectl 1.27 or later, which has kustomize {_KUSTOMIZE}; "
            "the one of Debian 12's package kubernetes-client is older"
        )
    return kubectl
