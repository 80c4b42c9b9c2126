"""What became of a service that was told to stop under load, and of its callers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.load.counted import Account
from tests.load.replies import CLOSED, NO_CONNECTION, Reply

# Of a connection that ended before an answer nobody knows whether its request was read; the
# service's own count does. What comes while the gRPC server stops, and no handler sees, is refused
# by gRPC itself: as UNAVAILABLE, or as CANCELLED where it had been read from the socket already.
_GONE = frozenset({NO_CONNECTION, CLOSED, "UNAVAILABLE", "CANCELLED"})
_CODES = frozenset({"overloaded", "unavailable"})


@dataclass(frozen=True, slots=True)
class Stopped:
    """One stop.

    Attributes:
        status: of the exit; None if there was none in time.
        seconds: from the signal to the exit.
        replies: that callers got, by protocol.
        account: the service's own.
        log: of the service.
    """

    status: int | None
    seconds: float
    replies: Mapping[str, Sequence[Reply]]
    account: Account
    log: str

    @property
    def draining(self) -> int:
        """Images in the system when the signal came."""
        found = re.search(r"draining: (\d+) images", self.log)
        return int(found[1]) if found else 0

    @property
    def lost(self) -> int:
        """Images that the service accepted and did not finish, and requests that it answered and
        whose callers have no answer."""
        requests = self.account.requests
        unfinished = self.account.accepted - sum(codes["ok"] for codes in requests.values())
        return unfinished + sum(
            (codes - Counter(reply.code or "ok" for reply in self._answers(protocol))).total()
            for protocol, codes in requests.items()
        )

    def broken(self) -> list[str]:
        """The promises that are not kept, in words."""
        broken = [f"the exit status is {self.status}"] if self.status != 0 else []
        if not self.account.requests:
            broken.append("the service did not say how its requests ended")
        if self.lost:
            broken.append(f"{self.lost} requests were lost")
        strange = Counter(
            f"{protocol} {reply.status} {reply.code}"
            for protocol, replies in self.replies.items()
            for reply in replies
            if not (reply.ok or reply.code in _CODES or reply.status in _GONE)
        )
        return broken + [f"{count} times {what}" for what, count in strange.items()]

    def count(self, *kinds: str) -> int:
        """Replies whose code, or status for want of one, is of these; `OK` and `200` for people."""
        every = (reply for replies in self.replies.values() for reply in replies)
        return sum((reply.code or reply.status) in kinds for reply in every)

    def _answers(self, protocol: str) -> list[Reply]:
        return [reply for reply in self.replies.get(protocol, ()) if reply.ok or reply.code]
