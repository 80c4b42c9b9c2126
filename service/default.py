"""The model that runs where none is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engines.catalog import find
from engines.weights import Store

FETCHED = "lightweight-openpose-int8"  # more accurate, where its weights have been fetched
SHIPPED = "posewire-small"  # comes with the package: it needs no network, and no cache


def default_models(given: dict[str, Any]) -> tuple[str, ...]:
    """By the `cache` among the settings that are given."""
    return (default_model(given["cache"]),)


def default_model(cache: Path) -> str:
    """Nothing is fetched for it: a service without a network starts all the same."""
    return FETCHED if Store(cache).ready(find(FETCHED)) else SHIPPED
