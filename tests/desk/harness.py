"""What the desk's tests hold in hand: a client that checks every answer, and customers who write."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, Self

import aiohttp
import msgspec
from pydantic import BaseModel, ConfigDict

from tests.core.conftest import HandClock
from tests.desk.wire import WireConnector
from trunkline.service.house import House
from trunkline_desk.api.models.house import Problem
from trunkline_desk.api.route import Route
from trunkline_desk.api.table import PREFIX, ROUTES
from trunkline_desk.application import DeskApplication

ADA = ("ada@shop.example", "Ada", "admin")
BO = ("bo@shop.example", "Bo", "agent")
PASSWORD = "plum kettle orbit lantern"


Socket = aiohttp.ClientWebSocketResponse[Any]


class Answer(msgspec.Struct):
    """An answer that was read."""

    status: int
    headers: Any
    raw: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.raw) if self.raw else None

    @property
    def code(self) -> str | None:
        body = self.json
        return body.get("code") if isinstance(body, dict) else None


class Client:
    """Somebody who calls the API, with a token or without. Answers that differ from the document fail the test."""

    def __init__(self, session: aiohttp.ClientSession, address: str, token: str | None) -> None:
        self.session, self.address, self.token = session, address, token
        self.sockets: list[Socket] = []

    async def call(self, method: str, path: str, body: Any = None, **options: Any) -> Answer:
        """Call `path` below /api/v1."""
        headers = {**self.headers, **options.pop("headers", {})}
        if body is not None:
            options["data"] = msgspec.json.encode(body)
            headers.setdefault("Content-Type", "application/json")
        url = f"{self.address}{PREFIX}{path}"
        async with self.session.request(method, url, headers=headers, allow_redirects=False, **options) as response:
            answer = Answer(response.status, response.headers, await response.read())
        _check(method, path, answer)
        return answer

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    async def get(self, path: str, **options: Any) -> Any:
        """GET and return the JSON of a 200."""
        answer = await self.call("GET", path, **options)
        assert answer.status == 200, answer.raw
        return answer.json

    async def post(self, path: str, body: Any = None, **options: Any) -> Any:
        """POST and return the JSON of a 2xx."""
        answer = await self.call("POST", path, {} if body is None else body, **options)
        assert answer.status < 300, answer.raw
        return answer.json

    async def ticket(self) -> str:
        return str((await self.post("/stream/tickets"))["ticket"])

    async def listen(self, cursor: int | None = None, *, at: str | None = None, **options: Any) -> Socket:
        """Open the live feed as the inbox does."""
        place = {"cursor": None if cursor is None else str(cursor), "at": at}
        query = {"ticket": await self.ticket(), **{name: value for name, value in place.items() if value is not None}}
        headers = {"Origin": self.address, **options.pop("headers", {})}
        return await self.connect(query, headers, **options)

    async def connect(self, params: dict[str, str], headers: dict[str, str], **options: Any) -> Socket:
        """Open the live feed with exactly these parameters and headers."""
        url = f"{self.address}{PREFIX}/stream"
        socket: Socket = await self.session.ws_connect(url, params=params, headers=headers, **options)
        self.sockets.append(socket)
        return socket


def _check(method: str, path: str, answer: Answer) -> None:
    """Hold an answer against the document: status, media type, shape, nothing more and nothing less."""
    route = _route_of(method, path)
    assert answer.headers["X-Request-Id"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    if answer.status >= 400:
        assert answer.headers["Content-Type"].startswith("application/problem+json")
        _strict(Problem).model_validate_json(answer.raw)
        return
    assert route is not None, f"{method} {path} is not in the table"
    if route.answer is not None:
        assert answer.status == route.status
        _strict(route.answer).model_validate_json(answer.raw)


def _route_of(method: str, path: str) -> Route | None:
    parts = path.partition("?")[0].split("/")
    for route in ROUTES:
        wanted = route.path.split("/")
        same = len(wanted) == len(parts) and all(
            w == p or w.startswith("{") for w, p in zip(wanted, parts, strict=True)
        )
        if route.method == method and same:
            return route
    return None


_STRICT: dict[type[BaseModel], type[BaseModel]] = {}


def _strict(model: type[BaseModel]) -> type[BaseModel]:
    """Return the model with fields that it does not declare forbidden."""
    if model not in _STRICT:
        _STRICT[model] = type(model.__name__, (model,), {"model_config": ConfigDict(extra="forbid")})
    return _STRICT[model]


class Running:
    """A desk that serves, and the world around it."""

    def __init__(self, house: House, clock: HandClock, address: str, tokens: dict[str, str]) -> None:
        self.house, self.clock, self.address, self.tokens = house, clock, address, tokens
        self.session = aiohttp.ClientSession()
        self._events = 0
        self._clients: list[Client] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in self._clients:
            for socket in client.sockets:
                await socket.close()
        await self.session.close()

    def client(self, email: str | None) -> Client:
        made = Client(self.session, self.address, self.tokens[email] if email else None)
        self._clients.append(made)
        return made

    @property
    def application(self) -> DeskApplication:
        application = self.house.applications["desk"]
        assert isinstance(application, DeskApplication)
        return application

    def connector(self, account: str = "shop") -> WireConnector:
        found = self.house.accounts.get(account)
        assert found is not None
        assert isinstance(found.connector, WireConnector)
        return found.connector

    async def customer(self, text: str = "Hello", *, account: str = "shop", sender: str = "u1", **event: Any) -> str:
        """Let a customer write and return the id of the event; its effects are committed, also those of the desk."""
        self._events += 1
        event = {"id": f"e{self._events}", "from": sender, "name": sender.title(), "text": text, **event}
        await self.platform({"events": [event]}, account=account)
        return str(event["id"])

    async def platform(self, body: Any, *, account: str = "shop") -> None:
        """POST a webhook as the platform would."""
        raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
        headers = {"x-wire": f"{account}-invented-secret"}
        async with self.session.post(f"{self.address}/webhooks/{account}", data=raw, headers=headers) as response:
            assert response.status == 200, await response.text()
        await self.settle()

    async def settle(self) -> None:
        """Let everything happen that is due."""
        await self.application.desk.settle()
        await self.house.workers["application:desk"].settle()
        await self.house.outbox.settle()
        await self.house.workers["search"].settle()

    async def thread(self, text: str = "Hello", *, account: str = "shop", sender: str = "u1") -> str:
        """Let a customer write and return the thread."""
        await self.customer(text, account=account, sender=sender)
        page = await self.client(ADA[0]).get("/threads?state=any")
        return str(next(item["id"] for item in page["items"] if item["preview"]["text"] == text))


async def begin(socket: Socket) -> dict[str, Any]:
    """Read how a feed begins, and return the signs of those who are there."""
    async with asyncio.timeout(60):
        assert (await socket.receive_json())["type"] == "hello"
        present: dict[str, Any] = await socket.receive_json()
    assert present.keys() == {"type", "items"}
    assert present["type"] == "present"
    return present


async def frames(socket: Socket, until: str) -> list[dict[str, Any]]:
    """Read the live feed until an event of this kind came, and return all events."""
    events: list[dict[str, Any]] = []
    async with asyncio.timeout(60):
        while not any(event["kind"] == until for event in events):
            frame = await socket.receive_json()
            events += frame.get("events", [])
    return events


async def closed(socket: Socket) -> int | None:
    """Read until the server ends the connection and return its code."""
    async with asyncio.timeout(60):
        while not socket.closed:
            await socket.receive()
    return socket.close_code
