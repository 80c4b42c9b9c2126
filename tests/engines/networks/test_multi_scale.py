"""A network that looks at a picture in several sizes gives the mean, on the picture's cells."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="networks are defined in torch, which is not installed")

import numpy as np
import torch
from torch import Tensor, nn

from engines.catalog import find
from engines.export import export
from engines.networks.lightweight_openpose import LightweightOpenPose, Maps
from engines.networks.multi_scale import MultiScale
from engines.runtime.openvino import OpenVinoEngine
from engines.runtime.torch import TorchEngine

ABOUT = find("lightweight-openpose").networks["network"]


class Sizes(nn.Module):
    """Notes what it is shown; its maps are the width of that, everywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[int, int]] = []

    def forward(self, image: Tensor) -> Maps:
        height, width = image.shape[2:]
        self.seen.append((height, width))
        maps = torch.full((len(image), 1, height // 8, width // 8), float(width))
        return Maps(maps, -maps)


def test_it_looks_at_every_size_and_gives_the_mean() -> None:
    sizes = Sizes()
    maps = MultiScale(sizes, (0.5, 1.25))(torch.zeros(2, 3, 64, 96))

    assert sizes.seen == [(32, 48), (80, 120)]
    assert maps.heatmaps.shape == (2, 1, 8, 12)
    assert torch.equal(maps.heatmaps, torch.full((2, 1, 8, 12), 84.0))
    assert torch.equal(maps.pafs, -maps.heatmaps)


def test_sizes_are_rounded_up_to_whole_cells() -> None:
    sizes = Sizes()
    MultiScale(sizes, (0.5, 1.25))(torch.zeros(1, 3, 8, 344))

    assert sizes.seen == [(8, 176), (16, 432)]


def test_what_is_seen_in_its_own_size_alone_is_as_without() -> None:
    network, image = LightweightOpenPose(width=0.25, blocks=1).eval(), torch.rand(1, 3, 32, 48)

    with torch.inference_mode():
        for made, expected in zip(MultiScale(network, (1.0,))(image), network(image), strict=True):
            torch.testing.assert_close(made, expected)


def test_a_graph_of_it_takes_pictures_of_any_size(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="graphs are written with onnxscript, not installed")
    torch.manual_seed(3)
    network = MultiScale(LightweightOpenPose(width=0.25, blocks=1), (0.5, 1.25)).eval()
    form, outputs = ABOUT.pixels, list(ABOUT.outputs.values())
    assert form is not None
    graph = tmp_path / ABOUT.graph
    export(network, graph, mean=form.mean, scale=form.scale, rgb=form.rgb, outputs=outputs)
    engine, original = OpenVinoEngine(graph, ABOUT), TorchEngine(network, ABOUT)
    for shape in ((2, 64, 64, 3), (1, 72, 104, 3)):
        pictures = np.random.default_rng(5).integers(0, 256, shape, np.uint8)
        made, expected = engine.infer(pictures), original.infer(pictures)
        for name in expected:
            np.testing.assert_allclose(made[name], expected[name], atol=1e-4)
