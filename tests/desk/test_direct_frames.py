"""Frames that are written without aiohttp's help: a client must read them as any other, and in order."""

from __future__ import annotations

import pytest
from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestClient, TestServer

from trunkline_desk.api.sockets import Connection
from trunkline_desk.people.roles import Actor, Role

ADA = Actor("ada", "Ada", "ada@shop.example", Role.AGENT, "token")


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 70_000])
async def test_a_frame_of_any_length_arrives_whole_between_others(size: int) -> None:
    body = b"x" * size

    async def stream(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        connection = Connection(socket, request, ADA)
        await connection.send(b"first")
        assert connection.write(body)
        await connection.send(b"last")
        await socket.close()
        return socket

    app = web.Application()
    app.router.add_get("/", stream)
    async with TestClient(TestServer(app)) as client, client.ws_connect("/") as socket:
        found = [message async for message in socket]
    assert [message.type for message in found] == [WSMsgType.TEXT] * 3
    assert [message.data.encode() for message in found] == [b"first", body, b"last"]


async def test_nothing_is_written_past_what_waits() -> None:
    class Full:
        def is_closing(self) -> bool:
            return False

        def get_write_buffer_size(self) -> int:
            return 1

    class Socket:
        closed = False

    class Request:
        transport = Full()

    assert not Connection(Socket(), Request(), ADA).write(b"{}")  # type: ignore[arg-type] # the parts that are looked at
