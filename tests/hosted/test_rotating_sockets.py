"""Sockets and the token that follows: told in `ready`, and closed when the one that opened them is over."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.hosted.people import Place, Socket, closed, until
from tests.hosted.test_rotating import day_two, holding, offered
from trunkline.hosted.visitors import fingerprint
from trunkline.store import schema

_ROW = schema.visitor_token


async def test_a_hello_with_the_token_of_yesterday_is_told_the_next(place: Place) -> None:
    ana = await place.visitor()
    _, young = await ana.ready()
    assert "next_token" not in young
    place.clock.advance(hours=24)
    _, ready = await ana.ready()
    assert ready["next_token"] == await offered(ana)
    next_one = holding(ana, ready["next_token"])
    _, ready = await next_one.ready()
    assert "next_token" not in ready
    (row,) = await place.rows(_ROW)
    assert row.token_hash == fingerprint(next_one.token)


async def alive(socket: Socket) -> bool:
    await socket.send_json({"t": "ping", "n": 1})
    return bool((await until(socket, "pong"))["n"] == 1)


async def test_a_socket_stays_until_the_token_that_opened_it_is_over(place: Place) -> None:
    """Then it is sent away to come back with the next one; whoever stole the old one does not come back."""
    ana, next_one = await day_two(place)
    old, _ = await ana.ready()
    new, _ = await next_one.ready()
    place.clock.advance(seconds=3599)
    await place.sockets.sweep()
    assert await alive(old)
    place.clock.advance(seconds=1)
    await place.sockets.sweep()
    assert await closed(old) == 1012
    assert await alive(new)
    assert await closed(await ana.connect()) == 4401


async def test_a_socket_that_opens_while_the_others_are_looked_through_stays(
    booth: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is in no answer that was asked for before it came."""
    ana, bo = await booth.visitor(), await booth.visitor()
    await ana.ready()
    late: list[Socket] = []
    read = booth.house.store.read

    @asynccontextmanager
    async def slow() -> AsyncIterator[Any]:
        monkeypatch.undo()
        async with read() as connection:
            socket, _ = await bo.ready()
            late.append(socket)
            yield connection

    monkeypatch.setattr(booth.house.store, "read", slow)
    await booth.sockets.sweep()
    assert await alive(late[0])
