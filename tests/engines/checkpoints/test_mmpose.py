"""MMPose's layouts, made here of the authors' parameters by the rules of its source."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="checkpoints are torch's, which is not installed")

import torch
from torch import Tensor, nn
from torch.nn import functional

from engines import checkpoints
from engines.checkpoints import CheckpointError
from tests.engines.checkpoints import originals
from tests.engines.checkpoints.originals import GRID

Parameters = dict[str, Tensor]
DEKR = "dekr-w32-crowdpose"
HEADS = ["keypoint_head", "head"]  # of MMPose 0.x and 1.x


def saved(parameters: Parameters, folder: Path) -> Path:
    """As MMPose publishes them, with what it knows of the data."""
    meta = {"dataset_meta": {"sigmas": np.full(17, 0.05)}, "mmengine_version": "0.10.4"}
    path = folder / "hrnet_w32-5a4a2c2f_20221228.pth"
    torch.save({"meta": meta, "state_dict": parameters}, path)
    return path


def part(parameters: Parameters, prefix: str) -> Parameters:
    """The parameters below a prefix, without it."""
    return {k.removeprefix(prefix): v for k, v in parameters.items() if k.startswith(prefix)}


def below(prefix: str, parameters: Parameters) -> Parameters:
    return {prefix + key: value for key, value in parameters.items()}


def adaptive(blocks: list[Parameters]) -> Parameters:
    """AdaptiveActivationBlock of the authors' AdaptBlocks, one a keypoint."""
    grouped = {
        key.replace("bn.", "norm."): torch.cat([block[key] for block in blocks])
        for key in blocks[0]
        if key.startswith(("adapt_conv", "bn.")) and not key.endswith("num_batches_tracked")
    }
    for name in ("weight", "bias"):  # a keypoint's rows: a00 - 1, a01, t0, a10, a11 - 1, t1
        rows = []
        for block in blocks:
            a = block[f"transform_matrix_conv.{name}"].clone()
            t = block[f"translation_conv.{name}"]
            if name == "bias":
                a -= torch.tensor([1.0, 0, 0, 1])
            rows += [a[0], a[1], t[0], a[2], a[3], t[1]]
        grouped[f"transform_matrix_conv.{name}"] = torch.stack(rows)
    return grouped | {
        "norm.num_batches_tracked": torch.tensor(7),
        "regular_matrix": torch.cat([GRID, torch.ones(1, 9)]),
    }


def dekr(authors: Parameters, head: str, keypoints: int) -> Parameters:
    """A checkpoint of MMPose's DEKR."""
    is_old = head == "keypoint_head"
    branch = f"{head}.offset_conv_layers" if is_old else f"{head}.displacement_conv_layers"
    trunk = ("conv", "bn", "layer1.", "transition1.", "transition2.", "transition3.", "stage")
    ours = {f"backbone.{k}": v for k, v in authors.items() if k.startswith(trunk)}
    for transition, place in (
        ("transition_heatmap", f"{head}.heatmap_conv_layers"),
        ("transition_offset", branch),
    ):
        ours |= below(f"{place}.0.conv.", part(authors, f"{transition}.0."))
        ours |= below(f"{place}.0.bn.", part(authors, f"{transition}.1."))
    ours |= below(f"{head}.heatmap_conv_layers.1.", part(authors, "head_heatmap.0.0."))
    for name, value in part(authors, "head_heatmap.1.").items():
        centre_first = torch.cat([value[-1:], value[:-1]])
        ours[f"{head}.heatmap_conv_layers.2.{name}"] = centre_first if is_old else value
    for block in (0, 1):
        blocks = [part(authors, f"offset_feature_layers.{j}.{block}.") for j in range(keypoints)]
        ours |= below(f"{branch}.{block + 1}.", adaptive(blocks))
    for name in ("weight", "bias"):
        final = torch.cat([authors[f"offset_final_layer.{j}.{name}"] for j in range(keypoints)])
        ours[f"{branch}.3.{name}"] = final if is_old else -final
    return ours


def hrnet(authors: Parameters, head: str) -> Parameters:
    """A checkpoint of MMPose's HRNet."""
    return {
        (f"{head}." if key.startswith("final_layer.") else "backbone.") + key: value
        for key, value in authors.items()
    }


@pytest.mark.parametrize("head", HEADS)
def test_the_parts_of_hrnet_are_put_together(head: str, folder: Path) -> None:
    def small() -> nn.Module:
        network = nn.Module()
        network.add_module("conv1", nn.Conv2d(3, 4, 3))
        network.add_module("final_layer", nn.Conv2d(4, 2, 1))
        return network

    trained, network = small().state_dict(), small()

    checkpoints.load(network, saved(hrnet(trained, head), folder))

    assert all(value.equal(trained[key]) for key, value in network.state_dict().items())


