"""The learning rate of each step."""

from __future__ import annotations

import math

from training.config import Training


def learning_rate(step: int, chosen: Training) -> float:
    """Rises in a straight line over the warm-up, then falls along half a cosine to 0.

    I. Loshchilov and F. Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017,
    without restarts.
    """
    if step < chosen.warm_up:
        return chosen.learning_rate * (step + 1) / chosen.warm_up
    done = (step - chosen.warm_up) / max(1, chosen.steps - chosen.warm_up)
    return chosen.learning_rate * (1 + math.cos(math.pi * min(1.0, done))) / 2
