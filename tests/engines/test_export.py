from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

pytest.importorskip("torch", reason="networks are exported from torch, which is not installed")
pytest.importorskip("onnxscript", reason="torch exports with onnxscript, which is not installed")

import onnx
import openvino
import torch
from onnx.reference import ReferenceEvaluator
from torch import Tensor, nn

from engines.export import export, export_arrays
from engines.networks import hrnet_trunk
from engines.networks.deform_conv import deform_conv2d
from engines.networks.dekr import Dekr
from engines.networks.dekr_fused import FusedDekr, fuse
from engines.networks.lightweight_openpose import LightweightOpenPose

Run = Callable[[np.ndarray], dict[str, np.ndarray]]
AnyNetwork = TypeVar("AnyNetwork", bound=nn.Module)


def random_network() -> LightweightOpenPose:
    torch.manual_seed(0)
    return random_norms(LightweightOpenPose(1))


def random_norms(network: AnyNetwork) -> AnyNetwork:
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.get_buffer("running_mean").uniform_(-0.1, 0.1)
            module.get_buffer("running_var").uniform_(0.05, 0.2)
    return network.eval()


def on_openvino(path: Path) -> Run:
    core = openvino.Core()
    exact = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 2}
    compiled = core.compile_model(core.read_model(path), "CPU", exact)
    names = [output.any_name for output in compiled.outputs]

    def run(image: np.ndarray) -> dict[str, np.ndarray]:
        return dict(zip(names, compiled([image]).values(), strict=True))

    return run


def pixels(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("graphs") / "lightweight-openpose.onnx"
    export(random_network(), path, mean=(128, 128, 128), scale=(256, 256, 256))
    return path


def test_the_graph_takes_named_uint8_pixels_of_any_batch_height_and_width(graph: Path) -> None:
    (image,) = openvino.Core().read_model(graph).inputs

    assert image.any_name == "image"
    assert image.element_type == openvino.Type.u8
    assert [side.is_dynamic for side in image.partial_shape] == [True, True, True, False]
    assert image.partial_shape[3].get_length() == 3


@pytest.mark.parametrize("shape", [(1, 64, 64), (3, 104, 72), (2, 8, 200)])
def test_the_graph_agrees_with_torch_whatever_the_shape(
    shape: tuple[int, int, int], graph: Path
) -> None:
    image = pixels(*shape, 3)

    assert_agree(on_openvino(graph)(image), random_network(), (image - 128.0) / 256)


def assert_agree(ours: dict[str, np.ndarray], network: nn.Module, normalised: np.ndarray) -> None:
    """Outputs of a graph and of the torch network that takes (N, H, W, 3) like this."""
    given = torch.from_numpy(normalised.astype(np.float32)).permute(0, 3, 1, 2)
    with torch.inference_mode():
        expected = network(given)._asdict()
    assert ours.keys() == expected.keys()
    for name, theirs in expected.items():
        error = np.abs(ours[name] - theirs.numpy()).max()
        assert error <= 1e-3 * np.abs(theirs.numpy()).max()


def test_the_graph_is_one_valid_file_of_opset_18_that_tells_nothing_of_the_machine(
    graph: Path,
) -> None:
    model = onnx.load(graph)

    onnx.checker.check_model(model, full_check=True)
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 18)]
    kinds = [node.op_type for node in model.graph.node]
    assert kinds.index("Cast") < kinds.index("Transpose")  # TensorRT transposes no uint8
    assert str(Path(__file__).parents[2]).encode() not in graph.read_bytes()
    assert [path.name for path in graph.parent.iterdir()] == [graph.name]


