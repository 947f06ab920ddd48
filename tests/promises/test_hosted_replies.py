"""P5 on every hosted channel: replies reach the visitor once and in order, whatever breaks on the way.

Push run: 100 replies on each channel of both databases, each posted under one key until the house says yes, one in five
once more without waiting for the answer; 10 visitors on each, who listen over sockets that are cut after some frames
and over polls whose answers are lost; the server is killed twice in the middle.
"""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Sequence
from typing import Any

import pytest

from tests.conftest import Rounds
from tests.promises.conftest import Servers
from tests.promises.guests import ACCOUNTS, KINDS, Guest, arrived
from tests.promises.history import Database
from tests.promises.replies import Agent, kill_by_and_by, signed_in, until

pytestmark = [pytest.mark.promise("P5"), pytest.mark.timeout(1500)]

_CROWD = 10
_NOT_DELIVERED = "SELECT count(*) FROM delivery WHERE state NOT IN ('delivered', 'read')"
_FLAGGED = "SELECT count(*) FROM delivery WHERE maybe_duplicate"


class Chat:
    """A visitor, what was written to them, and what went wrong."""

    def __init__(self, guest: Guest, thread: str) -> None:
        self.guest, self.thread = guest, thread
        self.written: list[str] = []

    @property
    def missed(self) -> set[str]:
        return set(self.written) - set(self.guest.heard())

    @property
    def doubled(self) -> int:
        numbers = [number for number, _, _ in self.guest.told]
        return len(numbers) - len(set(numbers))

    @property
    def disordered(self) -> bool:
        """Whether what was told, copies apart, came in another order than it was written."""
        heard = list(dict.fromkeys(self.guest.heard()))
        return heard != [text for text in self.written if text in heard]


async def test_replies_reach_every_visitor_once_and_in_order_through_cuts_and_kills(
    servers: Servers, database_url: str, rounds: Rounds
) -> None:
    each = rounds(push=100, long=3_000)
    chats = await _talk(servers, database_url, each, kills=2, once_more=True)
    assert sum(len(chat.written) for chat in chats) == (each + 3) * len(KINDS)
    assert [chat.missed for chat in chats if chat.missed] == []
    assert [chat.doubled for chat in chats if chat.doubled] == []
    assert not any(chat.disordered for chat in chats)
    assert sum(chat.guest.resets for chat in chats) == 0, "A kill makes no cursor worthless."
    assert Database(database_url).rows(_FLAGGED) == [(0,)]


async def test_going_on_before_the_cursor_is_caught(servers: Servers, sqlite_url: str) -> None:
    chats = await _talk(servers, sqlite_url, 20, kills=0, seeds={"steps_back": ""}, once_more=True)
    assert any(chat.doubled for chat in chats)


async def test_telling_the_newest_first_is_caught(servers: Servers, sqlite_url: str) -> None:
    chats = await _talk(servers, sqlite_url, 20, kills=0, seeds={"newest_first": ""}, once_more=True)
    assert any(chat.disordered or chat.doubled or chat.missed for chat in chats)


async def test_cursors_that_die_with_the_server_are_caught(servers: Servers, sqlite_url: str) -> None:
    chats = await _talk(servers, sqlite_url, 20, kills=1, seeds={"cursors_of_one_start": ""})
    assert sum(chat.guest.resets for chat in chats) > 0


async def _talk(
    servers: Servers,
    url: str,
    each: int,
    *,
    kills: int,
    seeds: dict[str, object] | None = None,
    once_more: bool = False,
) -> list[Chat]:
    """Let an agent write so many replies on each channel while connections break; returns all chats."""
    more: dict[str, Any] = {"accounts": ACCOUNTS, "seeds": {"no_client_limits": "", **(seeds or {})}, "start": False}
    server = await servers(url, **more)
    async with signed_in(server) as ada, arrived([server.address], KINDS, _CROWD) as guests:
        chats = [Chat(guest, await _first_word(guest)) for guest in guests]
        over = asyncio.Event()
        listening = [asyncio.create_task(_listen(chat.guest, over, random.Random(at))) for at, chat in enumerate(chats)]
        writing = [_write(ada, chat, each // _CROWD, random.Random(at)) for at, chat in enumerate(chats)]
        await asyncio.gather(kill_by_and_by([server], ada, kills, each * len(KINDS)), *writing)
        over.set()
        await asyncio.gather(*listening)
        await _to_the_end(chats, Database(url))
        for chat in chats[::_CROWD] if once_more else ():
            await _one_more(ada, chat)
    return chats


async def _first_word(guest: Guest) -> str:
    answer = await guest.say("Hello?", str(uuid.uuid4()))
    return str(answer["message"]["thread_id"]).removeprefix("th_")


async def _listen(guest: Guest, over: asyncio.Event, lot: random.Random) -> None:
    """Listen as clients on a bad network do: no connection lasts."""
    while not over.is_set():
        way = lot.random()
        if way < 0.6:
            await guest.listen(lot.randrange(1, 8), lot, over)
        elif way < 0.8:
            await guest.poll_and_leave()
        else:
            await guest.poll()


async def _write(ada: Agent, chat: Chat, count: int, lot: random.Random) -> None:
    """Write replies one after another, some of them first without waiting for the answer."""
    for _ in range(count):
        text = f"{chat.thread}-{len(chat.written)}"
        chat.written.append(text)
        if lot.random() < 0.2:
            await ada.reply_and_leave(chat.thread, text)
        await ada.reply(chat.thread, text)


async def _one_more(ada: Agent, chat: Chat) -> None:
    """Write twice to somebody who is away, and once when they have just come back."""
    await _write(ada, chat, 2, random.Random(2))
    await chat.guest.read_to_the_end()
    socket = await chat.guest.connect(chat.guest.cursor)
    await _write(ada, chat, 1, random.Random(1))
    await chat.guest.hear_until(socket, chat.written[-1])
    await chat.guest.read_to_the_end()
    await socket.close()


async def _to_the_end(chats: Sequence[Chat], database: Database) -> None:
    """Let everybody catch up and say so; the deliveries show it, and so does the thread when it is opened anew."""
    for chat in chats:
        await chat.guest.read_to_the_end()
        assert await chat.guest.history() == chat.written
    await until(database, _NOT_DELIVERED)
