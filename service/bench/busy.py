"""How busy a GPU is, by its own account."""

from __future__ import annotations

import threading
import time

import pynvml

from service.bench.turns import Spell

_SECONDS, _SETTLED_S, _EVERY_S = 3.0, 1.0, 0.1  # it tells of the last second or less


def busy(spell: Spell, uuid: str) -> float:
    """The share of the time of a load in which at least one kernel runs; copies are none.

    Args:
        spell: the load.
        uuid: of the GPU.
    """
    pynvml.nvmlInit()
    handle = pynvml.nvmlDeviceGetHandleByUUID(uuid)
    load = threading.Thread(target=spell, args=(_SETTLED_S + _SECONDS,))
    load.start()
    time.sleep(_SETTLED_S)
    ends = time.monotonic() + _SECONDS
    shares: list[float] = []
    while time.monotonic() < ends:
        time.sleep(_EVERY_S)
        shares.append(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100)
    load.join()
    pynvml.nvmlShutdown()
    return sum(shares) / len(shares)