class Passing(nn.Module):
    """Gives its input back, so that a test sees what networks are given."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image + 0


def test_colours_are_turned_and_each_normalised_by_its_own(tmp_path: Path) -> None:
    path = tmp_path / "made" / "passing.onnx"
    mean, scale = (123.0, 116.0, 103.0), (58.0, 57.0, 56.0)
    export(Passing(), path, mean=mean, scale=scale, rgb=True, outputs=["seen"], multiple=32)
    image = pixels(1, 32, 64, 3)

    seen = on_openvino(path)(image)["seen"]

    expected = (image[..., ::-1].astype(np.float32) - mean) / scale
    np.testing.assert_allclose(seen, expected.transpose(0, 3, 1, 2), rtol=1e-5, atol=1e-6)


def test_a_network_in_training_is_exported_for_inference_and_stays_in_training(
    tmp_path: Path,
) -> None:
    network = nn.Sequential(nn.Dropout(0.9), nn.BatchNorm2d(3)).half()
    path = tmp_path / "training.onnx"

    export(network, path, mean=(0, 0, 0), scale=(255, 255, 255), outputs=["seen"])

    assert network.training
    assert network[1].weight.dtype == torch.float16
    image = pixels(1, 8, 8, 3)
    seen = on_openvino(path)(image)["seen"]
    np.testing.assert_allclose(seen, image.transpose(0, 3, 1, 2) / 255, atol=1e-4)


def test_a_refused_export_leaves_the_earlier_graph(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(b"earlier")

    with pytest.raises(ValueError, match="1 outputs, but 2 are named"):
        export(Passing(), path, mean=(0, 0, 0), scale=(1, 1, 1))
    with pytest.raises(ValueError, match="three values each"):
        export(Passing(), path, mean=(0,), scale=(1,), outputs=["seen"])

    assert path.read_bytes() == b"earlier"
    assert list(tmp_path.iterdir()) == [path]


def test_an_export_is_silent(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    export(
        Passing(), tmp_path / "a.onnx", mean=(0, 0, 0), scale=(1, 1, 1), outputs=["seen"]
    )  # and a warning would fail this test, as it would any

    assert capfd.readouterr() == ("", "")


@pytest.fixture(scope="module")
def dekr() -> FusedDekr:
    """A small one, for the time an export takes."""
    torch.manual_seed(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hrnet_trunk, "_MODULES", (1, 1, 1))
        patch.setattr(hrnet_trunk, "_BLOCKS", 1)
        return fuse(random_norms(Dekr(8, 3)))


def export_dekr(network: FusedDekr, path: Path, deform_conv: bool) -> onnx.ModelProto:
    export(
        network,
        path,
        mean=[128] * 3,
        scale=[64] * 3,
        outputs=["heatmaps", "offsets"],
        multiple=64,
        deform_conv=deform_conv,
    )
    graph = onnx.load(path)
    onnx.checker.check_model(graph, full_check=True)
    return graph


def test_deformable_convolutions_are_made_of_grid_samples_of_opset_18(
    dekr: FusedDekr, tmp_path: Path
) -> None:
    path = tmp_path / "dekr.onnx"

    graph = export_dekr(dekr, path, deform_conv=False)

    kinds = [node.op_type for node in graph.graph.node]
    assert graph.opset_import[0].version == 18
    assert kinds.count("GridSample") == 2
    assert "DeformConv" not in kinds
    run = on_openvino(path)
    for shape in [(1, 64, 64), (3, 128, 64), (2, 64, 192)]:
        image = pixels(*shape, 3)
        assert_agree(run(image), dekr, (image - 128.0) / 64)


def test_deformable_convolutions_are_one_operator_each_where_asked_for(
    dekr: FusedDekr, tmp_path: Path
) -> None:
    graph = export_dekr(dekr, tmp_path / "dekr.onnx", deform_conv=True)

    kinds = [node.op_type for node in graph.graph.node]
    assert graph.opset_import[0].version == 19
    assert kinds.count("DeformConv") == 2
    assert "GridSample" not in kinds


class Adapting(nn.Module):
    """A deformable convolution of two groups, whose offsets are uneven and reach over borders."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.features = nn.Conv2d(3, 2, 1)
        self.offsets = nn.Conv2d(3, 36, 1)
        self.weight = nn.Parameter(torch.randn(2, 1, 3, 3))
        self.bias = nn.Parameter(torch.randn(2))

    def forward(self, x: Tensor) -> Tensor:
        return deform_conv2d(self.features(x), self.offsets(x), self.weight, self.bias, groups=2)


def test_the_operator_says_what_torch_does(tmp_path: Path) -> None:
    network, path, image = Adapting(), tmp_path / "adapting.onnx", pixels(1, 4, 5, 3)
    export(network, path, mean=[128] * 3, scale=[32] * 3, outputs=["made"], deform_conv=True)

    (made,) = ReferenceEvaluator(str(path)).run(None, {"image": image})

    with torch.inference_mode():
        expected = network((torch.from_numpy(image).permute(0, 3, 1, 2).float() - 128) / 32)
    np.testing.assert_allclose(made, expected.numpy(), rtol=1e-4, atol=1e-4)


class Sums(nn.Module):
    """Takes arrays of its own shape and gives two."""

    def forward(self, grid: Tensor) -> tuple[Tensor, Tensor]:
        return grid.softmax(dim=2), grid.flatten(1).sum(dim=1)


@pytest.mark.parametrize("batch", [1, 3])
def test_a_network_that_takes_no_picture_is_given_its_arrays(batch: int, tmp_path: Path) -> None:
    path = tmp_path / "made" / "sums.onnx"
    export_arrays(Sums(), path, shape=(5, 3, 2), outputs=["softmax", "sum"])
    arrays = np.random.default_rng(0).standard_normal((batch, 5, 3, 2), dtype=np.float32)

    made = on_openvino(path)(arrays)

    (given,) = openvino.Core().read_model(path).inputs
    assert given.any_name == "input"
    assert given.element_type == openvino.Type.f32
    assert str(given.partial_shape) == "[?,5,3,2]"
    softmax, total = Sums()(torch.from_numpy(arrays))
    np.testing.assert_allclose(made["softmax"], softmax, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(made["sum"], total, rtol=1e-4, atol=1e-4)


class OfOneBatch(nn.Module):
    """Makes a number of its batch, as a careless forward does."""

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(len(x) * 3)


def test_a_network_that_would_take_one_batch_size_only_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"one size only in dimensions \[0\]"):
        export_arrays(OfOneBatch(), tmp_path / "a.onnx", shape=(3,), outputs=["made"])
    assert list(tmp_path.iterdir()) == []
