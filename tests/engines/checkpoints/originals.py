"""The networks' original parameters, made up, and what their originals make of them."""

from __future__ import annotations

import json
import runpy
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tests.parity import outputs
from tests.parity.networks import NETWORKS, TOLERANCE
from tests.shared import shared

# The taps of a 3 x 3 convolution as DEKR has them: y, then x.
GRID = torch.tensor([[-1, -1, -1, 0, 0, 0, 1, 1, 1], [-1, 0, 1, -1, 0, 1, -1, 0, 1]]).float()


def network(name: str) -> nn.Module:
    """The network of a fixture, with parameters of its own."""
    return NETWORKS[name]().eval()


@lru_cache(maxsize=1)  # of hundreds of megabytes
def parameters(name: str) -> dict[str, Tensor]:
    """The fixture's parameters by the keys of the network's authors."""
    keys = json.loads(shared(f"fixtures/networks/{name}.keys.json").read_text(encoding="utf-8"))
    tensor, seed = _fill()["tensor"], _seed(name)
    made = {key: torch.from_numpy(np.asarray(tensor(key, tuple(s), seed))) for key, s in keys}
    for key, value in made.items():
        if key.endswith("num_batches_tracked"):
            made[key] = torch.tensor(0)
        elif key.endswith("regular_matrix"):
            made[key] = GRID
        elif name.startswith("openpose") and key.endswith("weight") and value.dim() == 1:
            value.mul_(0.25)  # slopes of a PReLU
    return made


def assert_its_outputs_are_stored(network: nn.Module, name: str) -> None:
    """Whether `network` gives what the original gave with the fixture's parameters."""
    with np.load(shared(f"fixtures/networks/{name}.npz")) as arrays:
        stored = dict(arrays)
    index = _index()[name]
    given = _fill()["network_input"](tuple(index["input_shape"]), _seed(name))
    given *= np.float32(index.get("input_scale", 1))
    with torch.inference_mode():
        ours = outputs.BY_NETWORK.get(name, outputs.named)(network(torch.from_numpy(given)), given)
    assert ours.keys() == stored.keys()
    for key, value in stored.items():
        assert np.abs(ours[key] - value).max() <= TOLERANCE * np.abs(value).max(), key


def _seed(name: str) -> str:
    seed: str = _index()[name]["seed"]
    return seed


def _index() -> dict[str, Any]:
    path = shared("fixtures/networks/index.json")
    index: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return index


def _fill() -> dict[str, Any]:
    return runpy.run_path(str(shared("fixtures/fill.py")))
