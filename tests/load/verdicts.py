"""Whether each picture got the answer that it deserves, and no other."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tests.load.answers import Seen
from tests.load.pictures import Picture
from tests.load.replies import LEFT, Reply

_LATER = frozenset({"overloaded", "unavailable"})  # the caller is to try again
FAULT = "internal"  # of what was under way on an engine that was killed


@dataclass(frozen=True, slots=True)
class Sent:
    """A picture on its way.

    Attributes:
        protocol: it goes by.
        picture: what is sent.
        expected: what was seen in it while nothing else was; None of a bad one.
        may_leave: whether its caller, or another one on its stream, may go before the answer.
    """

    protocol: str
    picture: Picture
    expected: Seen | None
    may_leave: bool


@dataclass(slots=True)
class Verdicts:
    """How all requests ended, by protocol; `wrong` is what must not be, in words."""

    ends: dict[str, Counter[str]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def judge(self, sent: Sent, reply: Reply) -> None:
        """Counts how a request ended."""
        end = self._end(sent, reply)
        self.ends.setdefault(sent.protocol, Counter())[end] += 1
        if end == "wrong":
            asked = sent.picture.error or f"a picture of {sent.expected}"
            self.wrong.append(f"{sent.protocol}, {asked}: {reply}")

    def count(self, end: str) -> int:
        """Requests of all protocols that ended so."""
        return sum(ends[end] for ends in self.ends.values())

    def summary(self) -> str:
        """A line for each protocol."""
        return "\n".join(
            f"{protocol}: {', '.join(f'{count} {end}' for end, count in ends.most_common())}"
            for protocol, ends in sorted(self.ends.items())
        )

    def _end(self, sent: Sent, reply: Reply) -> str:
        if reply.ok:
            own = sent.expected is not None and Seen.of(reply).matches(sent.expected)
            return "answered" if own else "wrong"
        if sent.may_leave and reply.status == LEFT:
            return LEFT
        if sent.picture.error and reply.code == sent.picture.error:
            return "bad"
        if reply.code in _LATER or reply.code == FAULT:
            return reply.code
        return "wrong"
