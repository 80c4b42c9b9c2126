"""From a checkpoint to the graphs that engines run."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from engines import checkpoints
from engines.catalog import Checkpoint, Entry
from engines.export import export, export_arrays
from engines.grouping.dekr_rescoring import features
from engines.networks.dekr import Dekr
from engines.networks.dekr_fused import fuse
from engines.networks.hrnet import HRNet
from engines.networks.lightweight_openpose import LightweightOpenPose
from engines.networks.multiposenet import MultiPoseNet
from engines.networks.openpose import OpenPose
from engines.networks.openpose_body25 import OpenPoseBody25
from engines.networks.prn import GRID, PoseResidualNetwork, hidden_layers
from engines.systems import RESCORING
from engines.weights import Store, atomically

_REFINEMENT = re.compile(r"refinement_stages\.(\d+)\.")
_RESCORING_KEYS = {f"l{layer}.{kind}" for layer in (1, 2, 3) for kind in ("weight", "bias")}
Parameters = Mapping[str, Tensor]


def make_graphs(
    entry: Entry, checkpoint: Path, store: Store, *, deform_conv: bool = False
) -> list[Path]:
    """Exports the network of `entry` with the parameters of `checkpoint`, as ONNX graphs.

    The number of Lightweight OpenPose's refinement stages and of the Pose Residual Network's
    layers are the checkpoint's. A checkpoint may also be of a part that its authors publish
    apart: MultiPoseNet's Pose Residual Network, or DEKR's rescoring network.

    Args:
        entry: of the catalogue.
        checkpoint: the authors' file.
        store: takes the graphs, among what the user brought.
        deform_conv: write DEKR with ONNX's DeformConv, for engines that have it, in place of
            the graph that OpenVINO runs; it is named so.

    Returns:
        What was written.

    Raises:
        OSError: the checkpoint cannot be opened. CheckpointError: it does not fit.
        ValueError: the model is not made of a checkpoint, or has no deformable convolutions.
    """
    kind = _made_of(entry).network
    parameters = checkpoints.read(checkpoint)
    if kind == "dekr" and parameters.keys() == _RESCORING_KEYS:
        return [_rescoring(entry, parameters, store)]
    network = network_of(entry, parameters)
    checkpoints.fit(network, parameters, checkpoint)
    if deform_conv and not isinstance(network, Dekr):
        raise ValueError(f"{entry.name} has no deformable convolutions")
    return [_graph(entry, role, part, store, deform_conv) for role, part in _parts(network).items()]


def network_of(entry: Entry, parameters: Parameters) -> nn.Module:
    """The authors' network of an entry that is made of a checkpoint, still without parameters.

    What the entry does not say, such as the number of stages, is as the parameters have it, and
    as published where there are none.
    """
    return _NETWORKS[_made_of(entry).network](entry, parameters)


def _made_of(entry: Entry) -> Checkpoint:
    if entry.checkpoint is None:
        raise ValueError(f"{entry.name} is not made of a checkpoint; bring it as it is published")
    return entry.checkpoint


def networks_of(entry: Entry, checkpoint: Path, *, fused: bool = True) -> dict[str, nn.Module]:
    """The networks of a whole checkpoint by role, in evaluation mode, as the graphs have them.

    Args:
        entry: made of a checkpoint.
        checkpoint: the authors' file.
        fused: whether DEKR's small operators are one for all keypoints; else as the authors'.

    Raises:
        OSError: the checkpoint cannot be opened. CheckpointError: it does not fit.
        ValueError: the model is not made of a checkpoint.
    """
    parameters = checkpoints.read(checkpoint)
    network = network_of(entry, parameters)
    checkpoints.fit(network, parameters, checkpoint)
    return _parts(network.eval(), fused=fused)


def _parts(network: nn.Module, *, fused: bool = True) -> dict[str, nn.Module]:
    """By role, what becomes a graph of its own."""
    if isinstance(network, PoseResidualNetwork):
        return {"prn": network}
    if isinstance(network, MultiPoseNet):
        return {"network": network, "prn": network.prn}
    return {"network": fuse(network) if fused and isinstance(network, Dekr) else network}


def _graph(entry: Entry, role: str, part: nn.Module, store: Store, deform_conv: bool) -> Path:
    network = entry.networks[role]
    path = store.imported(entry) / network.graph
    if deform_conv:
        path = path.with_suffix(".deform-conv.onnx")
    outputs = list(network.outputs.values())
    if network.pixels is None:
        export_arrays(part, path, shape=GRID, outputs=outputs)
    else:
        pixels = network.pixels
        export(
            part,
            path,
            mean=pixels.mean,
            scale=pixels.scale,
            rgb=pixels.rgb,
            outputs=outputs,
            multiple=_MULTIPLES.get(entry.system, 32),
            deform_conv=deform_conv,
        )
    return path


def _lightweight_openpose(_: Entry, parameters: Parameters) -> nn.Module:
    return LightweightOpenPose(_stages(parameters))


def _stages(keys: Iterable[str]) -> int:
    """Refinement stages in a checkpoint; what it has beyond the network's is named later."""
    found = [int(match[1]) for key in keys if (match := _REFINEMENT.search(key))]
    return min(max(found, default=0) + 1, 3)


def _hrnet(entry: Entry, _: Parameters) -> nn.Module:
    return HRNet(_made_of(entry).variant["width"], len(entry.skeleton.keypoints))


def _dekr(entry: Entry, _: Parameters) -> nn.Module:
    return Dekr(_made_of(entry).variant["width"], len(entry.skeleton.keypoints))


def _multiposenet(entry: Entry, parameters: Parameters) -> nn.Module:
    layers = hidden_layers(parameters) if parameters else 2
    if parameters and not any("fpn" in key for key in parameters):
        return PoseResidualNetwork(layers)
    return MultiPoseNet(_made_of(entry).variant["depth"], layers)


def _rescoring(entry: Entry, parameters: Parameters, store: Store) -> Path:
    nobody = np.zeros((1, len(entry.skeleton.keypoints), 3), np.float32)
    wanted = features(nobody, entry.skeleton).shape[1]
    if (given := parameters["l1.weight"].shape[1]) != wanted:
        raise checkpoints.CheckpointError(
            f"the rescoring network takes {given} features, {entry.name} gives {wanted}; choose "
            f"that of {entry.skeleton.name}"
        )
    path = store.imported(entry) / RESCORING
    arrays: dict[str, Any] = {key: value.float().numpy() for key, value in parameters.items()}
    with atomically(path) as out:
        np.savez(out, **arrays)
    return path


_NETWORKS: Mapping[str, Callable[[Entry, Parameters], nn.Module]] = {
    "lightweight-openpose": _lightweight_openpose,
    "openpose-coco": lambda _, __: OpenPose(19, 38),
    "openpose-mpi": lambda _, __: OpenPose(16, 28),
    "openpose-body25": lambda _, __: OpenPoseBody25(),
    "hrnet": _hrnet,
    "dekr": _dekr,
    "multiposenet": _multiposenet,
}
_MULTIPLES = {"lightweight-openpose": 8, "openpose": 8}  # of sides, where it is not 32
