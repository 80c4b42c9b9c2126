"""Torch checkpoints into networks: read without running code, and all of them or nothing."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

_WRAPPERS = ("state_dict", "best_state_dict", "model")  # where projects put the parameters
_PREFIXES = ("", "module.", "model.", "module.model.")  # the networks that theirs were wrapped in
_COUNTER = "num_batches_tracked"
_SHOWN = 5  # keys of a kind in a message


class CheckpointError(ValueError):
    """A file is no checkpoint that can be read safely, or not one of this network."""


def read(path: Path) -> dict[str, Tensor]:
    """The parameters in a checkpoint, on the CPU, by the keys it gives them.

    A plain state dict is taken as it is; of a training checkpoint, its `state_dict`,
    `best_state_dict` or `model`. Nothing in the file is run.

    Raises:
        OSError: the file cannot be opened.
        CheckpointError: the file is truncated, no checkpoint, or would have to run code.
    """
    content = _unpickle(path)
    if (plain := _state_dict(content)) is not None:
        return plain
    if isinstance(content, Mapping):
        for wrapper in _WRAPPERS:
            if (wrapped := _state_dict(content.get(wrapper))) is not None:
                return wrapped
    raise CheckpointError(
        f"{path} holds no state dict; save one with torch.save(network.state_dict(), path), "
        f"or under one of the keys {', '.join(_WRAPPERS)}"
    )


def load(network: nn.Module, path: Path) -> None:
    """Give `network` the parameters of the checkpoint at `path`.

    The prefixes `module.` and `model.`, of networks saved inside another, are dropped where
    the keys fit without them. A network that is refused its checkpoint stays as it was.

    Raises:
        OSError, CheckpointError: as `read`; also CheckpointError for keys that are missing or
            unexpected and parameters of another shape, naming them.
    """
    own: dict[str, Tensor] = network.state_dict()
    stored, misfit = _fit(read(path), own)
    if misfit.count:
        raise CheckpointError(
            f"{path} does not fit {type(network).__name__}: {misfit.describe()}; "
            "choose the checkpoint that was trained for this network and configuration"
        )
    network.load_state_dict({**own, **stored})


@dataclass(frozen=True, slots=True)
class _Misfit:
    missing: Sequence[str]
    unexpected: Sequence[str]
    reshaped: Sequence[str]  # "key (2, 3) for (2, 4)"

    @property
    def count(self) -> int:
        return len(self.missing) + len(self.unexpected) + len(self.reshaped)

    def describe(self) -> str:
        kinds = {
            "missing": self.missing,
            "unexpected": self.unexpected,
            "of another shape": self.reshaped,
        }
        return "; ".join(f"{len(k)} {kind}: {_first(k)}" for kind, k in kinds.items() if k)


def _unpickle(path: Path) -> Any:
    # Opened here, so that what torch raises afterwards, OSError included, is about the content.
    with path.open("rb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of old pickle protocols; what matters is raised
        try:
            return torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # a malformed file raises nearly anything
            if "GLOBAL " in str(error):
                raise CheckpointError(
                    f"{path} holds more than parameters, and reading it would run code; where "
                    "you trust it, load it with torch and save its state dict alone"
                ) from error
            raise CheckpointError(
                f"{path} is truncated or not a torch checkpoint; download or copy it again"
            ) from error


def _state_dict(value: Any) -> dict[str, Tensor] | None:
    if not isinstance(value, Mapping) or not value:
        return None
    if not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in value.items()):
        return None
    return dict(value)


def _fit(
    stored: Mapping[str, Tensor], own: Mapping[str, Tensor]
) -> tuple[dict[str, Tensor], _Misfit]:
    """The parameters without the prefix that leaves the fewest misfits, and these.

    Some networks' own keys begin with `model.`, so a prefix says nothing by itself.
    """
    fits = []
    for prefix in _PREFIXES:
        renamed = {key.removeprefix(prefix): value for key, value in stored.items()}
        if len(renamed) == len(stored):  # else two keys became one
            fits.append((renamed, _misfit(renamed, own)))
    return min(fits, key=lambda fit: fit[1].count)


def _misfit(stored: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> _Misfit:
    return _Misfit(
        # Checkpoints from before torch 0.4.1 have no counters, and inference reads none.
        missing=[key for key in own if key not in stored and not key.endswith(_COUNTER)],
        unexpected=[key for key in stored if key not in own],
        reshaped=[
            f"{key} {tuple(stored[key].shape)} for {tuple(value.shape)}"
            for key, value in own.items()
            if key in stored and stored[key].shape != value.shape
        ],
    )


def _first(keys: Sequence[str]) -> str:
    return ", ".join(keys[:_SHOWN]) + (", ..." if len(keys) > _SHOWN else "")
