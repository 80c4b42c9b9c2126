from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="networks are exported from torch, which is not installed")
pytest.importorskip("onnxscript", reason="torch exports with onnxscript, which is not installed")

import onnx
import openvino
import torch
from torch import nn

from engines.export import export
from engines.networks.lightweight_openpose import LightweightOpenPose

Run = Callable[[np.ndarray], dict[str, np.ndarray]]


def random_network() -> LightweightOpenPose:
    torch.manual_seed(0)
    network = LightweightOpenPose(1)
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

    ours = on_openvino(graph)(image)

    normalised = (torch.from_numpy(image).permute(0, 3, 1, 2).float() - 128) / 256
    with torch.inference_mode():
        expected = random_network()(normalised)._asdict()
    assert ours.keys() == {"heatmaps", "pafs"}
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
