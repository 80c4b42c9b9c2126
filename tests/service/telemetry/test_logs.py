"""The log is lines of text for people, or of JSON for machines."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from io import StringIO

import pytest

from service.telemetry import logs
from service.telemetry.call import CALL, Call
from tests.service.logged import logged

log = logging.getLogger("posewire")


@pytest.fixture
def _restored() -> Iterator[None]:
    """Leaves the process' log as it was."""
    root = logging.getLogger()
    handlers, levels = root.handlers[:], (root.level, log.level)
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    log.setLevel(levels[1])


@pytest.fixture
def _call() -> Iterator[None]:
    token = CALL.set(Call("mine", "http", "GET /"))
    yield
    CALL.reset(token)


def test_text_is_a_line_with_its_time_level_and_writer() -> None:
    with logged("text") as written:
        log.warning("%d things", 2)
    (line,) = written.lines
    assert re.fullmatch(r"\d{4}-\d\d-\d\d [\d:,]{12} WARNING posewire: 2 things", line)


@pytest.mark.usefixtures("_call")
def test_text_ends_with_the_request_before_any_traceback() -> None:
    with logged("text") as written:
        try:
            raise ValueError("a fault")
        except ValueError:
            log.exception("failed")
    first, second, *_, last = written.lines
    assert first.endswith(" ERROR posewire: failed [mine]")
    assert second == "Traceback (most recent call last):"
    assert last == "ValueError: a fault"


def test_json_is_an_object_a_line_with_utc_times() -> None:
    with logged() as written:
        log.info("a\nb ü")
    (line,) = written.lines
    told = json.loads(line)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00", told.pop("time"))
    assert told == {"level": "INFO", "logger": "posewire", "message": "a\nb ü"}


@pytest.mark.usefixtures("_call")
def test_json_has_the_request_and_the_traceback_as_fields() -> None:
    with logged() as written:
        try:
            raise ValueError("a fault")
        except ValueError:
            log.exception("failed")
    (told,) = written.records
    assert told["request_id"] == "mine"
    assert told["exc_info"].endswith("ValueError: a fault")


@pytest.mark.usefixtures("_restored")
@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("DEBUG", ["posewire DEBUG", "posewire INFO", "a.library INFO"]),
        ("INFO", ["posewire INFO", "a.library INFO"]),
        ("ERROR", []),
    ],
)
def test_debug_is_posewires_alone(level: logs.Level, expected: list[str]) -> None:
    stream = StringIO()
    logs.configure("json", level, stream)
    for name in ("posewire", "a.library"):
        for said in (logging.DEBUG, logging.INFO):
            logging.getLogger(name).log(said, "what a caller has sent")
    told = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [f"{one['logger']} {one['level']}" for one in told] == expected
