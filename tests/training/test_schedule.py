"""What changes from step to step."""

from __future__ import annotations

import pytest

from training.config import Training
from training.schedule import first_of_last, learning_rate


def test_the_learning_rate_rises_and_falls_to_nothing() -> None:
    chosen = Training(steps=100, warm_up=10, learning_rate=1.0)
    rates = [learning_rate(step, chosen) for step in range(101)]

    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == 1.0
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[55] == pytest.approx(0.5)
    assert rates[100] == pytest.approx(0.0)


@pytest.mark.parametrize(("share", "step"), [(0.0, 50), (0.6, 20), (1.0, 0)])
def test_the_last_share_of_the_steps_begins_with_a_step(share: float, step: int) -> None:
    assert first_of_last(share, Training(steps=50)) == step
