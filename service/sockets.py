"""Sockets to listen on."""

from __future__ import annotations

import socket


def listen(host: str, port: int, protocol: str) -> socket.socket:
    """A listening socket; `OSError` says what to do if the port is taken.

    It names its protocol, as `socket.create_server` does not: asyncio turns Nagle's algorithm
    off only where it reads TCP, and with it an answer waits 40 ms for the caller's delayed ACK.
    """
    try:
        family, kind, number, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
        )[0]
        listening = socket.socket(family, kind, number)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            listening.listen(2048)
        except OSError:
            listening.close()
            raise
    except OSError as error:
        raise OSError(
            f"cannot listen on {host}:{port} ({error.strerror}); free the port or set "
            f"POSEWIRE_HOST or POSEWIRE_{protocol.upper()}_PORT"
        ) from error
    return listening
