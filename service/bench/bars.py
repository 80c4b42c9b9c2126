"""Horizontal bars in groups, as SVG that can be read on light and on dark ground."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

_WIDTH, _NAMES, _VALUES = 800, 220, 150  # of the picture, and its columns of text
_BAR, _GAP, _HEAD, _TOP = 18, 4, 30, 56  # heights
_STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-size: 17px; font-weight: 600 }
.group { font-weight: 600 }
.axis { fill: #57606a }
.bar { fill: #2f6fb7 }
.first { fill: #8c959f }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.axis { fill: #9da7b1 }
.bar { fill: #58a6ff }
.first { fill: #6e7681 }
}
"""


@dataclass(frozen=True, slots=True)
class Bar:
    """Its name before it, and its value in words after it."""

    name: str
    value: float
    text: str


@dataclass(frozen=True, slots=True)
class Group:
    """Bars below a title; the first, which the others are measured against, is grey."""

    title: str
    bars: Sequence[Bar]


def draw(title: str, axis: str, groups: Sequence[Group]) -> str:
    """The picture.

    Args:
        title: of the whole.
        axis: what the lengths are; they are in proportion, from 0.
        groups: of one bar at least, none below 0.
    """
    longest = max(bar.value for group in groups for bar in group.bars)
    scale = (_WIDTH - _NAMES - _VALUES) / (longest or 1)
    parts, y = [_text(0, 18, title, "title"), _text(0, 38, axis, "axis")], _TOP
    for group in groups:
        parts.append(_text(0, y + 18, group.title, "group"))
        y += _HEAD
        for at, bar in enumerate(group.bars):
            parts += _row(y, bar, bar.value * scale, "bar" if at else "first")
            y += _BAR + _GAP
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y + _GAP}" role="img">'
    return "\n".join(
        [head, f"<title>{escape(title)}</title>", f"<style>{_STYLE}</style>", *parts]
    ) + ("\n</svg>\n")


def _row(y: int, bar: Bar, width: float, kind: str) -> list[str]:
    base = y + _BAR - 4
    return [
        _text(16, base, bar.name),
        f'<rect class="{kind}" x="{_NAMES}" y="{y}" width="{width:.1f}" height="{_BAR}" rx="2"/>',
        _text(_NAMES + width + 8, base, bar.text),
    ]


def _text(x: float, y: int, text: str, kind: str = "") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y}"{named}>{escape(text)}</text>'
