"""Profiles hold the input of every picture, and say so where a user's choice leaves some out."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engines.catalog import Entry, find
from engines.models.top_down import TopDown
from engines.options import Options
from engines.people import People
from engines.profile import OutsideProfileError, Profile, profile_of
from engines.sizes import parse_sizes
from engines.systems import SYSTEMS

# One of each system, at a height that makes small inputs and is no multiple.
CASES = {
    "lightweight-openpose": Options(height=70),
    "openpose-coco": Options(height=70),
    "multiposenet-resnet50": Options(height=70),
    "dekr-w32-crowdpose": Options(height=70),
    "dekr-w32-coco": Options(height=70, flip=True, scales=(1.0, 0.5, 1.5)),
    "hrnet-w32-256x192": Options(flip=True),
    "yolox-nano": Options(),
}
MULTIPLES = {"lightweight-openpose": 8, "openpose": 16, "multiposenet": 32, "dekr": 32}
every_system = pytest.mark.parametrize("name", CASES)
sides = st.integers(1, 4000)


def profile(name: str, options: Options | None = None, **chosen: object) -> Profile:
    entry = find(name)
    return profile_of(
        entry,
        entry.networks["network"],
        options or CASES.get(name, Options()),
        **{"max_batch": 4} | chosen,  # type: ignore[arg-type]
    )


def inputs(name: str, height: int, width: int) -> Iterator[tuple[int, ...]]:
    """Shapes of what the model asks the network that sees a picture of that shape."""
    entry, image = find(name), np.zeros((height, width, 3), np.uint8)
    system = SYSTEMS[entry.system].make(entry, None, CASES[name])
    everybody = People.at([(0, 0, width, height)])
    steps = system.steps(image, everybody) if isinstance(system, TopDown) else system.steps(image)
    asked = next(steps)
    scales = len(CASES[name].scales)
    for _ in range(scales - 1):
        yield asked.inputs.shape
        asked = steps.send(maps(entry, asked.inputs.shape))
    yield asked.inputs.shape


def maps(entry: Entry, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    """DEKR's answer for nobody."""
    count, height, width, _ = shape
    channels = {"heatmaps": len(entry.skeleton.keypoints) + 1}
    channels["offsets"] = 2 * len(entry.skeleton.keypoints)
    return {
        output: np.zeros((count, channel, height // 4, width // 4), np.float32)
        for output, channel in channels.items()
    }


@every_system
@settings(max_examples=40, deadline=None)
@given(height=sides, width=sides)
@example(1, 1)
@example(1, 4000)
@example(4000, 1)
def test_the_input_of_every_picture_lies_in_the_profile(name: str, height: int, width: int) -> None:
    multiple = MULTIPLES.get(find(name).system, 1)
    for shape in inputs(name, height, width):
        assert profile(name).holds(shape)
        assert shape[1] % multiple == shape[2] % multiple == 0


@every_system
def test_the_profile_reaches_no_further_than_pictures_do(name: str) -> None:
    shapes = [(500, 500), (4000, 400), (400, 4000)]
    asked = np.array([shape for sides in shapes for shape in inputs(name, *sides)])[:, 1:3]
    wanted = profile(name).sizes
    assert wanted is not None
    assert tuple(asked.min(axis=0)) == wanted[0]
    assert tuple(asked.max(axis=0)) == wanted[2]


@every_system
def test_the_usual_picture_is_a_cameras(name: str) -> None:
    wanted = profile(name).sizes
    assert wanted is not None
    assert (4, *wanted[1], 3) in {(4, *shape[1:]) for shape in inputs(name, 1080, 1920)}


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("lightweight-openpose", ((368, 368), (368, 656), (368, 1472))),
        ("openpose-body25", ((368, 16), (368, 656), (368, 1472))),
        ("multiposenet-resnet50", ((480, 480), (480, 864), (1920, 1920))),
        ("dekr-w32-coco", ((512, 512), (512, 960), (2048, 2048))),
        ("hrnet-w48-384x288", ((384, 288),) * 3),
        ("yolox-nano", ((416, 416),) * 3),
    ],
)
def test_a_model_as_it_is_gets_these_sizes(name: str, sizes: object) -> None:
    assert profile(name, Options()).sizes == sizes


def test_a_batch_is_of_one_to_the_most() -> None:
    assert profile("lightweight-openpose", max_batch=16).batch == (1, 16, 16)
    assert profile("lightweight-openpose", max_batch=16, usual_batch=4).batch == (1, 4, 16)
    assert profile("lightweight-openpose", max_batch=2, usual_batch=4).batch == (1, 2, 2)


