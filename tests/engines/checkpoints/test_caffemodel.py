from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="checkpoints become torch's, which is not installed")

from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from engines import checkpoints
from engines.checkpoints import CheckpointError
from tests.engines.checkpoints import originals
from tests.engines.checkpoints.messages import (
    Blob,
    caffemodel,
    layer,
    message,
    number,
    varint,
)

WEIGHT: Blob = np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2)
BIAS: Blob = np.array([0.5, -1], np.float32)
SIZES = ("num", "channels", "height", "width")


def saved(content: bytes, folder: Path) -> Path:
    path = folder / "pose_iter.caffemodel"
    path.write_bytes(content)
    return path


def small() -> nn.Module:
    network = nn.Module()
    network.add_module("conv1_1", nn.Conv2d(3, 2, 2))
    network.add_module("prelu4_2", nn.PReLU(2))
    return network


def test_openpose_gives_the_original_outputs(folder: Path) -> None:
    layers: dict[str, list[Blob]] = {}
    for key, value in originals.parameters("openpose-body25").items():  # weight before bias
        layers.setdefault(key.rpartition(".")[0], []).append(value.numpy())
    network = originals.network("openpose-body25")

    checkpoints.load(network, saved(caffemodel(layers), folder))

    originals.assert_its_outputs_are_stored(network, "openpose-body25")


def test_layers_give_a_weight_and_a_bias_and_others_are_passed_over(folder: Path) -> None:
    slopes: Blob = np.array([0.1, 0.2], np.float32)
    content = caffemodel({"conv1_1": [WEIGHT, BIAS], "prelu4_2": [slopes]})

    read = checkpoints.read(saved(content, folder))

    assert list(read) == ["conv1_1.weight", "conv1_1.bias", "prelu4_2.weight"]
    np.testing.assert_array_equal(read["conv1_1.weight"], WEIGHT)
    np.testing.assert_array_equal(read["conv1_1.bias"], BIAS)
    np.testing.assert_array_equal(read["prelu4_2.weight"], slopes)


def test_layers_of_the_older_format_have_their_sizes_apart(folder: Path) -> None:
    def old(values: Blob, sizes: tuple[int, ...]) -> bytes:
        apart = [number(field, size) for field, size in enumerate(sizes, start=1)]
        return message(6, *apart, message(5, values.tobytes()))

    blobs = old(WEIGHT, (2, 3, 2, 2)) + old(BIAS, (1, 1, 1, 2))
    content = message(2, message(2, b"data"), message(4, b"conv1_1"), number(5, 4), blobs)

    read = checkpoints.read(saved(content, folder))

    np.testing.assert_array_equal(read["conv1_1.weight"], WEIGHT)
    np.testing.assert_array_equal(read["conv1_1.bias"], BIAS)


@pytest.mark.parametrize(
    "data",
    [
        b"".join(varint(5 << 3 | 5) + struct.pack("<f", value) for value in BIAS),
        message(5, BIAS[:1].tobytes()) + message(5, BIAS[1:].tobytes()),
        message(8, BIAS.astype("<f8").tobytes()),
        b"".join(varint(8 << 3 | 1) + struct.pack("<d", value) for value in BIAS),
    ],
    ids=["unpacked", "in two parts", "double", "unpacked double"],
)
@pytest.mark.parametrize("dim", [number(1, 2), message(1, varint(2))], ids=["a dim", "packed"])
def test_numbers_are_read_in_every_form_protobuf_allows(
    data: bytes, dim: bytes, folder: Path
) -> None:
    content = message(100, message(1, b"prelu4_2"), message(7, message(7, dim), data))

    read = checkpoints.read(saved(content, folder))

    np.testing.assert_array_equal(read["prelu4_2.weight"], BIAS)
    assert read["prelu4_2.weight"].numpy().dtype == np.float32


def test_its_first_bytes_tell_it_where_its_name_does_not(folder: Path) -> None:
    path = folder / "download"
    path.write_bytes(caffemodel({"conv1_1": [WEIGHT, BIAS]}))

    assert list(checkpoints.read(path)) == ["conv1_1.weight", "conv1_1.bias"]


def test_however_much_is_missing_at_its_end_it_is_refused(folder: Path) -> None:
    whole = caffemodel({"conv1_1": [WEIGHT, BIAS], "prelu4_2": [BIAS]})
    checkpoints.load(small(), saved(whole, folder))

    for kept in range(len(whole)):
        with pytest.raises(CheckpointError, match=r"download or copy|missing|no parameters"):
            checkpoints.load(small(), saved(whole[:kept], folder))


def test_one_cut_between_two_layers_names_what_is_missing(folder: Path) -> None:
    with pytest.raises(CheckpointError, match=r"1 missing: prelu4_2\.weight"):
        checkpoints.load(small(), saved(caffemodel({"conv1_1": [WEIGHT, BIAS]}), folder))


def shaped(*sizes: int, data: bytes = BIAS.tobytes()) -> bytes:
    """A layer that says its numbers are of this shape."""
    shape = message(7, message(1, *(varint(size) for size in sizes)))
    return message(100, message(1, b"conv1_1"), message(7, shape, message(5, data)))


