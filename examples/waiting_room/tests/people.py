"""The people of the tests: customers with an app, and the agents of the demo in the inbox."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import aiohttp
from trunkline.service.applications import Consumer
from trunkline.service.house import House
from trunkline.service.submissions.settings import SubmissionSetting, save_setting

__all__ = ["KEY", "Agents", "Answer", "Clock", "Customer", "Shop", "heard", "invite"]

KEY = "ak_shop_0001"
PATIENCE_S = 60
#: Name → token.
Agents = dict[str, str]
Socket = aiohttp.ClientWebSocketResponse[Any]


class Clock:
    """Stands still until somebody moves it."""

    def __init__(self) -> None:
        self.now = 1_795_262_400_000

    def now_ms(self) -> int:
        return self.now


class Answer:
    """A status and the JSON that came with it."""

    def __init__(self, status: int, json: Any) -> None:
        self.status, self.json = status, json

    @property
    def code(self) -> str | None:
        return self.json["error"]["code"] if self.status >= 400 else None


async def invite(house: House) -> Agents:
    """Let Ada and Bo of the demo come in."""
    doors = await house.applications["desk"].demonstrate()
    return {who: door.partition("#token=")[2] for who, door in doors}


class Shop:
    """A house that serves."""

    def __init__(self, house: House, clock: Clock, address: str, agents: Agents) -> None:
        self.house, self.clock, self.address, self._agents = house, clock, address, agents
        self._session = aiohttp.ClientSession()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def call(self, method: str, path: str, body: Any, headers: dict[str, str]) -> Answer:
        url = f"{self.address}{path}"
        async with self._session.request(method, url, json=body, headers=headers) as response:
            raw = await response.read()
            return Answer(response.status, await response.json() if raw else None)

    async def customer(self) -> Customer:
        """Return somebody with the app who has not written yet."""
        headers = {"X-Inbox-Key": KEY, "X-SDK-Platform": "ios", "X-SDK-Version": "3.1"}
        given = await self.call("POST", "/client/v1/tokens", {}, headers)
        assert given.status == 201, given.json
        return Customer(self, given.json)

    async def agent(self, name: str, method: str, path: str, body: Any = None) -> Answer:
        """Let Ada or Bo do something in the inbox; the log is read by all applications before this returns."""
        answer = await self.call(method, f"/api/v1{path}", body, {"Authorization": f"Bearer {self._agents[name]}"})
        await self.settle()
        return answer

    async def take(self, thread: str, name: str = "Ada") -> Answer:
        """Let an agent take a thread."""
        return await self.agent(name, "PUT", f"/threads/{thread}/assignee", {"agent_id": "me"})

    async def close(self, thread: str, name: str = "Ada") -> Answer:
        """Let an agent close a thread."""
        return await self.agent(name, "POST", f"/threads/{thread}/close", {})

    async def open_for_forms(self) -> None:
        """Switch the leave-a-message form on."""
        setting, now = SubmissionSetting(enabled=True), self.clock.now
        await self.house.store.writer.write(lambda tx: save_setting(tx, "account", "shop", setting, now))

    async def settle(self) -> None:
        """Return when every application has read the log to its end, what they wrote themselves included."""
        readers = [worker for worker in self.house.workers.values() if isinstance(worker, Consumer)]
        seen = -1
        while seen != (seen := self.house.feed.last_seq):
            for reader in readers:
                await reader.settle()
        await self.house.outbox.settle()


class Customer:
    """Somebody who writes to us."""

    def __init__(self, shop: Shop, given: dict[str, Any]) -> None:
        self.shop, self.given = shop, given
        self._headers = {
            "Authorization": f"Bearer {given['token']}",
            "X-SDK-Platform": "ios",
            "X-SDK-Version": "3.1",
        }

    async def call(self, method: str, path: str, body: Any = None) -> Answer:
        return await self.shop.call(method, f"/client/v1{path}", body, self._headers)

    async def get(self, path: str) -> Any:
        answer = await self.call("GET", path)
        assert answer.status == 200, answer.json
        return answer.json

    async def ask(self, **wish: Any) -> dict[str, Any]:
        """Ask for a person and wait; returns the session."""
        answer = await self.call("POST", "/threads/live/human", wish)
        assert answer.status == 202, answer.json
        session: dict[str, Any] = answer.json
        return session

    async def thread(self) -> str:
        """Return our id of the live thread."""
        listed = (await self.get("/threads"))["threads"]
        return str(listed[0]["id"]).removeprefix("th_")

    async def session(self) -> Any:
        """Return the session that is not over."""
        return (await self.get("/threads/live/session"))["session"]

    async def place(self) -> tuple[int, int]:
        """Return the position and how many are ahead."""
        queue = (await self.session())["queue"]
        return queue["position"], queue["ahead"]

    async def messages(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.get("/threads/live/messages"))["messages"]
        return found

    async def say(self, text: str) -> None:
        body = {"client_id": str(uuid.uuid4()), "kind": "text", "text": text}
        assert (await self.call("POST", "/threads/live/messages", body)).status == 201
        await self.shop.settle()

    async def press(self, message: dict[str, Any], action: dict[str, Any]) -> Answer:
        """Press a button of a card."""
        body = {"client_id": str(uuid.uuid4()), "message_id": message["id"], "action_id": action["id"]}
        answer = await self.call("POST", "/threads/live/postback", body)
        await self.shop.settle()
        return answer

    async def send_form(self, client_id: str | None = None, text: str = "Where is order 42?") -> Answer:
        """Fill the leave-a-message form in."""
        version = (await self.get("/submissions/form"))["version"]
        body = {"client_id": client_id or str(uuid.uuid4()), "form_version": version, "values": {"message": text}}
        answer = await self.call("POST", "/submissions", body)
        await self.shop.settle()
        return answer

    async def changes(self, *kinds: str) -> list[dict[str, Any]]:
        """Return what the customer was told of these kinds since they came, the oldest first."""
        told = (await self.get(f"/changes?cursor={self.given['cursor']}&limit=200"))["changes"]
        return [change["data"] for change in told if change["type"] in kinds]

    async def connect(self, client: aiohttp.ClientSession) -> Socket:
        """Open a socket that listens; `close` it."""
        url = f"{self.shop.address}/client/v1/ws"
        socket: Socket = await client.ws_connect(url, protocols=("occ.v1",))
        hello = {"t": "hello", "token": self.given["token"], "platform": "ios", "version": "3.1", "protocol": 1}
        await socket.send_json({**hello, "cursor": self.given["cursor"], "visible": True})
        return socket


async def heard(socket: Socket, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Read frames until one fits, and return it."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            frame: dict[str, Any] = await socket.receive_json()
            if fits(frame):
                return frame
