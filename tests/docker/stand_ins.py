"""What stands in for images that cannot be pulled: Debian's own packages of the same programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.docker.engine import Engine
from tests.shared import ROOT

_IMAGES = Path(__file__).parent / "images"


@dataclass(frozen=True, slots=True)
class StandIns:
    """For the services of the compose file.

    Attributes:
        override: of each service that another image serves, as compose reads it.
        absent: services that can be neither pulled nor made.
        said: what became of the images, in words.
    """

    override: dict[str, Any] = field(default_factory=dict)
    absent: set[str] = field(default_factory=set)
    said: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, engine: Engine, services: Mapping[str, Any]) -> StandIns:
        """For those that are pulled, and not built here; each is tried."""
        found = cls()
        for name, service in services.items():
            image = service["image"]
            if "build" in service or engine.has("pull", "--quiet", image):
                continue
            recipe = _IMAGES / f"{name}.Dockerfile"
            if recipe.exists():
                build = {"context": str(_IMAGES), "dockerfile": recipe.name}
                found.override[name] = {"image": f"posewire-tests/{name}", "build": build}
                found.said.append(f"{image} was replaced by Debian's package")
            else:
                found.absent.add(name)
                found.said.append(f"{image} can be neither pulled nor made: {name} was left out")
        return found


def services() -> dict[str, Any]:
    """Those of the compose file, as they are written there."""
    written: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    return written
