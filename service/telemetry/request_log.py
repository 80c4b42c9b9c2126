"""A line in the log for each request."""

from __future__ import annotations

import logging

from service.errors import OverloadedError, RateLimitedError
from service.telemetry.call import Call

log = logging.getLogger("posewire.requests")

_TOO_MANY = frozenset({OverloadedError.code, RateLimitedError.code})
_LINE = (
    "%(method)s %(status)s %(code)s model=%(model)s ms=%(milliseconds).1f "
    "bytes=%(bytes)d images=%(images)d people=%(people)d"
)


def tell(call: Call, status: int | str) -> None:
    """Says how a call went; of probes, which come all the time, and of calls that are too many,
    only at DEBUG.

    Nothing that a caller has sent is in it but the path, and its model if that is served.
    """
    level = logging.DEBUG if call.is_probe or call.code in _TOO_MANY else logging.INFO
    if not log.isEnabledFor(level):
        return
    fields = {
        "protocol": call.protocol,
        "method": call.method,
        "status": status,
        "code": call.code or "-",
        "model": call.model or "-",
        "milliseconds": round(call.milliseconds, 3),
        "bytes": call.received,
        "images": call.images,
        "people": call.people,
    }
    log.log(level, _LINE, fields, extra=fields)
