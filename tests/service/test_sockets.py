"""Sockets to listen on."""

from __future__ import annotations

import asyncio
import socket
from contextlib import closing

import pytest

from service.sockets import listen


async def test_what_is_written_to_a_connection_goes_out_at_once() -> None:
    """Else an answer in two parts waits for the acknowledgement of the first, 40 ms."""
    delays: list[int] = []

    async def on_caller(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = writer.get_extra_info("socket")
        delays.append(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    listening = listen("127.0.0.1", 0, "http")
    async with await asyncio.start_server(on_caller, sock=listening):
        reader, writer = await asyncio.open_connection(*listening.getsockname())
        await reader.read()
        writer.close()
        await writer.wait_closed()
    assert delays == [1]


def test_a_port_that_is_taken_is_named_with_its_setting() -> None:
    with closing(listen("127.0.0.1", 0, "grpc")) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"127.0.0.1:{port} .* POSEWIRE_GRPC_PORT"):
            listen("127.0.0.1", port, "grpc")


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(OSError, match="POSEWIRE_HOST"):
        listen("192.0.2.1", 0, "http")
