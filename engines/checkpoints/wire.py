"""The wire format of protobuf messages, as far as reading one of a known kind needs it.

Encoding: https://protobuf.dev/programming-guides/encoding
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_VARINT, _FIXED_64, _LENGTH_DELIMITED, _FIXED_32 = 0, 1, 2, 5
_LENGTHS = {_FIXED_64: 8, _FIXED_32: 4}  # bytes
_LONGEST_VARINT = 10  # bytes


class WireError(ValueError):
    """Bytes are no protobuf message, or not of the kind expected."""


@dataclass(slots=True)
class Reader:
    """Reads messages with no more than a number of fields in all, as each takes its time."""

    fields_left: int

    def fields(self, message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
        """Each field's number and value in order: a varint's number, of other types the bytes.

        Raises:
            WireError: as soon as the message makes no sense; groups, deprecated, are among that.
        """
        position = 0
        while position < len(message):
            self.fields_left -= 1
            if self.fields_left < 0:
                raise WireError("it has too many fields")
            tag, position = _varint(message, position)
            number, kind = tag >> 3, tag & 7
            if number == 0:
                raise WireError("a field is numbered 0")
            if kind == _VARINT:
                value, position = _varint(message, position)
                yield number, value
                continue
            if kind == _LENGTH_DELIMITED:
                length, position = _varint(message, position)
            elif kind in _LENGTHS:
                length = _LENGTHS[kind]
            else:
                raise WireError(f"a field is of wire type {kind}")
            start, position = position, position + length
            if position > len(message):
                raise WireError(f"a field ends {position - len(message)} bytes after its message")
            yield number, message[start:position]


def varints(packed: memoryview) -> Iterator[int]:
    """The numbers of a packed field."""
    position = 0
    while position < len(packed):
        value, position = _varint(packed, position)
        yield value


def content(value: int | memoryview) -> memoryview:
    """A field's bytes.

    Raises:
        WireError: the field is a number.
    """
    if isinstance(value, int):
        raise WireError("a number is in the place of a message")
    return value


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    """The number at a position, and the position after it."""
    value = 0
    for index, byte in enumerate(message[position : position + _LONGEST_VARINT]):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, position + index + 1
    raise WireError("a number has no end")
