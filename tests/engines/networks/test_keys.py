"""Official checkpoints fit: every network has their keys and shapes, in their order."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("torch", reason="networks are defined in torch, which is not installed")

import torch

from tests.parity.networks import NETWORKS
from tests.shared import shared


@pytest.mark.parametrize("name", NETWORKS)
def test_keys_and_shapes_are_those_of_official_checkpoints_in_order(name: str) -> None:
    path = shared(f"fixtures/networks/{name}.keys.json")
    official = json.loads(path.read_text(encoding="utf-8"))

    with torch.device("meta"):
        own = NETWORKS[name]().state_dict()

    assert [[key, list(value.shape)] for key, value in own.items()] == official
