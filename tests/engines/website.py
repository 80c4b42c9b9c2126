"""A real web server of a few files, which can be made to fail."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

Damage = Literal["cut", "cut chunk", "rubbish"]


@dataclass
class Site:
    """A web server of files, some of which it fails to send."""

    address: str
    files: dict[str, bytes]
    damaged: dict[str, Damage] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)


@contextmanager
def serving() -> Iterator[Site]:
    """A site on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.asked.append(self.path)
            data, damage = site.files.get(self.path), site.damaged.get(self.path)
            if data is None:
                self.send_error(404)
            elif damage == "rubbish":
                self.wfile.write(b"SSH-2.0-OpenSSH_9.9\r\n")
            elif damage == "cut chunk":
                chunk = f"{len(data):x}\r\n".encode() + data[: len(data) // 2]
                self.send("Transfer-Encoding", "chunked", chunk)
            else:
                sent = data[: len(data) // 2] if damage == "cut" else data
                self.send("Content-Length", str(len(data)), sent)

        def send(self, name: str, value: str, body: bytes) -> None:
            self.protocol_version = "HTTP/1.1"
            self.close_connection = True
            self.send_response(200)
            self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        site = Site(f"http://127.0.0.1:{server.server_address[1]}", {})
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield site
        server.shutdown()
        thread.join()
