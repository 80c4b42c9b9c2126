"""What int8 is fitted to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engines.building.maker import Order
from engines.runtime.engine import Batch
from engines.runtime.openvino import OpenVinoEngine


def calibration(order: Order) -> Mapping[str, Sequence[Batch]]:
    """What the model asks each network for, on the pictures of an order."""
    from engines.pictures import inputs_of, pictures, views
    engines = {
        network.name: OpenVinoEngine(order.store.graph(order.entry, network), network)
        for network in order.entry.networks.values()
    }
    model = order.model(engines)
    inputs = inputs_of(model, views(pictures(order.wanted.pictures)))
    model.close()
    return inputs
