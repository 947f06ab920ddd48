"""One channel as both sides of the counter see it: what an agent may send, and what the customer has before them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import msgspec

from tests.desk.harness import ADA, Answer, Client
from tests.journeys.composing import FILES
from tests.journeys.street import Street
from trunkline.testing.phones import Action, Bubble

__all__ = ["Counter", "Shown", "counter_of"]

Json = dict[str, Any]


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """One message of ours before the customer's eyes."""

    kind: str
    text: str
    #: Everything that can be read of it.
    words: str
    #: What can be pressed under it.
    choices: tuple[str, ...] = ()


class Counter:
    """A platform of somebody else: its phones show what was received."""

    def __init__(self, street: Street, channel: str, account: str) -> None:
        self.street, self.channel, self.account = street, channel, account
        self.ada: Client = street.client(ADA[0])
        self.thread, self.deliveries = "", list[Json]()
        self._customer, self._count, self._since, self._requests = "", 0, 0, 0

    async def arrive(self) -> None:
        """Let somebody new write."""
        self._count += 1
        self.street.house.clock.advance(seconds=10)  # type: ignore[attr-defined]  # it is a hand's
        hello = f"{self.account} says hello {self._count}"
        await self.greet(hello)
        await self.settle()
        (newest,) = (await self.ada.get("/threads?state=any&limit=1"))["items"]
        assert newest["preview"]["text"] == hello, (hello, newest)
        self.thread, self._since = newest["id"], newest["last_position"]
        self._requests = len(self.street.platforms[self.account].requests(f"{_BATCHED.get(self.account)}*"))

    async def greet(self, hello: str) -> None:
        platform = self.street.platforms[self.account]
        self._customer = platform.add_customer(f"{self.account} {self._count}")
        await platform.act(self._customer, Action(kind="text", text=hello))

    async def shown(self) -> list[Shown]:
        bubbles = self.street.platforms[self.account].chat(self._customer)
        return [_of_bubble(one) for one in bubbles if not one.mine]

    async def settle(self) -> None:
        """Let everything happen that is due."""
        house = self.street.house
        platform: Any = self.street.platforms[self.account]
        await house.workers["pull"].settle()
        application: Any = house.applications["desk"]
        await application.desk.settle()
        await house.workers["application:desk"].settle()
        await house.outbox.settle()
        if hasattr(platform, "settled"):
            await platform.settled()
        await house.workers["pull"].settle()

    # ---------------------------------------------------------------- the agent

    async def templates(self) -> list[Json]:
        answer = await self.ada.call("GET", f"/accounts/{self.account}/templates")
        return [one for one in answer.json["items"] if one["usable"]] if answer.status == 200 else []

    async def with_files(self, body: Json) -> Json:
        """Upload the files that a body names, and return it with their ids."""
        return dict(await self._filled(body))

    async def _filled(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: await self._filled(one) for name, one in value.items()}
        if isinstance(value, list):
            return [await self._filled(one) for one in value]
        return await self._upload(value) if value in FILES else value

    async def _upload(self, name: str) -> str:
        mime, content = FILES[name]
        answer = await self.ada.call("POST", f"/media?name={name}", headers={"Content-Type": mime}, data=content)
        assert answer.status == 201, answer.raw
        return str(answer.json["id"])

    async def preview(self, body: Json) -> Json:
        answer = await self.ada.call("POST", f"/threads/{self.thread}/preview", body)
        assert answer.status == 200, answer.raw
        return dict(answer.json)

    async def send(self, body: Json) -> Answer:
        """Send it; the deliveries stand in `deliveries` as they ended."""
        answer = await self.ada.call("POST", f"/threads/{self.thread}/messages", body)
        await self.settle()
        said = (await self.ada.get(f"/threads/{self.thread}/messages?limit=40"))["items"]
        ours = [one for one in said if one["direction"] == "out" and one["position"] > self._since]
        self.deliveries = [one for message in ours for one in message["deliveries"]]
        return answer

    def requests(self) -> int | None:
        """Return how many requests carried what was sent; None where each carries one part, as is seen."""
        path = _BATCHED.get(self.account)
        made = self.street.platforms[self.account].requests(f"{path}*")[self._requests :]
        return None if path is None else len(made)

    async def window(self) -> int | None:
        """Return how many messages the platform still takes, as the thread says it."""
        window = (await self.ada.get(f"/threads/{self.thread}"))["window"]
        return None if window is None else window["remaining"]


