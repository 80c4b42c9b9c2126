"""The estimator spares what nobody can use any more."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

import pytest

from engines.geometry import Pixels
from engines.steps import Steps
from service.admission import State
from service.core import Core
from service.errors import DeadlineError
from service.estimate import Query
from service.settings import Settings
from tests.service.serving import BLANK, Gate, model_of, nobody


class Busy(Executor):
    """A pool that comes to its work late, and while the loop sees nothing."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        time.sleep(0.03)
        done: Future[Any] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except BaseException as error:
            done.set_exception(error)
        return done


async def test_an_image_whose_deadline_has_passed_is_not_decoded() -> None:
    opened = 0

    def steps(image: Pixels) -> Steps:
        nonlocal opened
        opened += 1
        return (yield from nobody(image))

    core, gate = Core.of(Settings(), Busy()), Gate()
    gate.opened.set()
    core.registry.add(model_of(gate, steps))
    core.admission.state = State.SERVING
    try:
        with pytest.raises(DeadlineError):
            await core.estimator.estimate(BLANK, Query("", time.monotonic() + 0.02))
        assert (opened, gate.calls, core.admission.inside) == (0, 0, 0)
        await core.estimator.estimate(BLANK, Query("", time.monotonic() + 5))
        assert (opened, gate.calls) == (1, 1)
    finally:
        core.registry.close()