def test_a_network_without_pictures_has_batches_alone() -> None:
    entry = find("multiposenet-resnet50")
    made = profile_of(entry, entry.networks["prn"], Options(), max_batch=16)
    assert made == Profile((1, 16, 16), None)
    assert made.holds((16, 56, 36, 17))
    assert not made.holds((17, 56, 36, 17))
    with pytest.raises(OutsideProfileError, match="takes 1 to 16 inputs at once, not 17"):
        made.require((17, 56, 36, 17))


def test_what_is_a_constant_of_the_graph_is_one_of_the_profile() -> None:
    alone = profile("yolox-nano", shape=(1, 416, 416, 3), max_batch=8)
    assert alone == Profile((1, 1, 1), ((416, 416),) * 3)
    assert profile("yolox-nano", shape=(None, 416, 416, 3), max_batch=8).batch == (1, 8, 8)
    fixed = profile("openpose-coco", Options(), shape=(None, 368, 656, 3))
    assert fixed.sizes == ((368, 656),) * 3
    with pytest.raises(ValueError, match="pp-tinypose-256x192 takes pictures of 128x96 alone, not"):
        profile("pp-tinypose-256x192", shape=(1, 128, 96, 3))


def test_a_user_chooses_sizes() -> None:
    sizes = parse_sizes("256x256,368x656,368x1472")
    assert profile("lightweight-openpose", Options(), sizes=sizes).sizes == sizes
    camera = parse_sizes("368x656")
    assert profile("openpose-mpi", Options(), sizes=camera).sizes == (camera[0],) * 3
    assert profile("hrnet-w32-256x192", sizes=parse_sizes("256x192")).sizes == ((256, 192),) * 3


@pytest.mark.parametrize(
    ("name", "sizes", "why"),
    [
        ("lightweight-openpose", "368x652", "size 368x652: .* multiples of 8"),
        ("openpose-coco", "368x360,368x656,368x1472", "size 368x360: .* multiples of 16"),
        ("dekr-w32-coco", "512x544", "size 512x544: .* multiples of 64"),
        ("multiposenet-resnet50", "480x656", "multiples of 32"),
        ("lightweight-openpose", "256x256", "makes inputs of 368x368 to 368x1472, none of which"),
        ("hrnet-w32-256x192", "384x288", "takes pictures of 256x192 alone"),
        ("hrnet-w32-256x192", "128x96,256x192,256x192", "takes pictures of 256x192 alone"),
    ],
)
def test_sizes_that_a_system_does_not_make_are_refused(name: str, sizes: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        profile(name, Options(), sizes=parse_sizes(sizes))


def test_a_picture_outside_the_profile_is_refused_with_what_to_do() -> None:
    made = Profile((1, 4, 8), ((256, 256), (368, 656), (368, 1472)))
    made.require((8, 256, 1472, 3))
    for shape in [(9, 368, 656, 3), (1, 376, 656, 3), (1, 368, 1480, 3), (1, 248, 656, 3)]:
        assert not made.holds(shape)
        with pytest.raises(OutsideProfileError) as refused:
            made.require(shape)
        assert f"not {shape[0]} of {shape[1]}x{shape[2]}" in str(refused.value)
        assert "takes 1 to 8 pictures at once of 256x256 to 368x1472" in str(refused.value)
        assert "build it with sizes that hold this one" in str(refused.value)


def test_sizes_are_read_from_text() -> None:
    assert parse_sizes("256x192") == ((256, 192),) * 3
    assert parse_sizes(" 8x16, 24x32 ,24x40") == ((8, 16), (24, 32), (24, 40))


@pytest.mark.parametrize(
    "text",
    [
        *("", "256", "256x", "x192", "256x192x3", "0x8", "-8x8", "8.5x8", "eight", "8x8;16x16"),
        *("8x8,16x16", "8x8,16x16,24x24,32x32", "8x8,,8x8"),
    ],
)
def test_text_that_is_no_sizes_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"sizes {text!r} are not one HEIGHTxWIDTH or")):
        parse_sizes(text)


@pytest.mark.parametrize("text", ["16x16,8x8,24x24", "8x8,24x8,16x16", "8x24,16x16,24x24"])
def test_sizes_ascend_in_both_sides(text: str) -> None:
    with pytest.raises(ValueError, match="do not ascend in height and in width"):
        parse_sizes(text)


def test_a_change_of_the_preparation_changes_the_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sizes are asked of it, not written down."""
    monkeypatch.setattr("engines.models.openpose._MAX_ASPECT", 2)
    entry = find("openpose-coco")
    assert profile_of(entry, entry.networks["network"], Options(), max_batch=1).sizes == (
        (368, 16),
        (368, 656),
        (368, 736),
    )
