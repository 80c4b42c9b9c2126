"""What a fixtures folder holds, by the indexes in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


class LayoutError(ValueError):
    """A folder is not laid out as fixtures are."""


def names(folder: Path) -> list[str]:
    """The names of everything to check in `folder`, such as `networks/hrnet-w32`.

    Raises:
        LayoutError: there is no such folder, nothing to check in it, or an index is damaged.
    """
    if not folder.is_dir():
        raise LayoutError(f"{folder} is not a folder")
    found = [
        *(f"networks/{name}" for name in _index(folder / "networks" / "index.json")),
        *(f"decoding/{system}" for system in _index(folder / "decoding" / "scenes.json")),
        *(f"preprocessing/{name}" for name in _prepared(folder / "preprocessing" / "inputs.json")),
    ]
    if not found:
        raise LayoutError(
            f"{folder} holds no fixtures: networks/index.json, decoding/scenes.json or "
            "preprocessing/inputs.json should list them"
        )
    return found


def _index(path: Path) -> dict[str, Any]:
    """A JSON object by its path, empty where there is none."""
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise LayoutError(f"{path} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise LayoutError(f"{path} is not a JSON object")
    return content


def _prepared(path: Path) -> list[str]:
    """The pipelines that prepared an image: each has an object of its own beside the image's."""
    images = _index(path).get("images", [])
    if not isinstance(images, list) or not all(isinstance(image, dict) for image in images):
        raise LayoutError(f"{path} has no list of objects under images")
    return list(
        dict.fromkeys(key for image in images for key, it in image.items() if isinstance(it, dict))
    )
