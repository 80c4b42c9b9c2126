"""Networks against the stored outputs of their originals, both with the same made-up parameters."""

from __future__ import annotations

import importlib
import importlib.util
import json
import runpy
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.parity import outputs
from tests.parity.report import Check, Figure, Skipped

if TYPE_CHECKING:
    from torch import nn

TOLERANCE = 1e-4  # of the largest stored value

Arrays = Mapping[str, np.ndarray]


def _network(module: str, name: str, *arguments: Any) -> nn.Module:
    network: nn.Module = getattr(importlib.import_module(f"engines.networks.{module}"), name)(
        *arguments
    )
    return network


# Networks and torch are imported as one is checked: without torch, these are skipped by name.
NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "lightweight-openpose-1stage": partial(
        _network, "lightweight_openpose", "LightweightOpenPose", 1
    ),
    "lightweight-openpose-3stage": partial(
        _network, "lightweight_openpose", "LightweightOpenPose", 3
    ),
    "openpose-coco": partial(_network, "openpose", "OpenPose", 19, 38),
    "openpose-mpi": partial(_network, "openpose", "OpenPose", 16, 28),
    "openpose-body25": partial(_network, "openpose_body25", "OpenPoseBody25"),
    "hrnet-w32": partial(_network, "hrnet", "HRNet", 32, 17),
    "hrnet-w48": partial(_network, "hrnet", "HRNet", 48, 17),
    "hrnet-w32-mpii": partial(_network, "hrnet", "HRNet", 32, 16),
    "dekr-w32-coco": partial(_network, "dekr", "Dekr", 32, 17),
    "dekr-w48-coco": partial(_network, "dekr", "Dekr", 48, 17),
    "dekr-w32-crowdpose": partial(_network, "dekr", "Dekr", 32, 14),
    "multiposenet-resnet50": partial(_network, "multiposenet", "MultiPoseNet", 50),
    "multiposenet-resnet101": partial(_network, "multiposenet", "MultiPoseNet", 101),
    "prn": partial(_network, "prn", "PoseResidualNetwork", 2),
}


def checks() -> dict[str, Check]:
    """The check of every implemented network."""
    return {f"networks/{name}": partial(_check, name, build) for name, build in NETWORKS.items()}


def _check(name: str, build: Callable[[], nn.Module], folder: Path) -> Figure:
    if importlib.util.find_spec("torch") is None:
        raise Skipped("torch is not installed")
    index = json.loads((folder / "networks" / "index.json").read_text(encoding="utf-8"))[name]
    keys = json.loads((folder / "networks" / f"{name}.keys.json").read_text(encoding="utf-8"))
    network = build().eval()
    own = [[key, list(value.shape)] for key, value in network.state_dict().items()]
    if own != keys:
        return Figure(False, _difference(own, keys))
    stored = _arrays(folder / "networks" / f"{name}.npz")
    fill(network, folder, index["seed"])
    given = stored["input"] if "input" in stored else _input(folder, index)
    return _compare(_run(network, given, outputs.BY_NETWORK.get(name, outputs.named)), stored)


def fill(network: nn.Module, folder: Path, seed: str = "A") -> None:
    """Give `network` the parameters of the fixtures in `folder`."""
    import torch  # noqa: PLC0415

    own = network.state_dict()
    drawn = _fill_of(folder).fill(own, seed)
    filled = {key: torch.from_numpy(value) for key, value in drawn.items()}
    for name, module in network.named_modules():
        if isinstance(module, torch.nn.PReLU):
            filled[f"{name}.weight"] *= 0.25  # else activations grow from layer to layer
    network.load_state_dict({**own, **filled})


def _input(folder: Path, index: Mapping[str, Any]) -> np.ndarray:
    drawn: np.ndarray = _fill_of(folder).network_input(tuple(index["input_shape"]), index["seed"])
    return drawn * np.float32(index.get("input_scale", 1))


def _run(network: nn.Module, given: np.ndarray, as_stored: outputs.AsStored) -> Arrays:
    """The network's outputs, as the fixture's are named."""
    import torch  # noqa: PLC0415

    with torch.inference_mode():
        return as_stored(network(torch.from_numpy(given)), given)


def _compare(ours: Arrays, stored: Arrays) -> Figure:
    if ours.keys() != stored.keys():
        return Figure(False, f"outputs {', '.join(ours)}, stored are {', '.join(stored)}")
    for key, value in stored.items():
        if ours[key].shape != value.shape:
            return Figure(False, f"{key} of shape {ours[key].shape}, stored is {value.shape}")
    worst = np.max([relative_error(ours[key], value) for key, value in stored.items()])
    return Figure(bool(worst <= TOLERANCE), f"{worst:.1e} of the largest value")


def relative_error(ours: np.ndarray, stored: np.ndarray) -> float:
    """max |ours - stored| / max |stored|; not a number where either holds one that is not."""
    stored = stored.astype(np.float64)
    return float(np.abs(ours - stored).max() / max(np.abs(stored).max(), np.finfo(np.float64).tiny))


def _difference(own: list[Any], keys: list[Any]) -> str:
    for position, (ours, theirs) in enumerate(zip(own, keys, strict=False)):
        if ours != theirs:
            return f"state-dict entry {position} is {ours}, stored is {theirs}"
    return f"{len(own)} state-dict entries, stored are {len(keys)}"


def _arrays(path: Path) -> Arrays:
    with np.load(path, allow_pickle=False) as stored:
        return dict(stored)


def _fill_of(folder: Path) -> Any:
    """The folder's own `fill.py`, as it says what its stored outputs were made of."""
    return SimpleNamespace(**runpy.run_path(str(folder / "fill.py")))
