"""A checkpoint into its network, whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from engines.checkpoints.error import CheckpointError
from engines.checkpoints.layouts import candidates
from engines.checkpoints.reading import read

_COUNTER = "num_batches_tracked"
_SHOWN = 5  # keys of a kind in a message


def load(network: nn.Module, path: Path) -> None:
    """Give `network` the parameters of the checkpoint at `path`.

    Raises:
        OSError, CheckpointError: as `read` and `fit`.
    """
    fit(network, read(path), path)


def fit(network: nn.Module, parameters: Mapping[str, Tensor], path: Path) -> None:
    """Give `network` the parameters that were read from `path`.

    They may be laid out as the network's authors do, inside another network (`module.`,
    `model.`), or as MMPose or pytorch-openpose do; the network's keys choose. A network that
    is refused its checkpoint stays as it was.

    Raises:
        CheckpointError: keys are missing or unexpected, or parameters of another shape: those.
    """
    own: dict[str, Tensor] = network.state_dict()
    fits = [(stored, _misfit(stored, own)) for stored in candidates(parameters)]
    stored, misfit = min(fits, key=lambda one: one[1].count)
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
