"""The layouts in which projects save the same parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from torch import Tensor

from engines.checkpoints import mmpose

_PREFIXES = ("", "module.", "model.", "module.model.")  # the networks that theirs were wrapped in


def candidates(stored: Mapping[str, Tensor]) -> Iterator[dict[str, Tensor]]:
    """The parameters under the keys they may have meant, as they are stored first.

    Some networks' own keys begin with `model.`, so a prefix says nothing by itself: the keys
    of the network that is loaded have to choose.
    """
    for prefix in _PREFIXES:
        yield from _renamed(stored, {key: key.removeprefix(prefix) for key in stored})
    # Hzzone/pytorch-openpose names OpenPose's layers as Caffe does, within blocks: model0.conv1_1
    yield from _renamed(stored, {key: key.partition(".")[2] for key in stored})
    yield from mmpose.candidates(stored)


def _renamed(stored: Mapping[str, Tensor], names: Mapping[str, str]) -> Iterator[dict[str, Tensor]]:
    """The parameters by their new keys, unless two keys became one."""
    renamed = {names[key]: value for key, value in stored.items()}
    if len(renamed) == len(stored):
        yield renamed
