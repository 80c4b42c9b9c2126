"""Pictures for schemathesis, which imports this file: good ones, damaged ones, and no pictures."""

from __future__ import annotations

from base64 import b64encode

import schemathesis
from hypothesis import strategies as st

from tests.service.pictures import FAITHFUL, bmp_of_size, encode, picture, png_of_size

_GOOD = [
    encode(picture(height, width), kind)
    for kind in FAITHFUL
    for height, width in ((9, 7), (24, 40))
]
_ODD = [png_of_size(60_000, 60_000), bmp_of_size(2**31 - 1, 1), b"GIF89a" + bytes(20), b""]


@st.composite
def _damaged(draw: st.DrawFn) -> bytes:
    """A good picture that is cut, or has some of its bytes changed, or others put in."""
    data = bytearray(draw(st.sampled_from(_GOOD)))
    for at in draw(st.lists(st.integers(0, len(data) - 1), max_size=4)):
        data[at] = draw(st.integers(0, 255))
    at = draw(st.integers(0, len(data)))
    put_in = draw(st.binary(max_size=8))
    return bytes(data[:at] + put_in + (data[at:] if draw(st.booleans()) else b""))


PICTURES = st.one_of(st.sampled_from(_GOOD), _damaged(), st.sampled_from(_ODD), st.binary())

schemathesis.openapi.format("binary", PICTURES)
schemathesis.openapi.format("byte", PICTURES.map(lambda data: b64encode(data).decode()))
for _kind in ("jpeg", "png", "webp", "bmp"):
    schemathesis.openapi.media_type(f"image/{_kind}", PICTURES)
