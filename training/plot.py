"""Curves over a linear axis of steps and a logarithmic one of losses, as SVG for any ground."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

_WIDTH, _HEIGHT = 800, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 720, 50, 360
_STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-size: 17px; font-weight: 600 }
.grid { stroke: #d0d7de }
.curve { fill: none; stroke-width: 2 }
.c0 { stroke: #2f6fb7 }
.c1 { stroke: #bf5b04 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.grid { stroke: #30363d }
.c0 { stroke: #58a6ff }
.c1 { stroke: #f0883e }
}
"""


@dataclass(frozen=True, slots=True)
class Curve:
    """Its name, and its points, with heights above 0."""

    name: str
    points: Sequence[tuple[float, float]]


def draw(title: str, axis: str, curves: Sequence[Curve]) -> str:
    """The picture of one or two curves with a title, and the name of their breadth."""
    every = [point for curve in curves for point in curve.points]
    most = max(x for x, _ in every) or 1
    least_log = math.log10(min(y for _, y in every)) - 0.05
    span = math.log10(max(y for _, y in every)) + 0.05 - least_log

    def at(x: float, y: float) -> tuple[float, float]:
        up = (math.log10(y) - least_log) / span
        return _LEFT + (_RIGHT - _LEFT) * x / most, _BOTTOM - (_BOTTOM - _TOP) * up

    parts = [_text(0, 18, title, "title"), _text(_LEFT, _HEIGHT - 12, axis, "axis")]
    for y in _ticks(10**least_log, 10 ** (least_log + span)):
        level = at(0, y)[1]
        parts.append(f'<path class="grid" d="M{_LEFT} {level:.1f}H{_RIGHT}"/>')
        parts.append(_text(20, level + 4, f"{y:g}", "axis"))
    parts += [
        _text(at(step, every[0][1])[0] - 20, _BOTTOM + 20, f"{step:g}")
        for step in (most / 4, most / 2, 3 * most / 4, most)
    ]
    for number, curve in enumerate(curves):
        points = [at(x, y) for x, y in curve.points]
        joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline class="curve c{number}" points="{joined}"/>')
        parts.append(_text(points[-1][0] + 8, points[-1][1] + 4 + 14 * number, curve.name))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">'
    named = [head, f"<title>{escape(title)}</title>", f"<style>{_STYLE}</style>", *parts, "</svg>"]
    return "\n".join(named) + "\n"


def _ticks(least: float, most: float) -> Iterator[float]:
    """1, 2 and 5 times powers of ten."""
    for power in range(math.floor(math.log10(least)), math.ceil(math.log10(most)) + 1):
        yield from (step * 10.0**power for step in (1, 2, 5) if least <= step * 10.0**power <= most)


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'
