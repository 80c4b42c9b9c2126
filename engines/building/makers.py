"""The makers of a choice."""

from __future__ import annotations

from engines.building.maker import Maker, Order
from engines.building.openvino import OpenVinoMaker
from engines.runtime.auto import Choice


def makers(order: Order, choice: Choice) -> list[Maker]:
    """What builds and opens the engines of an order: one for each GPU, or for the processor.

    Raises:
        ModuleNotFoundError: a library that building needs is not installed.
    """
    if choice.backend == "openvino":
        return [OpenVinoMaker(order)]
    if choice.backend == "torch":
        from engines.building.torch import TorchMaker  # noqa: PLC0415 - an extra

        return [TorchMaker(order, gpu) for gpu in choice.gpus]
    from engines.building.tensorrt import TensorRtMaker  # noqa: PLC0415 - an extra
    from engines.trt import find_tensorrt  # noqa: PLC0415

    found = find_tensorrt([gpu.machine.capability for gpu in choice.gpus])
    return [TensorRtMaker(order, gpu, found) for gpu in choice.gpus or (None,)]
