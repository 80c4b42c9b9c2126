"""The name of a request, by which its caller and the log mean the same one."""

from __future__ import annotations

import re
from uuid import uuid4

HEADER = "x-request-id"
"""Carries it, in HTTP headers and gRPC metadata, both ways."""

_FIT = re.compile(r"[!-~]{1,128}")


def request_id(sent: str | None) -> str:
    """The caller's own if it is 1 to 128 visible ASCII characters, else a fresh one."""
    return sent if sent is not None and _FIT.fullmatch(sent) else uuid4().hex
