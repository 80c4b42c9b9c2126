"""The student learns."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from engines.networks.lightweight_openpose import LightweightOpenPose
from engines.networks.yolox import YoloX
from engines.skeletons import SKELETONS, Skeleton
from training.batches import Batch, Batches, Part, plain
from training.checkpoint import State, begun, resume, save
from training.config import Config, Training
from training.depthwise import quicken
from training.devices import Place, fast_type
from training.kept import Kept
from training.log import Log
from training.loss import MapLoss
from training.network import Stages, student
from training.normalisation import first_frozen, freeze, settle
from training.pretrained import begin, published
from training.schedule import learning_rate

Told = Callable[[int, int], None]  # steps done, steps in all
_VALIDATED = 1024  # held-out pictures, at most
_TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True, slots=True)
class Learner:
    """What makes a step.

    Attributes:
        state: what changes.
        stages: the student's network, over all processes where there are several.
        loss: of its maps.
        arithmetic: what convolutions compute in; their weights stay in float32.
    """

    config: Config
    place: Place
    state: State
    stages: nn.Module
    loss: MapLoss
    arithmetic: torch.dtype

    def step(self, number: int, batch: Batch) -> Tensor:
        """Learns from a batch; the losses of the heatmaps and of the fields."""
        chosen, state = self.config.training, self.state
        for group in state.optimizer.param_groups:
            group["lr"] = group["share"] * learning_rate(number, chosen)
        losses = self.losses(self.stages, batch)
        state.optimizer.zero_grad()
        state.scaler.scale(losses.sum()).backward()  # type: ignore[no-untyped-call]
        state.scaler.unscale_(state.optimizer)
        nn.utils.clip_grad_norm_(state.network.parameters(), chosen.clip)
        state.scaler.step(state.optimizer)
        state.scaler.update()
        state.averaged.update_parameters(state.network)
        return losses.detach()

    def losses(self, stages: nn.Module, batch: Batch) -> Tensor:
        with self._fast():
            maps = stages(batch.images)
        return torch.stack(self.loss(maps, batch.maps, batch.counts))

    def settle(self, network: nn.Module, batches: Batches) -> None:
        """Gives a network's normalisations their statistics."""
        with self._fast():
            settle(network, batches, self.config.training.batch)

    def _fast(self) -> torch.autocast:
        device, wanted = self.place.device.type, self.arithmetic != torch.float32
        return torch.autocast(device, self.arithmetic, wanted)

    @torch.inference_mode()
    def validation(self, kept: Kept) -> float:
        """The averaged weights' loss on pictures that are held out, without chance."""
        self.state.averaged.eval()
        size, total = self.config.training.batch, 0.0
        last = min(len(kept.pictures), kept.learned + _VALIDATED)
        for first in range(kept.learned, last, size):
            some = slice(first, min(first + size, last))
            batch = plain(kept.pictures[some], kept.maps[some], self.place.device)
            losses = self.losses(self.state.averaged, batch)
            total += float(losses.sum()) * len(batch.images)
        return total / (last - kept.learned)


def learner(
    config: Config, skeleton: Skeleton, place: Place, detector: Path | None = None
) -> Learner:
    """A student at its beginning, the same in every process.

    Args:
        detector: graph of the one whose features the student begins with.
    """
    torch.manual_seed(config.seed)
    made = student(config.student, skeleton)
    if config.student.weights is not None:
        made = begun(made, config.student.weights)
    elif detector is not None and isinstance(made.model, YoloX):
        begin(made.model, detector)
    network = Stages(made).to(place.device)
    if place.device.type == "cpu":
        quicken(network)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    chosen = config.training
    arithmetic = _TYPES.get(chosen.precision) or fast_type(place.device)
    optimizer = torch.optim.AdamW(_groups(made, chosen), fused=True)
    average = get_ema_multi_avg_fn(chosen.average)  # type: ignore[no-untyped-call]
    averaged = AveragedModel(network, multi_avg_fn=average)
    scaler = GradScaler(place.device.type, enabled=arithmetic == torch.float16)
    stages = DistributedDataParallel(network) if place.of > 1 else network
    loss = MapLoss(skeleton, config.loss).to(place.device)
    state = State(network, averaged, optimizer, scaler)
    return Learner(config, place, state, stages, loss, arithmetic)


