"""A server that tells in its log, when it has stopped, how its requests ended by its own account:
`python -m tests.load.counted`, as `python -m service`."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from service import app, core
from service.admission import Admission
from service.cli import app as command

_LINE = re.compile(r'^pose_requests_total\{code="(\w+)",.*?protocol="(\w+)"\} (\S+)$', re.MULTILINE)
_ACCEPTED = re.compile(r"^accepted (\d+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Account:
    """What a server of this kind says: images it accepted, and requests by protocol and code."""

    accepted: int = 0
    requests: dict[str, Counter[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, log: str) -> Account:
        """From its log, once it has stopped."""
        requests: dict[str, Counter[str]] = {}
        for code, protocol, count in _LINE.findall(log):
            requests.setdefault(protocol, Counter())[code] += int(float(count))
        accepted = _ACCEPTED.search(log)
        return cls(int(accepted[1]) if accepted else 0, requests)


class Counting(Admission):
    """Counts the images that it lets in."""

    accepted = 0

    @contextmanager
    def admit(self, *arguments: Any, **options: Any) -> Iterator[None]:
        with super().admit(*arguments, **options):
            self.accepted += 1
            yield


class Counted(app.App):
    """Writes its account to the log at its end."""

    async def run(self) -> int:
        try:
            return await super().run()
        finally:
            admission = self._core.admission
            assert isinstance(admission, Counting)
            sys.stderr.write(f"accepted {admission.accepted}\n")
            sys.stderr.write(self._core.metrics.text().decode())


if __name__ == "__main__":
    core.Admission = Counting  # type: ignore[attr-defined] # which the core makes one of
    app.App = Counted  # type: ignore[misc] # which `serve` makes one of
    command(["serve", *sys.argv[1:]], prog_name="posewire")
