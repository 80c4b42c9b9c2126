"""The log: as lines of text for people, or of JSON for machines."""

from __future__ import annotations

import logging
from typing import Literal, TextIO

from pythonjsonlogger.json import JsonFormatter

from service.telemetry.call import CALL
from service.telemetry.tracing import TRACE

Form = Literal["text", "json"]
Level = Literal["DEBUG", "INFO", "WARNING", "ERROR"]


def configure(form: Form, level: Level, stream: TextIO) -> None:
    """Sends the log of the whole process to `stream`.

    Libraries say little that matters below INFO, and what they say there may be what a caller
    sent: DEBUG is of Posewire alone.
    """
    threshold = logging.getLevelNamesMapping()[level]
    least = max(threshold, logging.INFO)
    logging.basicConfig(level=least, handlers=[handler(form, stream)], force=True)
    logging.getLogger("posewire").setLevel(threshold)


def handler(form: Form, stream: TextIO) -> logging.Handler:
    """Writes records, each with the request that is being handled, to `stream`."""
    made = logging.StreamHandler(stream)
    made.setFormatter(_formatter(form))
    made.addFilter(_identify)
    return made


def _formatter(form: Form) -> logging.Formatter:
    if form == "text":
        return _Text("%(asctime)s %(levelname)s %(name)s: %(message)s")
    fields, renamed = ["levelname", "name", "message"], {"levelname": "level", "name": "logger"}
    return JsonFormatter(fields, rename_fields=renamed, timestamp="time")


def _identify(record: logging.LogRecord) -> bool:
    """Adds to a record which request is being handled, and its trace."""
    if call := CALL.get():
        record.request_id = call.id
    if trace_id := TRACE.get().id:
        record.trace_id = trace_id
    return True


class _Text(logging.Formatter):
    """Ends a line with the request's id."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's naming
        line = super().formatMessage(record)
        request = getattr(record, "request_id", None)
        return f"{line} [{request}]" if request else line