def _groups(network: LightweightOpenPose, chosen: Training) -> list[dict[str, Any]]:
    """Weights of convolutions, which decay, and all biases and normalisations, which do not; of
    what is published, and of all else.
    """
    known = set(published(network.model)) if isinstance(network.model, YoloX) else set()
    groups: dict[tuple[float, float], list[nn.Parameter]] = defaultdict(list)
    for parameter in filter(lambda one: one.requires_grad, network.parameters()):
        share = chosen.published if parameter in known else 1.0
        groups[share, chosen.weight_decay if parameter.ndim > 1 else 0.0].append(parameter)
    return [
        {"params": parameters, "share": share, "weight_decay": decay}
        for (share, decay), parameters in groups.items()
    ]


def train(
    config: Config,
    kept: Kept,
    folder: Path,
    place: Place,
    told: Told,
    *,
    detector: Path | None = None,
    seconds: float | None = None,
) -> bool:
    """Goes on from `folder`'s checkpoint, or begins, until the last step.

    Args:
        kept: pictures and maps to learn from.
        folder: has `checkpoint.pt`, `log.jsonl` and `losses.svg`, written as the run goes.
        place: of this process.
        told: how far it is.
        detector: as `learner`.
        seconds: after which it stops with a checkpoint, to go on another time.

    Returns:
        Whether the last step is done.
    """
    skeleton, chosen = SKELETONS[config.skeleton], config.training
    made, path, log = (
        learner(config, skeleton, place, detector),
        folder / "checkpoint.pt",
        Log(folder),
    )
    step = resume(path, config, made.state)
    if place.first:
        log.begin(step)
    part = Part(place.rank, place.of)
    batches = Batches(kept, chosen, skeleton, config.seed, part=part, device=place.device)
    began = time.monotonic()
    told(step, chosen.steps)
    made.stages.train()
    frozen = first_frozen(chosen)
    if step > frozen:
        freeze(made.stages)
    for batch in _until(batches, step, chosen.steps):
        if step == frozen:
            made.settle(made.state.network, batches)
            freeze(made.stages)
        losses = made.step(step, batch)
        step += 1
        late = _late(seconds, began, place)
        if place.first:
            _note(log, chosen, step, losses)
            saves = step % chosen.save_every == 0 or late or step == chosen.steps
            validates = step % chosen.validate_every == 0 and len(kept.pictures) > kept.learned
            if (saves or validates) and step <= frozen:
                made.settle(made.state.averaged, batches)
            if validates:
                log.add(step=step, validation=round(made.validation(kept), 5))
            if saves:
                save(path, config, step, made.state)
                log.plot()
        told(step, chosen.steps)
        if late:
            break
    return step == chosen.steps


def _until(batches: Batches, step: int, steps: int) -> Iterator[Batch]:
    if step < steps:
        for _, batch in zip(range(step, steps), batches.since(step), strict=False):
            yield batch


def _note(log: Log, chosen: Training, step: int, losses: Tensor) -> None:
    if step % chosen.log_every == 0:
        heatmaps, fields = (round(value, 5) for value in losses.tolist())
        log.add(
            step=step,
            loss=round(heatmaps + fields, 5),
            heatmaps=heatmaps,
            fields=fields,
            learning_rate=learning_rate(step - 1, chosen),
        )


def _late(seconds: float | None, began: float, place: Place) -> bool:
    """Whether the time is over, as the first of the processes sees it."""
    if seconds is None:
        return False
    late = torch.tensor(time.monotonic() - began >= seconds, device=place.device)
    if place.of > 1:
        torch.distributed.broadcast(late, 0)
    return bool(late)
