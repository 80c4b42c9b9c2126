"""Curves as SVG that can be read on light and on dark ground; heights are on a logarithmic axis."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

_WIDTH, _HEIGHT = 800, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 730, 50, 360
_STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-size: 17px; font-weight: 600 }
.axis { fill: #57606a }
.grid { stroke: #d0d7de }
.bound { stroke: #8c959f; stroke-dasharray: 6 4 }
.curve { fill: none; stroke-width: 2 }
.c0 { stroke: #2f6fb7 }
.c1 { stroke: #bf5b04 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.axis { fill: #9da7b1 }
.grid { stroke: #30363d }
.c0 { stroke: #58a6ff }
.c1 { stroke: #f0883e }
}
"""


@dataclass(frozen=True, slots=True)
class Curve:
    """Its name, and its points, each of them above 0."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class _Axis:
    """Where values lie between two ends of the picture."""

    least: float
    most: float
    begin: float
    end: float
    linear: bool = False

    def at(self, value: float) -> float:
        if self.linear:
            share = (value - self.least) / (self.most - self.least)
        else:
            share = math.log(value / self.least) / math.log(self.most / self.least)
        return self.begin + share * (self.end - self.begin)

    def ticks(self) -> Iterator[float]:
        """Quarters of a linear axis from 0 on, else 1, 2 and 5 times powers of ten."""
        if self.linear:
            yield from (self.most * quarter / 4 for quarter in range(1, 5))
            return
        for power in range(math.floor(math.log10(self.least)), math.ceil(math.log10(self.most))):
            for step in (1, 2, 5):
                value = step * 10.0**power
                if self.least <= value <= self.most:
                    yield value
        if math.log10(self.most).is_integer():
            yield self.most


def draw(
    title: str,
    axis: str,
    curves: Sequence[Curve],
    *,
    bound: tuple[float, str] | None = None,
    linear: bool = False,
) -> str:
    """The picture.

    Args:
        title: of the whole, and what the height is.
        axis: what the breadth is.
        curves: two at most.
        bound: a height and its name, drawn across.
        linear: whether the breadth counts from 0 on; else it is on a logarithmic axis too.
    """
    every = [point for curve in curves for point in curve.points]
    heights = [y for _, y in every] + [level for level, _ in filter(None, [bound])]
    breadths = [x for x, _ in every]
    across = _Axis(0 if linear else min(breadths), max(breadths), _LEFT, _RIGHT, linear)
    up = _Axis(min(heights) / 1.5, max(heights) * 1.5, _BOTTOM, _TOP)
    parts = [_text(0, 18, title, "title"), _text(_LEFT, _HEIGHT - 12, axis, "axis")]
    parts += _grid(across, up)
    if bound is not None:
        level, name = bound
        parts.append(_line(_LEFT, up.at(level), _RIGHT, up.at(level), "bound"))
        parts.append(_text(_LEFT + 6, up.at(level) - 6, name, "axis"))
    for number, curve in enumerate(curves):
        parts += _curve(number, curve, across, up)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">'
    parts = [head, f"<title>{escape(title)}</title>", f"<style>{_STYLE}</style>", *parts, "</svg>"]
    return "\n".join(parts) + "\n"


def _grid(across: _Axis, up: _Axis) -> Iterator[str]:
    for value in across.ticks():
        yield _line(across.at(value), _TOP, across.at(value), _BOTTOM, "grid")
        yield _text(across.at(value) - 8, _BOTTOM + 20, f"{value:g}", "axis")
    for value in up.ticks():
        yield _line(_LEFT, up.at(value), _RIGHT, up.at(value), "grid")
        yield _text(_LEFT - 50, up.at(value) + 4, f"{value:g}", "axis")


def _curve(number: int, curve: Curve, across: _Axis, up: _Axis) -> Iterator[str]:
    points = [(across.at(x), up.at(y)) for x, y in curve.points]
    joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    yield f'<polyline class="curve c{number}" points="{joined}"/>'
    x, y = points[-1]
    yield _text(x + 8, y + 4 + 14 * number, curve.name, "")


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, text: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'
