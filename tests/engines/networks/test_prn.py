"""The Pose Residual Network."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="networks are defined in torch, which is not installed")

import torch

from engines.networks.prn import GRID, PoseResidualNetwork, hidden_layers


def keys(layers: int) -> list[str]:
    with torch.device("meta"):
        return list(PoseResidualNetwork(layers).state_dict())


@pytest.fixture(scope="module")
def network() -> PoseResidualNetwork:
    torch.manual_seed(0)
    return PoseResidualNetwork(1).eval()


def test_the_authors_own_lacks_the_second_hidden_layer() -> None:
    assert keys(1) == [key for key in keys(2) if not key.startswith("bneck.")]


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("prefix", ["", "module.", "module.prn."])
def test_a_checkpoint_tells_its_hidden_layers(layers: int, prefix: str) -> None:
    assert hidden_layers(prefix + key for key in keys(layers)) == layers


@pytest.mark.parametrize("layers", [0, 3])
def test_it_is_not_built_with_other_than_one_or_two_hidden_layers(layers: int) -> None:
    with pytest.raises(ValueError, match="choose 1 or 2"):
        PoseResidualNetwork(layers)


def test_the_values_of_each_box_sum_to_one(network: PoseResidualNetwork) -> None:
    with torch.inference_mode():
        told = network(torch.rand(3, *GRID))

    assert told.shape == (3, *GRID)
    torch.testing.assert_close(told.sum(dim=(1, 2, 3)), torch.ones(3))


def test_what_a_box_holds_is_carried_past_the_hidden_layers(network: PoseResidualNetwork) -> None:
    grid = torch.zeros(1, *GRID)
    grid[0, 40, 20, 5] = 20

    with torch.inference_mode():
        told = network(grid)

    assert told[0, 40, 20, 5] == told.max() > 0.9


def test_a_box_does_not_depend_on_the_others_of_its_batch(network: PoseResidualNetwork) -> None:
    grids = torch.rand(3, *GRID)

    with torch.inference_mode():
        torch.testing.assert_close(network(grids)[1:2], network(grids[1:2]))


def test_at_half_precision_its_values_are_float32() -> None:
    torch.manual_seed(0)
    network = PoseResidualNetwork(1).to(torch.bfloat16).eval()

    with torch.inference_mode():
        told = network(torch.zeros(1, *GRID, dtype=torch.bfloat16))

    assert told.dtype == torch.float32
    torch.testing.assert_close(told.sum(), torch.tensor(1.0))  # 34272 values of 3e-5
