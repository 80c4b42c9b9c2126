"""The state of a run, from which it goes on to the same numbers."""

from __future__ import annotations

import os
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from google.protobuf.message import DecodeError
from onnx import numpy_helper
from torch import nn
from torch.amp.grad_scaler import GradScaler
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel

from engines.networks.lightweight_openpose import LightweightOpenPose
from engines.networks.multi_scale import MultiScale
from engines.precision.compact import read
from engines.skeletons import SKELETONS
from training.config import Config
from training.network import student

_DEPENDS = ("seed", "skeleton", "data", "teacher", "kept", "student", "loss", "training")

_IN_GRAPH = "network."  # what each module around the network puts before its keys there
_COUNTED = "num_batches_tracked"  # of normalisations; graphs have none
_AVERAGED = "module.network."  # what `AveragedModel` and `Stages` put before the network's keys


@dataclass(frozen=True, slots=True)
class State:
    """What changes in a run. Batches and the learning rate follow from the step.

    Attributes:
        network: the student.
        averaged: its averaged weights.
        optimizer, scaler: of the student.
    """

    network: nn.Module
    averaged: AveragedModel
    optimizer: Optimizer
    scaler: GradScaler


def save(path: Path, config: Config, step: int, state: State) -> None:
    """Writes the state after so many steps; until it is whole the former one stays."""
    held = {
        "settings": config.digest(_DEPENDS),
        "config": config.model_dump_json(),
        "step": step,
        "network": state.network.state_dict(),
        "averaged": state.averaged.state_dict(),
        "optimizer": state.optimizer.state_dict(),
        "scaler": state.scaler.state_dict(),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.new")
    torch.save(held, new)
    os.replace(new, path)


def resume(path: Path, config: Config, state: State) -> int:
    """Puts a saved state back and gives its step; 0 where there is none.

    Raises:
        ValueError: it is of other settings.
    """
    if not path.is_file():
        return 0
    held = _load(path)
    if held["settings"] != config.digest(_DEPENDS):
        raise ValueError(
            f"{path} is of other settings: choose another --out, or remove it to begin anew"
        )
    state.network.load_state_dict(held["network"])
    state.averaged.load_state_dict(held["averaged"])
    state.optimizer.load_state_dict(held["optimizer"])
    state.scaler.load_state_dict(held["scaler"])
    return int(held["step"])


def averaged_network(path: Path) -> nn.Module:
    """The student of a checkpoint with its averaged weights, in evaluation mode; it looks at
    pictures as `config.inference` says.

    Raises:
        OSError: it is missing. ValueError: it is no checkpoint of a run.
    """
    held = _load(path)
    config = Config.model_validate_json(held["config"])
    network = student(config.student, SKELETONS[config.skeleton])
    network.load_state_dict(_averaged(held))
    scales = config.inference.scales
    return (network if scales == (1.0,) else MultiScale(network, scales)).eval()


def begun(network: LightweightOpenPose, path: Path) -> LightweightOpenPose:
    """A network with other weights in place of its own.

    Args:
        path: a checkpoint, of which the averaged weights are taken, or an ONNX graph that
            `training.export` wrote.

    Raises:
        OSError: it is missing. ValueError: it is neither, or of another network.
    """
    values = _of_graph(path) if path.suffix == ".onnx" else _averaged(_load(path))
    counted = {key: value for key, value in network.state_dict().items() if _COUNTED in key}
    try:
        network.load_state_dict(counted | values)
    except RuntimeError as error:  # torch lists every tensor
        raise ValueError(
            f"{path} is of another network: choose its skeleton, backbone, width, blocks and "
            "stages; a graph that looks in one size has no normalisations: take its checkpoint"
        ) from error
    return network


def _averaged(held: dict[str, Any]) -> dict[str, Any]:
    return {
        key.removeprefix(_AVERAGED): value
        for key, value in held["averaged"].items()
        if key.startswith(_AVERAGED)
    }


def _of_graph(path: Path) -> dict[str, Any]:
    """The network's parameters and statistics; a graph has constants of its own beside them."""
    try:
        tensors = read(path).graph.initializer
    except DecodeError as error:
        raise ValueError(f"{path} is no ONNX graph") from error
    return {
        tensor.name.rpartition(_IN_GRAPH)[2]: torch.from_numpy(numpy_helper.to_array(tensor).copy())
        for tensor in tensors
        if tensor.name.startswith(_IN_GRAPH)
    }


def _load(path: Path) -> dict[str, Any]:
    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, EOFError, RuntimeError):
        held = None
    if not isinstance(held, dict) or "averaged" not in held:
        raise ValueError(f"{path} is no checkpoint of python -m training")
    return held
