"""What became of offered loads, and what is promised of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.load.replies import Record, counts, percentile
from tests.load.watch import Watch

HALF, MOST = 0.5, 10.0  # the loads that are compared, as shares of the capacity
TIMES, PEAK = 3.0, 0.9  # the promises


@dataclass(slots=True)
class Load:
    """What became of one offered load.

    Attributes:
        share: of the capacity.
        rate: requests a second.
        seconds: of all its spells.
        in_time: people answered while it was offered.
    """

    share: float
    rate: float
    seconds: float = 0.0
    in_time: int = 0
    records: list[Record] = field(default_factory=list)

    def add(self, records: Sequence[Record], seconds: float) -> None:
        """A spell of so many seconds."""
        self.records.extend(records)
        self.seconds += seconds
        self.in_time += sum(
            one.reply.ok and one.planned + one.latency <= seconds for one in records
        )

    @property
    def accepted(self) -> float:
        """Images answered a second."""
        return self.in_time / self.seconds

    def latency(self, percent: float) -> float:
        """Milliseconds of what was accepted."""
        return percentile([one.latency for one in self.records if one.reply.ok], percent)

    def refusal(self, percent: float) -> float:
        """Milliseconds of what was refused."""
        return percentile([one.latency for one in self.records if one.reply.refused], percent)

    def late(self) -> float:
        """Milliseconds by which the generator itself was late, 99th percentile."""
        return percentile([one.late for one in self.records], 99)

    def strange(self) -> dict[str, int]:
        """Replies that are neither people nor a refusal that says when to come back."""
        replies = [one.reply for one in self.records]
        return counts([one for one in replies if not one.ok and not (one.refused and one.again)])


@dataclass(frozen=True, slots=True)
class Overload:
    """A capacity in images a second, loads by their shares of it, and what the server held under
    the largest."""

    capacity: float
    loads: dict[float, Load]
    watch: Watch

    @property
    def peak(self) -> float:
        """The most images a second that were accepted at any load."""
        return max(load.accepted for load in self.loads.values())

    def broken(self, times: float = TIMES, share: float = PEAK) -> list[str]:
        """The promises that are not kept, in words."""
        half, most = self.loads[HALF], self.loads[MOST]
        broken = [
            f"at {load.share:g} times the capacity: {load.strange()}"
            for load in self.loads.values()
            if load.strange()
        ]
        if not most.latency(99) <= times * half.latency(99):  # also where nothing was accepted
            broken.append(
                f"p99 of what was accepted is {most.latency(99):.0f} ms, above {times:g} times the "
                f"{half.latency(99):.0f} ms at half the capacity"
            )
        if most.accepted < share * self.peak:
            broken.append(
                f"{most.accepted:.1f} images/s were accepted, below {share:g} of the peak of "
                f"{self.peak:.1f}"
            )
        return broken + self.watch.grown()
