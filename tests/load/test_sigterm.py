"""SIGTERM under full load."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from engines.weights import Store
from tests.e2e.server import environment, server
from tests.load.counted import Account
from tests.load.replies import CLOSED, Reply
from tests.load.sigterm import COUNTED, stop_under_load
from tests.load.stopped import Stopped


async def test_sigterm_under_full_load_loses_not_one_accepted_request(
    store: Store, tmp_path: Path
) -> None:
    with server(environment(store), tmp_path / "log", module=COUNTED) as started:
        stopped = await stop_under_load(started, wait=1.0)
    assert not stopped.broken()
    assert stopped.draining > 0, "nothing was under way"
    assert stopped.account.requests.keys() == {"http", "grpc"}, "not over both protocols"
    assert stopped.count("200", "OK") > 0
    assert stopped.count("overloaded") > 0, "the load was not full"
    assert "Traceback" not in stopped.log


def test_a_request_that_the_service_counts_and_nobody_has_is_lost() -> None:
    replies = {"http": [Reply("200"), Reply(CLOSED)], "grpc": [Reply("OK")]}
    both = {"http": Counter(ok=1), "grpc": Counter(ok=1)}
    assert of(replies, Account(2, both)).broken() == []
    assert of(replies, Account(3, both)).lost == 1
    assert of(replies, Account(3, both | {"http": Counter(ok=2)})).lost == 1
    assert of(replies, Account(2, both | {"http": Counter(ok=1, unavailable=1)})).lost == 1


def test_an_exit_with_another_status_and_a_reply_of_another_kind_are_told() -> None:
    strange = {"http": [Reply("500", "internal")]}
    assert len(of(strange, Account(0, {"http": Counter(internal=1)})).broken()) == 1
    assert len(of({}, Account(0, {"http": Counter()}), status=None).broken()) == 1
    assert len(of({}, Account()).broken()) == 1


def of(replies: dict[str, list[Reply]], account: Account, status: int | None = 0) -> Stopped:
    return Stopped(status, 1.0, replies, account, "draining: 2 images in the system")
