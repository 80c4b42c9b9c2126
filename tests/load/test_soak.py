"""A soak of some seconds: callers who leave, bad pictures, streams, an engine killed and hung."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest

from engines.weights import Store
from tests.e2e.server import Server, environment, server, until
from tests.load.answers import Seen
from tests.load.harm import Harm
from tests.load.mixture import Mixture
from tests.load.pictures import Picture
from tests.load.replies import CLOSED, LEFT, Reply
from tests.load.soak import FAULTY, soak
from tests.load.soaked import Soaked
from tests.load.verdicts import Sent, Verdicts
from tests.load.watch import Sample, Watch

_SECONDS, _EVERY_S, _RATE = 10.0, 4.0, 8.0
_PICTURES = 12
SEEN = Seen(480, 360, np.ones((18, 3)))
GOOD, BAD = Picture(b"good"), Picture(b"bad", "bad_image")


@pytest.fixture(scope="module")
def served(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("soak") / "log"
    with server(environment(store, watchdog="3"), log, module=FAULTY) as started:
        yield started


async def test_every_accepted_request_is_answered_exactly_once_with_its_own_result(
    served: Server,
) -> None:
    mixture = Mixture(served, _PICTURES, leaving=0.5)
    soaked = await soak(mixture, Harm(served, _EVERY_S), _RATE, _SECONDS)
    assert_distinct(mixture.expected)
    assert not soaked.broken(flat=False)
    assert soaked.kills == 2
    ends = soaked.verdicts.ends
    assert ends.keys() == {"http", "grpc", "grpc_stream"}
    assert all(of_protocol["answered"] for of_protocol in ends.values())
    assert soaked.verdicts.count(LEFT)
    assert soaked.verdicts.count("bad")
    until(lambda: served.answers("/readyz"))
    until(lambda: served.metric("pose_inflight") == 0)


@pytest.mark.parametrize(
    ("picture", "reply", "end"),
    [
        (BAD, Reply("400", "bad_image"), "bad"),
        (BAD, Reply("413", "too_large"), "wrong"),
        (GOOD, Reply("429", "overloaded"), "overloaded"),
        (GOOD, Reply("ERROR", "unavailable"), "unavailable"),
        (GOOD, Reply("INTERNAL", "internal"), "internal"),
        (GOOD, Reply("400", "bad_image"), "wrong"),
        (GOOD, Reply("504", "deadline_exceeded"), "wrong"),
        (GOOD, Reply(CLOSED), "wrong"),
        (GOOD, Reply(LEFT), "wrong"),
    ],
)
def test_each_end_of_a_request_has_its_verdict(picture: Picture, reply: Reply, end: str) -> None:
    verdicts = Verdicts()
    verdicts.judge(Sent("http", picture, None if picture.error else SEEN, may_leave=False), reply)
    assert verdicts.ends == {"http": Counter([end])}
    assert bool(verdicts.wrong) == (end == "wrong")


def assert_distinct(seen: list[Seen]) -> None:
    """That each matches itself alone, and not by its size alone."""
    assert all(one.matches(other) == (one is other) for one in seen for other in seen)
    alike = [Seen(seen[0].width, one.height, one.keypoints) for one in seen]
    assert not any(alike[0].matches(other) for other in alike[1:8])


def test_what_a_soak_must_not_show_is_told() -> None:
    assert not soaked().broken()
    assert len(soaked(silent=1).broken()) == 1
    assert len(soaked(unasked=1).broken()) == 1
    assert len(soaked(restarts=1).broken()) == 1
    assert len(soaked(files=40).broken()) == 1


def soaked(silent: int = 0, unasked: int = 0, restarts: int = 3, files: int = 0) -> Soaked:
    samples = [Sample(2**27, 10, 10)] * 20 + [Sample(2**27, 10, 10 + files)] * 10
    return Soaked(Verdicts(), Watch(0, samples), 3, restarts, silent, unasked)