def test_hrnet_gives_the_original_outputs(folder: Path) -> None:
    parameters = hrnet(originals.parameters("hrnet-w32"), "head")
    network = originals.network("hrnet-w32")

    checkpoints.load(network, saved(parameters, folder))

    originals.assert_its_outputs_are_stored(network, "hrnet-w32")


@pytest.mark.parametrize(("head", "rescoring"), [("keypoint_head", ""), ("head", "head.")])
def test_dekr_gives_the_original_outputs(head: str, rescoring: str, folder: Path) -> None:
    parameters = dekr(originals.parameters(DEKR), head, keypoints=14)
    beside = {
        f"{rescoring}rescore_net.l1.weight": torch.ones(256, 59),
        "data_preprocessor.mean": torch.ones(3, 1, 1),
    }
    network = originals.network(DEKR)

    checkpoints.load(network, saved(parameters | beside, folder))

    originals.assert_its_outputs_are_stored(network, DEKR)


def test_the_taps_of_its_adaptive_convolutions_lie_where_mmpose_has_them(folder: Path) -> None:
    mmpose = dekr(originals.parameters(DEKR), "head", keypoints=14)
    network = originals.network(DEKR)
    checkpoints.load(network, saved(mmpose, folder))
    features = torch.randn(1, 14 * 15, 5, 4)

    theirs = part(mmpose, "head.displacement_conv_layers.2.")
    affine = functional.conv2d(
        features,
        theirs["transform_matrix_conv.weight"],
        theirs["transform_matrix_conv.bias"],
        padding=1,
        groups=14,
    )
    affine = affine.permute(0, 2, 3, 1).view(5, 4, 14, 2, 3)
    moved = affine @ theirs["regular_matrix"]  # (5, 4, 14, 2, 9)

    for keypoint in (0, 13):
        ours = part(network.state_dict(), f"offset_feature_layers.{keypoint}.1.")
        share = features[:, 15 * keypoint :][:, :15]
        matrix, translation = (
            functional.conv2d(share, ours[f"{name}.weight"], ours[f"{name}.bias"], padding=1)
            for name in ("transform_matrix_conv", "translation_conv")
        )
        matrix = matrix.permute(0, 2, 3, 1).view(5, 4, 2, 2)
        taps = matrix @ GRID - GRID + translation.permute(0, 2, 3, 1).view(5, 4, 2, 1)
        torch.testing.assert_close(taps, moved[:, :, keypoint], atol=1e-5, rtol=0)


@pytest.fixture(scope="module")
def untrained() -> nn.Module:
    return originals.network(DEKR)


def head_of_dekr() -> Parameters:
    """Of a checkpoint of MMPose's DEKR what is quick to save."""
    parameters = dekr(originals.parameters(DEKR), "head", keypoints=14)
    return {k: v for k, v in parameters.items() if not k.startswith("backbone.stage")}


def test_one_of_another_network_is_refused_by_its_misfits(folder: Path) -> None:
    with pytest.raises(CheckpointError, match=r"2 missing: 0\.weight.*unexpected: backbone\.conv1"):
        checkpoints.load(nn.Sequential(nn.Conv2d(3, 4, 3)), saved(head_of_dekr(), folder))


def test_one_that_is_not_whole_is_refused_by_the_keys_of_the_authors(
    untrained: nn.Module, folder: Path
) -> None:
    parameters = head_of_dekr()
    del parameters["head.displacement_conv_layers.2.adapt_conv.weight"]

    with pytest.raises(CheckpointError, match=r"missing: stage2\.") as refusal:
        checkpoints.load(untrained, saved(parameters, folder))

    assert "unexpected" not in str(refusal.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("displacement_conv_layers.3.bias", torch.tensor(1.0)),
        ("displacement_conv_layers.3.bias", torch.ones(0)),
        ("displacement_conv_layers.1.transform_matrix_conv.weight", torch.ones(3)),
        ("displacement_conv_layers.1.adapt_conv.weight", torch.ones(2, 2)),
        ("heatmap_conv_layers.2.weight", torch.tensor(1.0)),
    ],
)
def test_shapes_that_are_no_dekrs_are_refused(
    key: str, value: Tensor, untrained: nn.Module, folder: Path
) -> None:
    parameters = head_of_dekr() | {f"head.{key}": value}

    with pytest.raises(CheckpointError, match="does not fit Dekr"):
        checkpoints.load(untrained, saved(parameters, folder))
