"""Visitors and agents of the tests: clients of the real door that hold every answer against the document."""

from __future__ import annotations

import asyncio
import uuid
from types import TracebackType
from typing import Any, Self

import aiohttp
import msgspec
from pydantic import BaseModel, ConfigDict
from sqlalchemy import select

from tests.core.conftest import HandClock
from tests.hosted.booth import BoothConnector
from trunkline.hosted.answers import Refusal
from trunkline.hosted.calls import ClientRoute
from trunkline.hosted.door import FRONT, SOCKETS
from trunkline.hosted.front import PREFIX, Front
from trunkline.hosted.sockets import PROTOCOL, Sockets
from trunkline.model import Actor, ActorKind, Author, AuthorKind
from trunkline.service.house import House
from trunkline.service.replies import Draft, post_reply
from trunkline.store import schema

KEY, OTHER_KEY = "ak_test_0001", "wk_test_0002"
ADA = Author(kind=AuthorKind.AGENT, id="a-1", name="Ada")
Socket = aiohttp.ClientWebSocketResponse[Any]


class Answer(msgspec.Struct):
    status: int
    headers: Any
    raw: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.raw) if self.raw else None

    @property
    def code(self) -> str | None:
        return self.json["error"]["code"] if self.status >= 400 else None


class Place:
    """A house with hosted accounts that serves."""

    def __init__(self, house: House, clock: HandClock, address: str, client: Any) -> None:
        self.house, self.clock, self.address = house, clock, address
        self.front: Front = client[FRONT]
        self.sockets: Sockets = client[SOCKETS]
        self.session = aiohttp.ClientSession()
        self.open: list[Socket] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for socket in self.open:
            await socket.close()
        await self.session.close()

    def connector(self, account: str = "shop") -> BoothConnector:
        found = self.house.accounts.get(account)
        assert found is not None
        assert isinstance(found.connector, BoothConnector)
        return found.connector

    async def call(self, method: str, path: str, body: Any = None, **options: Any) -> Answer:
        """Call `path` below /client/v1; an answer that differs from the document fails the test."""
        if body is not None:
            options["data"] = body if isinstance(body, bytes) else msgspec.json.encode(body)
            options["headers"] = {"Content-Type": "application/json", **options.get("headers", {})}
        url = path if path.startswith(("http", PREFIX)) else f"{PREFIX}{path}"
        url = url if url.startswith("http") else f"{self.address}{url}"
        async with self.session.request(method, url, allow_redirects=False, **options) as response:
            answer = Answer(response.status, response.headers, await response.read())
        if method != "OPTIONS":
            self._check(method, url, answer)
        return answer

    def _check(self, method: str, url: str, answer: Answer) -> None:
        assert answer.headers["X-Request-Id"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        route = self._route_of(method, url.partition(PREFIX)[2].partition("?")[0])
        if answer.status >= 400:
            strict(Refusal).model_validate_json(answer.raw)
            return
        assert route is not None, f"{method} {url} is in no table"
        assert answer.status in {route.status, *route.also}
        if route.answer is not None and answer.raw:
            strict(route.answer).model_validate_json(answer.raw)

    def _route_of(self, method: str, path: str) -> ClientRoute | None:
        parts = path.split("/")
        for route in self.front.calls:
            wanted = route.path.split("/")
            fits = len(wanted) == len(parts) and all(
                mine == theirs or mine.startswith("{") for mine, theirs in zip(wanted, parts, strict=True)
            )
            if route.method == method and fits:
                return route
        return None

    async def visitor(self, *, key: str = KEY, form: str = "desktop", **body: Any) -> Visitor:
        """Somebody with a token."""
        headers = {"X-Inbox-Key": key, "X-SDK-Platform": "web", "X-SDK-Form": form}
        # Offices share addresses, tests even more so.
        answer = await self.call("POST", "/tokens", body, headers=headers)
        assert answer.status == 201, answer.raw
        return Visitor(self, answer.json, key)

    async def reply(self, thread_id: str, text: str = "Hello", **draft: Any) -> str:
        """Let Ada answer; returns the id of the message. Its delivery is done."""
        actor = Actor(ActorKind.AGENT, "a-1", "Ada")
        house, now = self.house, self.clock.now
        wish = Draft(text=text, **draft)
        message_id = await house.store.writer.write(
            lambda tx: post_reply(tx, house, thread_id, wish, author=ADA, actor=actor, now=now)
        )
        await house.outbox.settle()
        return message_id

    async def states(self, thread_id: str) -> list[str]:
        """The states of all deliveries of a thread, in order."""
        d = schema.delivery.c
        async with self.house.store.read() as connection:
            query = select(d.state).where(d.thread_id == thread_id).order_by(d.position, d.part)
            return list((await connection.execute(query)).scalars())

    async def rows(self, table: Any, *conditions: Any) -> list[Any]:
        async with self.house.store.read() as connection:
            return list((await connection.execute(select(table).where(*conditions))).fetchall())


class Visitor:
    """Somebody who writes to us."""

    def __init__(self, place: Place, answer: dict[str, Any], key: str) -> None:
        self.place, self.given, self.key = place, answer, key
        self.token, self.cursor = answer["token"], answer["cursor"]
        self.id = answer["contact"]["id"]

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}", "X-SDK-Platform": "web"}

    async def call(self, method: str, path: str, body: Any = None, **options: Any) -> Answer:
        headers = {**self.headers, **options.pop("headers", {})}
        return await self.place.call(method, path, body, headers=headers, **options)

    async def get(self, path: str, **options: Any) -> Any:
        answer = await self.call("GET", path, **options)
        assert answer.status == 200, answer.raw
        return answer.json

    async def post(self, path: str, body: Any = None, *, status: int | None = None, **options: Any) -> Any:
        answer = await self.call("POST", path, {} if body is None else body, **options)
        assert answer.status < 300 if status is None else answer.status == status, answer.raw
        return answer.json

    async def say(self, text: str = "Hello", client_id: str | None = None, **more: Any) -> Any:
        """Send a text; returns the answer's body."""
        return await self.post("/threads/live/messages", message(text, client_id, **more))

    async def thread(self, text: str = "Hello") -> str:
        """Send a text and return our id of the thread."""
        said = await self.say(text)
        return str(said["message"]["thread_id"]).removeprefix("th_")

    async def changes(self, cursor: str | None = None, **query: Any) -> Any:
        params = {"cursor": cursor or self.cursor, **{name: str(value) for name, value in query.items()}}
        return await self.get("/changes", params=params)

    async def texts(self, thread: str = "live") -> list[str]:
        page = await self.get(f"/threads/{thread}/messages?limit=100")
        return [one["text"] for one in page["messages"]]

    async def connect(self, **hello: Any) -> Socket:
        """Open a socket and say hello."""
        socket = await raw_socket(self.place)
        first = {"t": "hello", "token": self.token, "platform": "web", "protocol": 1, "visible": True, **hello}
        await socket.send_json({name: value for name, value in first.items() if value is not None})
        return socket

    async def ready(self, **hello: Any) -> tuple[Socket, dict[str, Any]]:
        """Open a socket and return it with the frame `ready`."""
        socket = await self.connect(**hello)
        frame = await until(socket, "ready")
        return socket, frame


