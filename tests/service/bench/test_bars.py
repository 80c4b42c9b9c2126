"""A plot is read here as XML; how it looks is for the eye."""

from __future__ import annotations

from xml.etree import ElementTree

from service.bench.bars import Bar, Group, draw

GROUPS = [
    Group("one", [Bar("PyTorch", 1.0, "1.00"), Bar("ours", 4.0, "4.00")]),
    Group("other <&>", [Bar("PyTorch", 1.0, "1.00")]),
]


def _elements(kind: str) -> list[ElementTree.Element]:
    picture = ElementTree.fromstring(draw("Engines", "times", GROUPS))  # noqa: S314 - our own
    return picture.findall(f"{{http://www.w3.org/2000/svg}}{kind}")


def test_bars_are_as_long_as_their_values() -> None:
    widths = [float(bar.attrib["width"]) for bar in _elements("rect")]
    assert widths[1] == 4 * widths[0] == 4 * widths[2]


def test_bars_lie_below_each_other_inside_the_picture() -> None:
    picture = ElementTree.fromstring(draw("Engines", "times", GROUPS))  # noqa: S314 - our own
    _, _, width, height = map(float, picture.attrib["viewBox"].split())
    edges = []
    for bar in _elements("rect"):
        top, tall = float(bar.attrib["y"]), float(bar.attrib["height"])
        edges += [top, top + tall]
        assert float(bar.attrib["x"]) + float(bar.attrib["width"]) < width
    assert edges == sorted(edges)
    assert edges[-1] <= height


def test_the_first_of_a_group_stands_out() -> None:
    assert [bar.attrib["class"] for bar in _elements("rect")] == ["first", "bar", "first"]


def test_names_may_hold_anything() -> None:
    assert "other <&>" in [text.text for text in _elements("text")]


def test_dark_ground_has_colours_of_its_own() -> None:
    assert "prefers-color-scheme: dark" in draw("Engines", "times", GROUPS)


def test_bars_of_nothing_have_no_length() -> None:
    assert 'width="0.0"' in draw("Engines", "times", [Group("one", [Bar("none", 0.0, "0")])])
