"""An agent who answers through the API, a LINE that misbehaves by lot, and what customers saw in the end."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import random
import re
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any

import aiohttp

from tests.promises.clients import ask_and_leave
from tests.promises.history import Database
from tests.promises.processes import Server, line_account
from trunkline.testing.faults import Fault
from trunkline_line.simulator import Simulator

__all__ = ["Agent", "Clumsy", "customers_write", "inversions", "kill_by_and_by", "lost", "said", "signed_in", "until"]

_PASSWORD = "plum kettle orbit lantern"
PATIENCE_S = 600.0


class Clumsy(Simulator):
    """A LINE that fails in one way by lot, and counts what it is asked."""

    def __init__(self, *, fault: Fault | None = None, share: float = 0.0) -> None:
        super().__init__()
        self.world.quota = None
        self.fault, self.share = fault, share
        #: Requests to send, those that failed among them; the most that were under way at once.
        self.sends = self.failed = self.most = 0
        self._now, self._lot = 0, random.Random(20)

    def account(self, name: str = "shop") -> str:
        """Return the TOML of an account here."""
        settings = {**self.settings(), "access_token": self.world.long_lived}
        return line_account(name, settings=settings)

    def _next_fault(self, request: Any) -> Fault | None:
        if not _is_send(request):
            return super()._next_fault(request)
        self.sends += 1
        if self.fault is not None and self._lot.random() < self.share:
            self.failed += 1
            return self.fault
        return super()._next_fault(request)

    async def _answered(self, request: Any, *given: Any) -> Any:
        self._now += _is_send(request)
        self.most = max(self.most, self._now)
        try:
            return await super()._answered(request, *given)
        finally:
            self._now -= _is_send(request)


def _is_send(request: Any) -> bool:
    return bool(re.fullmatch(r"/v2/bot/message/(reply|push)", request.path))


def said(line: Simulator) -> dict[str, list[str]]:
    """Return customer → the texts that our side sent, in order."""
    return {
        chat.id: [str(one.message["text"]) for one in chat.said if one.author is None]
        for chat in line.world.chats.values()
    }


def lost(line: Simulator, database: Database, ada: Agent) -> dict[str, str]:
    """Return what the API accepted and that neither reached a customer nor ended visibly, with what is stored of it."""
    arrived = {text for texts in said(line).values() for text in texts}
    query = "SELECT message_id FROM delivery WHERE state IN ('failed', 'expired') AND reason IS NOT NULL"
    ended = {str(message) for (message,) in database.rows(query)}
    silent = {text: message for text, message in ada.accepted.items() if text not in arrived and message not in ended}
    return {text: _evidence(database, message) for text, message in silent.items()}


def _evidence(database: Database, message: str) -> str:
    query = "SELECT id, state, route, attempts, fence, created_at FROM delivery WHERE message_id = ?"
    rows = database.rows(query, message)
    tries = "SELECT number, outcome, route, started_at, ended_at FROM attempt WHERE delivery_id = ? ORDER BY started_at"
    return f"{rows} {[database.rows(tries, row[0]) for row in rows]}"


def inversions(texts: Sequence[str]) -> int:
    """Return how often a text came before one that was written earlier. Texts end in a number that counts up."""
    seen = list(dict.fromkeys(texts))
    numbers = [int(text.rpartition("-")[2]) for text in seen]
    return sum(later < earlier for earlier, later in itertools.pairwise(numbers))


class Agent:
    """Ada, who answers over several servers and tries again under the same key until one of them says yes."""

    def __init__(self, session: aiohttp.ClientSession, servers: Sequence[Server], token: str) -> None:
        self._session, self._servers, self._token = session, servers, token
        self._turn = 0
        #: Text → our id of the message: what the API accepted.
        self.accepted: dict[str, str] = {}

    async def reply(self, thread: str, text: str, *, tries: int = 10_000) -> str | None:
        """Answer and return the message's id; None when no server took it in so many tries."""
        for _ in range(tries):
            status, body = await self.post(f"/threads/{thread}/messages", {"text": text}, key=f"key-{text}")
            if status == 202:
                self.accepted[text] = body["id"]
                return str(body["id"])
            assert status == 0 or status >= 500, (status, body)
            await asyncio.sleep(0.02)
        return None

    async def reply_and_leave(self, thread: str, text: str) -> None:
        """Answer under the key that `reply` uses, and hang up before the house says anything."""
        body, headers = json.dumps({"text": text}).encode(), self._headers(f"key-{text}")
        path = f"/api/v1/threads/{thread}/messages"
        await ask_and_leave(self._servers[0].port, "POST", path, headers, body)

    def _headers(self, key: str | None = None) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}", **({"Idempotency-Key": key} if key else {})}

    async def get(self, path: str) -> tuple[int, Any]:
        """GET from the first server."""
        url = f"{self._servers[0].address}/api/v1{path}"
        async with self._session.get(url, headers=self._headers()) as answer:
            return answer.status, await answer.json(content_type=None)

    async def post(self, path: str, body: Any, *, key: str | None = None) -> tuple[int, Any]:
        """POST to the next server; (0, None) when there was no answer."""
        self._turn += 1
        server = self._servers[self._turn % len(self._servers)]
        headers = self._headers(key)
        with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
            async with self._session.post(f"{server.address}/api/v1{path}", json=body, headers=headers) as answer:
                return answer.status, await answer.json(content_type=None)
        return 0, None


async def kill_by_and_by(made: Sequence[Server], ada: Agent, kills: int, total: int) -> None:
    """Kill one server after the other when a part of the replies is written, and start it again."""
    for number in range(kills):
        while len(ada.accepted) < total * (number + 1) // (kills + 1):  # noqa: ASYNC110 - a figure has no event
            await asyncio.sleep(0.005)
        victim = made[number % len(made)]
        await victim.kill()
        await victim.start()


@contextlib.asynccontextmanager
async def signed_in(*servers: Server) -> AsyncIterator[Agent]:
    """Invite Ada at the first server, which must not run yet; start all servers, and let her in."""
    first = servers[0]
    first.launch("agent", "add", "ada@shop.example", "--role", "admin", "--config", str(first.config))
    assert await first.wait() == 0, first.journal()
    link = re.findall(r"token=([\w-]+)", first.journal())[-1]
    for server in servers:
        await server.start()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64)) as session:
        person = {"token": link, "name": "Ada", "email": "ada@shop.example", "password": _PASSWORD}
        async with session.post(f"{first.address}/api/v1/setup", json=person) as answer:
            body = await answer.json(content_type=None)
            assert answer.status == 201, body
        yield Agent(session, servers, body["token"])


async def customers_write(line: Clumsy, server: Server, count: int, database: Database) -> dict[str, str]:
    """Let so many customers write once; returns customer → our id of the thread."""
    line.webhook_url = f"{server.address}/webhooks/shop"
    for number in range(count):
        await line.customer(f"Customer {number}").text("Hello?")
    return {str(key): str(thread) for key, thread in database.rows("SELECT key, id FROM thread")}


async def until(database: Database, query: str, wanted: Any = 0) -> None:
    """Wait until the first value of a query is `wanted`.

    Raises:
        AssertionError: it never was; says how the deliveries stand.
    """
    found = await database.until(query, wanted, seconds=PATIENCE_S)
    states = Counter(dict(database.rows("SELECT state, count(*) FROM delivery GROUP BY state")))
    assert found == wanted, (found, states)
