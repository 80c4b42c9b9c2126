"""KServe's tensors and bodies, without a service."""

from __future__ import annotations

import json

import pytest

from service.errors import BadParameterError
from service.kserve.tensors import Tensor, check_image, unpack
from service.kserve.wire import read


def test_text_has_its_length_in_front_little_endian() -> None:
    assert Tensor("people", ["{}", "é"]).raw() == b"\2\0\0\0{}\2\0\0\0\xc3\xa9"


def test_packed_pictures_are_unpacked() -> None:
    assert unpack(b"\2\0\0\0ab\0\0\0\0\1\0\0\0c", 3) == [b"ab", b"", b"c"]


@pytest.mark.parametrize(
    ("raw", "images"),
    [
        (b"", 1),
        (b"\2\0\0", 1),
        (b"\2\0\0\0a", 1),
        (b"\2\0\0\0ab", 2),
        (b"\2\0\0\0abc", 1),
        (b"\2\0\0\0ab\0\0\0\0", 1),
        (b"\xff\xff\xff\xffab", 1),
    ],
)
def test_lengths_that_do_not_fit_the_bytes_are_refused(raw: bytes, images: int) -> None:
    with pytest.raises(BadParameterError, match="4 bytes"):
        unpack(raw, images)


@pytest.mark.parametrize("shape", [[], [0], [-1], [5], [1, 1], [2**40]])
def test_the_shape_is_the_number_of_pictures(shape: list[int]) -> None:
    assert check_image("image", "BYTES", [4], 4) == 4
    with pytest.raises(BadParameterError, match="at most 4"):
        check_image("image", "BYTES", shape, 4)


def test_json_of_very_many_values_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(BadParameterError, match="more than 10000 values"):
        read(b"[" + b"0," * 10_001 + b"0]", None, 1)


def test_what_is_wrong_is_told_of_few_places() -> None:
    request = {"inputs": [], "outputs": [0] * 1000}
    with pytest.raises(BadParameterError) as refused:
        read(json.dumps(request).encode(), None, 1)
    assert "inputs" in refused.value.message
    assert len(refused.value.message) < 1000


def test_text_that_is_no_unicode_is_refused() -> None:
    sent = b'{"inputs":[{"name":"image","datatype":"BYTES","shape":[1],"data":["\\ud800"]}]}'
    with pytest.raises(BadParameterError):
        read(sent, None, 1)
