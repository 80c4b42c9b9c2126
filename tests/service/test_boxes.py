"""The boxes of a request are read as written, or refused with the way to write them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.boxes import check_boxes, parse_boxes
from service.errors import BadParameterError
from tests.service.serving import assert_sentence

INF, NAN = float("inf"), float("nan")
places = st.floats(-1e5, 1e5, width=32)
sizes = st.floats(2**-10, 1e5, width=32)
box_lists = st.lists(st.tuples(places, places, sizes, sizes), min_size=1, max_size=9)


@pytest.mark.parametrize(
    ("text", "boxes"),
    [
        ("1,2,3,4", [[1, 2, 3, 4]]),
        ("70,97,254,412;300,80,120,400", [[70, 97, 254, 412], [300, 80, 120, 400]]),
        ("-5.5,-.25,1e2,4.", [[-5.5, -0.25, 100, 4]]),
        (" 1, 2 ,3,4 ; 5,6,7,8 ", [[1, 2, 3, 4], [5, 6, 7, 8]]),
        ("1,2,3,4;", [[1, 2, 3, 4]]),
        ("5,6,7,8;1,2,3,4;5,6,7,8", [[5, 6, 7, 8], [1, 2, 3, 4], [5, 6, 7, 8]]),
        ("0,0,1000000,1000000", [[0, 0, 1e6, 1e6]]),
    ],
)
def test_boxes_are_read_in_their_order(text: str, boxes: list[list[float]]) -> None:
    read = parse_boxes(text, 10)
    assert read is not None
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, np.array(boxes, np.float32))


def test_no_text_is_no_boxes() -> None:
    assert parse_boxes(None, 10) is None


@given(box_lists)
def test_what_is_written_is_what_is_read(boxes: list[tuple[float, ...]]) -> None:
    read = parse_boxes(";".join(",".join(map(str, box)) for box in boxes), len(boxes))
    np.testing.assert_array_equal(read, np.array(boxes, np.float32))


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", ";", ";;", ",", ",,,", "1", "1,2,3", "1,2,3,4,5", "1,2,3,", "1,2,3,4,"),
        *("1,2,3,4;;5,6,7,8", "1,2,3,4;5,6,7", "1,2,3;4,5,6,7", "1,2,3,4 5,6,7,8", "1 2 3 4"),
        *("a,b,c,d", "1,2,3,0x4", "1,2,3,4px", "[1,2,3,4]", "1;2;3;4", "1,2,3,4\n5,6,7,8"),
        *("1,5,2,5,3,5,4,5", "1,2,3,4\0", "--1,2,3,4"),
    ],
)
def test_what_is_no_box_is_refused_with_the_way_to_write_one(text: str) -> None:
    with pytest.raises(BadParameterError, match="x,y,width,height") as refused:
        parse_boxes(text, 10)
    assert_sentence(refused.value.message)


@pytest.mark.parametrize("wrong", [NAN, INF, -INF, 1e7, -1e7, 1e300])
@pytest.mark.parametrize("place", range(4))
def test_a_box_that_is_nowhere_is_refused_wherever_it_stands(place: int, wrong: float) -> None:
    good = (1.0, 2.0, 3.0, 4.0)
    bad = (*good[:place], wrong, *good[place + 1 :])
    for boxes in ([bad], [good, bad], [bad, good]):
        text = ";".join(",".join(map(repr, box)) for box in boxes)
        with pytest.raises(BadParameterError) as read:
            parse_boxes(text, 10)
        with pytest.raises(BadParameterError) as checked:
            check_boxes(boxes, 10)
        assert_sentence(read.value.message)
        assert_sentence(checked.value.message)


@pytest.mark.parametrize("size", [(0, 4), (4, 0), (0, 0), (-3, 4), (3, -4), (-3, -4), (-0.0, 1)])
def test_a_box_without_a_size_is_refused(size: tuple[float, float]) -> None:
    with pytest.raises(BadParameterError, match="above 0") as refused:
        check_boxes([(1, 2, 3, 4), (1, 2, *size)], 10)
    assert_sentence(refused.value.message)


def test_more_boxes_than_allowed_are_refused_with_both_numbers() -> None:
    box = "1,2,3,4"
    allowed = parse_boxes(";".join([box] * 3), 3)
    assert allowed is not None
    assert len(allowed) == 3
    with pytest.raises(BadParameterError, match=r"4 boxes .* 3"):
        parse_boxes(";".join([box] * 4), 3)


@given(st.text(max_size=40) | st.text("0123456789.,;-+e nainf", max_size=40))
def test_any_text_is_boxes_or_refused(text: str) -> None:
    try:
        boxes = parse_boxes(text, 10)
    except BadParameterError as refused:
        assert_sentence(refused.message)
    else:
        assert boxes is not None
        assert boxes.shape == (len(boxes), 4)
        assert 1 <= len(boxes) <= 10
        assert np.isfinite(boxes).all()


def test_a_long_text_is_not_repeated_whole() -> None:
    with pytest.raises(BadParameterError) as refused:
        parse_boxes("x" * 100_000, 10)
    assert len(refused.value.message) < 300