async def raw_socket(place: Place, **options: Any) -> Socket:
    options.setdefault("protocols", (PROTOCOL,))
    socket: Socket = await place.session.ws_connect(f"{place.address}{PREFIX}/ws", **options)
    place.open.append(socket)
    return socket


def message(text: str = "Hello", client_id: str | None = None, **more: Any) -> dict[str, Any]:
    return {"client_id": client_id or str(uuid.uuid4()), "kind": "text", "text": text, **more}


async def until(socket: Socket, kind: str) -> dict[str, Any]:
    """Read frames until one of this type comes, and return it."""
    async with asyncio.timeout(60):
        while True:
            frame: dict[str, Any] = await socket.receive_json()
            if frame["t"] == kind:
                return frame


async def changes_until(socket: Socket, text: str) -> list[dict[str, Any]]:
    """Read changes until a message with this text was told, and return all of them."""
    found = []
    async with asyncio.timeout(60):
        while True:
            frame: dict[str, Any] = await socket.receive_json()
            if frame["t"] == "change":
                found.append(frame)
                if frame["data"].get("text") == text:
                    return found


async def closed(socket: Socket) -> int | None:
    """Read until the server ends the connection and return its code."""
    async with asyncio.timeout(60):
        while not socket.closed:
            await socket.receive()
    return socket.close_code


_STRICT: dict[type[BaseModel], type[BaseModel]] = {}


def strict(model: type[BaseModel]) -> type[BaseModel]:
    """Return the model with fields that it does not declare forbidden."""
    if model.model_config.get("extra") == "allow":
        return model
    if model not in _STRICT:
        _STRICT[model] = type(model.__name__, (model,), {"model_config": ConfigDict(extra="forbid")})
    return _STRICT[model]
