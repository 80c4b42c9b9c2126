"""What int8 is fitted to."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from engines.building.maker import Order
from engines.pictures import pictures, views
from engines.pictures.inputs import inputs_of
from engines.runtime.engine import Batch
from engines.runtime.openvino import OpenVinoEngine


def calibration(order: Order) -> Mapping[str, Sequence[Batch]]:
    """What the model asks each network on the pictures of an order, and on views of them."""
    engines = {
        network.name: OpenVinoEngine(order.store.graph(order.entry, network), network)
        for network in order.entry.networks.values()
    }
    model, given = order.model(engines), pictures(order.wanted.pictures)
    inputs = inputs_of(model, [*given, *views(given)])
    model.close()
    return inputs


def digest(order: Order) -> str:
    """Of those pictures."""
    summed = hashlib.sha256()
    for picture in pictures(order.wanted.pictures):
        summed.update(repr(picture.shape).encode())
        summed.update(picture.tobytes())
    return summed.hexdigest()