NAMED = message(1, b"net")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><title>Sign in</title>", "truncated or not a Caffe model"),
        (NAMED + varint(100 << 3 | 2) + varint(1 << 40), "bytes after its message"),
        (NAMED + varint(100 << 3 | 2) + varint(1 << 63), "bytes after its message"),
        (NAMED + varint(100 << 3 | 2) + b"\xff" * 11, "a number has no end"),
        (NAMED + varint(100 << 3 | 3) + varint(100 << 3 | 4), "wire type 3"),
        (NAMED + varint(9 << 3 | 7), "wire type 7"),
        (NAMED + b"\x00\x00", "a field is numbered 0"),
        (NAMED + number(100, 1), "a number is in the place of a message"),
        (NAMED + number(3, 1) * 1_000_001, "too many fields"),
        (message(100, message(1, b"conv\xff")), "utf-8"),
        (shaped(3), r"2 numbers are said to be of shape \(3,\)"),
        (shaped(1 << 40, 1 << 40), "2 numbers are said to be of shape"),
        (shaped((1 << 64) - 2), "2 numbers are said to be of shape"),
        (shaped(2, *[1] * 32), "more than 32 axes"),
        (shaped(*[1] * 100_000), "more than 32 axes"),
        (shaped(2, data=BIAS.tobytes()[:-1]), "truncated or not a Caffe model"),
        (message(100, message(7, message(5, BIAS.tobytes()))), "said to be of shape"),
        (layer("conv1_1", "Convolution", [BIAS]) * 2, "two layers are named conv1_1"),
        (layer("bn", "BatchNorm", [BIAS, BIAS, BIAS]), "more parameters than weight and bias"),
        (layer("relu", "ReLU"), "holds no parameters"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_reason(
    content: bytes, reason: str, folder: Path
) -> None:
    with pytest.raises(CheckpointError, match=reason) as refusal:
        checkpoints.read(saved(content, folder))

    assert len(str(refusal.value).splitlines()) == 1


@settings(deadline=None)
@given(st.binary(max_size=60), st.integers(0, 200))
def test_no_bytes_do_other_than_give_parameters_or_be_refused(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, at: int
) -> None:
    content = caffemodel({"conv1_1": [WEIGHT, BIAS]})
    altered = content[:at] + noise + content[at + len(noise) :]
    path = tmp_path_factory.getbasetemp() / "noise.caffemodel"
    path.write_bytes(altered)

    try:
        read = checkpoints.read(path)
    except CheckpointError:
        return

    assert sum(value.numel() for value in read.values()) * 4 <= len(altered)


def test_a_model_that_protobuf_itself_wrote_is_read(folder: Path) -> None:
    net = caffe_message("NetParameter")
    net.name = "net"
    convolution = net.layer.add(name="conv1_1", type="Convolution")
    for values in (WEIGHT, BIAS):
        written = convolution.blobs.add(data=values.ravel().tolist())
        written.shape.dim.extend(values.shape)
    older = net.layers.add(name="conv1_2")
    older.blobs.add(num=1, channels=1, height=1, width=2, double_data=BIAS.tolist())

    read = checkpoints.read(saved(net.SerializeToString(), folder))

    assert list(read) == ["conv1_2.weight", "conv1_1.weight", "conv1_1.bias"]
    np.testing.assert_array_equal(read["conv1_1.weight"], WEIGHT)
    np.testing.assert_array_equal(read["conv1_1.bias"], BIAS)
    np.testing.assert_array_equal(read["conv1_2.weight"], BIAS.reshape(1, 1, 1, 2))


def caffe_message(name: str) -> Any:
    """An empty message of BVLC/caffe's caffe.proto, of which these are the fields needed here."""
    file = FileDescriptorProto(name="caffe.proto", package="caffe", syntax="proto2")
    for kind, fields in {
        "BlobShape": [("dim", 1, "INT64", "*")],
        "BlobProto": [
            *((size, at, "INT64", "") for at, size in enumerate(SIZES, start=1)),
            ("data", 5, "FLOAT", "*"),
            ("shape", 7, "BlobShape", ""),
            ("double_data", 8, "DOUBLE", "*"),
        ],
        "LayerParameter": [
            ("name", 1, "STRING", ""),
            ("type", 2, "STRING", ""),
            ("blobs", 7, "BlobProto", "*"),
        ],
        "V1LayerParameter": [("name", 4, "STRING", ""), ("blobs", 6, "BlobProto", "*")],
        "NetParameter": [
            ("name", 1, "STRING", ""),
            ("layers", 2, "V1LayerParameter", "*"),
            ("layer", 100, "LayerParameter", "*"),
        ],
    }.items():
        described = file.message_type.add(name=kind)
        for field, at, of, many in fields:
            added = described.field.add(name=field, number=at)
            added.label = added.LABEL_REPEATED if many else added.LABEL_OPTIONAL
            if of.isupper():
                added.type = added.Type.Value(f"TYPE_{of}")
                added.options.packed = bool(many)
            else:
                added.type, added.type_name = added.TYPE_MESSAGE, f".caffe.{of}"
    pool = DescriptorPool()
    pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName(f"caffe.{name}"))()