class HostedCounter(Counter):
    """A channel of ours: its client asks for what it has to show."""

    def __init__(self, street: Street, channel: str, account: str, headers: Json) -> None:
        super().__init__(street, channel, account)
        self._headers = headers

    async def greet(self, hello: str) -> None:
        if "Authorization" not in self._headers:
            token = (await self.street.visits("POST", "/tokens", {}, **self._headers)).json["token"]
            self._headers = {**self._headers, "Authorization": f"Bearer {token}"}
        body = {"client_id": str(uuid.uuid4()), "kind": "text", "text": hello}
        answer = await self.street.visits("POST", "/threads/live/messages", body, **self._headers)
        assert answer.status < 300, answer.raw

    async def shown(self) -> list[Shown]:
        answer = await self.street.visits("GET", "/threads/live/messages?limit=40", **self._headers)
        assert answer.status == 200, answer.raw
        said = [one for one in answer.json["messages"] if one["author"]["kind"] == "agent"]
        return [_of_message(one) for one in said if one["pos"] > self._since]


def _of_bubble(bubble: Bubble) -> Shown:
    lines = [bubble.text, bubble.url or ""]
    for card in bubble.cards:
        presses = [word for press in card.buttons for word in (press.label, press.url or "")]
        lines += [card.title, card.text, card.url or "", *presses]
    choices = tuple(press.label for press in bubble.quick_replies)
    lines += [word for press in bubble.quick_replies for word in (press.label, press.url or "")]
    return Shown(kind=bubble.kind, text=bubble.text, words="\n".join(lines), choices=choices)


def _of_message(message: Json) -> Shown:
    cards = message.get("cards") or ([message] if message["kind"] == "card" else [])
    lines = [message.get("text") or "", message.get("title") or ""]
    for card in cards:
        actions = [word for one in card["actions"] for word in (one["label"], one["url"] or "")]
        lines += [card["title"], card.get("body") or "", *actions]
    kind = "text" if message["kind"] == "quick_replies" else message["kind"]
    choices = tuple(one["label"] for one in message.get("options") or ())
    return Shown(kind=kind, text=message.get("text") or "", words="\n".join(lines), choices=choices)


def _app(street: Street) -> Json:
    key = street.platforms["sdk"].settings()["keys"][0]["key"]
    return {"X_Inbox_Key": key, "X_SDK_Platform": "ios", "X_SDK_Version": "3.0.3"}


def _site(form: str) -> Callable[[Street], Json]:
    def headers(street: Street) -> Json:
        key = street.platforms["web"].settings()["key"]
        return {"X_Inbox_Key": key, "X_SDK_Platform": "web", "X_SDK_Form": form}

    return headers


#: Channel of ours → its account, and how its client introduces itself.
_HOSTED: dict[str, tuple[str, Callable[[Street], Json]]] = {
    "app_sdk": ("sdk", _app), "web_desktop": ("web", _site("desktop")), "web_mobile": ("web", _site("mobile")),
}  # fmt: skip
#: Where the account is not called as its channel.
_ACCOUNTS = {"baidu_ad": "baidu"}


#: Account of a platform that takes several messages in a request → its path.
_BATCHED = {"line": "/v2/bot/message/"}


def counter_of(street: Street, channel: str) -> Counter:
    """Return the counter of a channel."""
    if channel in _HOSTED:
        account, headers = _HOSTED[channel]
        return HostedCounter(street, channel, account, headers(street))
    return Counter(street, channel, _ACCOUNTS.get(channel, channel))
