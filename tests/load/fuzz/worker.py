"""A process that decodes what it is sent and survives nothing: its death names the input."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import re
import resource
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import numpy as np

from service.errors import ServiceError
from service.images.codec import ImageLimits
from service.threads import one_thread

Decode = Callable[[bytes, ImageLimits], "np.ndarray[Any, Any]"]
HANG: Final = 30.0
"""Seconds after which a decoder is taken for hung."""
_ROOM: Final = 8 << 30  # of address space: a bomb shall not take the machine with it
_M_MMAP_THRESHOLD: Final = -3  # mallopt(3)
_PIPE: Final = 1 << 16  # bytes
_START: Final = 60.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one input.

    Attributes:
        result: "picture WxH", the refusal with its numbers left out, or a fault: "raised ...",
            "died with ..." its exit status or, negative, its signal, "hung".
        ms: of the processor, all threads together, for decoding.
        mb: of memory at the peak over what the process takes when idle, in 10**6 bytes.
    """

    result: str
    ms: float = 0.0
    mb: float = 0.0

    @property
    def dead(self) -> bool:
        return self.result.startswith(("died", "hung"))

    @property
    def fault(self) -> bool:
        return self.dead or self.result.startswith("raised")


class Worker:
    """Runs `decode` on inputs in a process of its own, a new one after each death."""

    def __init__(self, decode: Decode, limits: ImageLimits) -> None:
        self._work = decode, limits
        self._context = multiprocessing.get_context("spawn")
        self._start()

    def run(self, inputs: Sequence[bytes]) -> list[Outcome]:
        """What becomes of each of `inputs`, in order; a death is charged to the one it was of."""
        outcomes: list[Outcome] = []
        while len(outcomes) < len(inputs):
            for _ in range(self._send(inputs[len(outcomes) :])):
                outcomes.append(self._answer())
                if outcomes[-1].dead:
                    break  # what was sent with it is sent again
        return outcomes

    def _send(self, inputs: Sequence[bytes]) -> int:
        """Sends as many as the pipe takes without waiting, at least one, and says how many."""
        sent = size = 0
        with suppress(OSError):  # it died meanwhile; the answers say of what
            while sent < len(inputs) and (not sent or size + len(inputs[sent]) < _PIPE):
                size += len(inputs[sent]) + 4
                sent += 1
                self._here.send_bytes(inputs[sent - 1])
        return sent

    def _answer(self) -> Outcome:
        try:
            if self._here.poll(HANG):
                return Outcome(*self._here.recv())
            result = "hung"
        except (EOFError, ConnectionError):
            self._process.join()
            result = f"died with {self._process.exitcode}"
        self.close()
        self._start()
        return Outcome(result)

    def close(self) -> None:
        self._here.close()
        self._process.kill()
        self._process.join()

    def _start(self) -> None:
        self._here, there = self._context.Pipe()
        self._process = self._context.Process(target=_serve, args=(there, *self._work), daemon=True)
        self._process.start()
        there.close()
        if not self._here.poll(_START):
            raise TimeoutError("the decoder's process does not start")
        self._here.recv()


def _serve(pipe: Connection, decode: Decode, limits: ImageLimits) -> None:
    """Answers each input until the other end closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libraries write a line for each broken file
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + _ROOM
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    # What is freed goes back at once: otherwise the heap keeps up to 64 MB, by chance.
    ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, 128 * 1024)
    with one_thread(), Path("/proc/self/clear_refs").open("wb", buffering=0) as peak:
        _outcome(b"", decode, limits)
        peak.write(b"5")
        idle = _peak()
        pipe.send("ready")
        while True:
            try:
                data = pipe.recv_bytes()
            except EOFError:
                return
            peak.write(b"5")  # forget the peak so far: proc(5)
            result, seconds = _outcome(data, decode, limits)
            pipe.send((result, seconds * 1e3, max(0, _peak() - idle) / 1e6))


def _outcome(data: bytes, decode: Decode, limits: ImageLimits) -> tuple[str, float]:
    started = time.process_time()  # other work on the machine does not count
    try:
        height, width, _ = decode(data, limits).shape
        result = f"picture {width}x{height}"
    except ServiceError as error:
        result = f"{type(error).__name__}: {re.sub(r'[0-9.]+', 'N', error.message)}"
    except Exception as error:
        result = f"raised {type(error).__name__}: {error}"
    return result, time.process_time() - started


def _peak() -> int:
    """Bytes resident at most; getrusage would begin at the peak of the parent, before its exec."""
    status = Path("/proc/self/status").read_bytes()
    return int(status.partition(b"VmHWM:")[2].split(maxsplit=1)[0]) * 1024
