"""How requests ended, as their callers saw it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

OK: Final = frozenset({"200", "OK"})
REFUSED: Final = frozenset({"429", "RESOURCE_EXHAUSTED"})
NO_CONNECTION, CLOSED, LEFT, SILENT = "no connection", "closed", "left", "silent"


@dataclass(frozen=True, slots=True)
class Reply:
    """How a request ended.

    Attributes:
        status: HTTP's number or gRPC's name; `no connection` where none was to be had, `closed`
            where it ended before the answer, `left` where the caller went, `silent` where no
            answer came for long.
        code: the service's own; empty for people.
        body: JSON or protobuf of an answer with people.
        again: whether a refusal says when to come back.
    """

    status: str
    code: str = ""
    body: bytes = b""
    again: bool = False

    @property
    def ok(self) -> bool:
        return self.status in OK

    @property
    def refused(self) -> bool:
        """Because there are too many."""
        return self.status in REFUSED and self.code == "overloaded"


@dataclass(frozen=True, slots=True)
class Record:
    """A request of an open loop.

    Attributes:
        protocol: http, grpc or grpc_stream.
        planned: when it was to be sent, in seconds from the start.
        late: seconds by which the generator was late.
        latency: seconds from the planned time to the answer, whatever delayed either.
    """

    protocol: str
    planned: float
    late: float
    latency: float
    reply: Reply


def counts(replies: Sequence[Reply]) -> dict[str, int]:
    """Replies by status and code, most first."""
    named = (f"{reply.status} {reply.code}".strip() for reply in replies)
    return dict(Counter(named).most_common())


def percentile(seconds: Sequence[float], percent: float) -> float:
    """In milliseconds; `nan` of nothing."""
    return float(np.percentile(seconds, percent)) * 1e3 if seconds else float("nan")
