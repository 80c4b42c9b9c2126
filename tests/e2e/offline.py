"""`python -m tests.e2e.offline PICTURE`: the service as a machine without network has it.

Run in a network of its own, which has nothing but an address of its own. Starts a server with the
settings of the environment, posts the picture as soon as it is ready, and prints as JSON what was
answered, how many seconds that took from the start, and which libraries the server had loaded.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import struct
import sys
import tempfile
import time
from pathlib import Path

import httpx

from tests.e2e.server import Server, server

_LISTS, _SETS = 0x8913, 0x8914  # SIOCGIFFLAGS and SIOCSIFFLAGS of Linux
_UP = 0x1
_FLAGS = struct.Struct("16sh22x")  # a `struct ifreq` of an interface's flags


def main(picture: Path) -> None:
    """Prints one line of JSON."""
    _begin_loopback()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, server(dict(os.environ), _log(folder)) as started:
        body = picture.read_bytes()
        answer = httpx.post(f"{started.http}/v1/poses", content=body, timeout=60)
        seconds = time.monotonic() - began
        said = {"status": answer.status_code, "answer": answer.json(), "seconds": seconds}
        print(json.dumps({**said, "libraries": _libraries(started), "log": started.log}))


def _log(folder: str) -> Path:
    return Path(folder) / "log"


def _begin_loopback() -> None:
    """A new network has an own address, but it is down."""
    with socket.socket() as asked:
        held = fcntl.ioctl(asked, _LISTS, _FLAGS.pack(b"lo", 0))
        _, flags = _FLAGS.unpack(held)
        if not flags & _UP:
            fcntl.ioctl(asked, _SETS, _FLAGS.pack(b"lo", flags | _UP))


def _libraries(started: Server) -> list[str]:
    """Names of the files that a server has mapped as code or data."""
    mapped = Path(f"/proc/{started.process.pid}/maps").read_text("utf-8").splitlines()
    return sorted(
        {Path(fields[5]).name for line in mapped if len(fields := line.split(None, 5)) > 5}
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
