"""A LINE of our own on loopback: its API, rules, webhooks and phones."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import msgspec
from aiohttp import web

from trunkline.contract import Clock, WebhookRequest
from trunkline.model import ContentKind
from trunkline.testing import phones
from trunkline.testing.faults import Fault
from trunkline.testing.simulator import Simulator as Base
from trunkline_line.signature import sign
from trunkline_line.simulator.bubbles import bubbles_of, last_words
from trunkline_line.simulator.customer import Customer
from trunkline_line.simulator.platform import Platform
from trunkline_line.simulator.world import Chat, World

__all__ = ["Customer", "Simulator", "Webhook"]

Json = dict[str, Any]
#: What a customer sends at a touch.
_KINDS = ("image", "video", "audio", "file", "sticker", "location")


class Webhook(msgspec.Struct, kw_only=True):
    """One POST to our address and what came of it; status 0 when there was no answer."""

    events: list[Json]
    status: int


class Simulator(Base):
    """One LINE Official Account."""

    title: ClassVar[str] = "LINE"
    accent: ClassVar[str] = "#06c755"
    secret_paths: ClassVar[tuple[str, ...]] = ("/oauth2/", "/v2/oauth/")
    writes: ClassVar[Mapping[ContentKind, phones.Action]] = {
        ContentKind.TEXT: phones.Action(kind="text", text="Is the cup in stock?"),
        ContentKind.CHOICE: phones.Action(kind="press"),
        **{ContentKind(kind): phones.Action(kind=kind) for kind in _KINDS},
    }

    def __init__(self, *, clock: Clock | None = None, webhook_url: str | None = None) -> None:
        super().__init__(clock=clock, webhook_url=webhook_url)
        self.world = World(self.clock)
        self.platform = Platform(self)
        #: Every webhook sent, oldest first.
        self.webhooks: list[Webhook] = []
        #: Switches of the console.
        self.active, self.chat_mode = True, "chat"
        self._batch: list[Json] | None = None

    # ---------------------------------------------------------------- what the base asks for

    def routes(self) -> Iterable[web.RouteDef]:
        return [*self.platform.routes(), web.get("/_sim/content/{id}", self._get_content)]

    def settings(self) -> dict[str, Any]:
        return {
            "channel_id": self.world.channel_id,
            "channel_secret": self.world.channel_secret,
            "api_base": self.url,
            "data_base": self.url,
        }

    def customers(self) -> list[phones.Customer]:
        shown = [self._shown(chat) for chat in self.world.chats.values()]
        return sorted(shown, key=lambda one: -one.last_ms)

    def chat(self, customer: str) -> list[phones.Bubble]:
        chat = self.world.chats[customer]
        return bubbles_of(self.world, chat, chat.members[0], self.url)

    def add_customer(self, name: str) -> str:
        id_ = self.world.person(name).id
        self.changed(id_)
        return id_

    async def act(self, customer: str, action: phones.Action) -> None:
        chat = self.world.chats[customer]
        hand = Customer(self, self.world.people[chat.members[0]], chat)
        if action.kind in {"edit", "recall", "quote"}:
            await self._about(hand, action)
            return
        match action.kind:
            case "text":
                await hand.text(action.text)
            case "image":
                await hand.image(action.picture)
            case "location":
                await hand.location(action.latitude, action.longitude, title="Tower", address="1 Example Street")
            case "press":
                await hand.press(action.press)
            case "video" | "audio" | "file" | "sticker" | "follow" | "unfollow":
                await getattr(hand, action.kind)()
            case kind:
                raise ValueError(f"LINE has no {kind}.")

    async def _about(self, hand: Customer, action: phones.Action) -> None:
        """Do something with a message: change or take back one's own, quote any."""
        said = next((one for one in hand.sees if one.id == action.bubble), None)
        if said is None or (action.kind != "quote" and said.author != hand.id):
            raise ValueError("LINE lets people change their own messages only.")
        if action.kind == "quote":
            await hand.text(action.text, quotes=said.id)
        else:
            await (hand.edit(said, action.text) if action.kind == "edit" else hand.unsend(said))

    def _shown(self, chat: Chat) -> phones.Customer:
        last = chat.said[-1] if chat.said else None
        return phones.Customer(
            id=chat.id,
            name=chat.name,
            last=last_words(last) if last else "",
            last_ms=last.at_ms if last else 0,
            group=chat.kind != "user",
            typing=chat.typing_until_ms > self.clock.now_ms(),
        )

    async def _get_content(self, request: web.Request) -> web.Response:
        kept = self.world.content.get(request.match_info["id"])
        if kept is None:
            raise web.HTTPNotFound
        return web.Response(body=kept.body, content_type=kept.mime)

    # ---------------------------------------------------------------- what the conformance suite asks for

    def webhook(self, body: bytes) -> WebhookRequest:
        signature = sign(body, self.world.channel_secret).decode()
        headers = {"x-line-signature": signature, "Content-Type": "application/json; charset=utf-8"}
        return WebhookRequest(method="POST", query={}, headers=headers, body=body)

    def strange(self, customer: str) -> bytes:
        event = {"type": "telepathy", "source": {"type": "user", "userId": customer}, "thought": {"about": "tea"}}
        return json.dumps({"destination": self.world.bot, "events": [self._whole(event)]}).encode()

    def joined(self, bodies: Sequence[bytes]) -> bytes:
        events = [event for body in bodies for event in json.loads(body)["events"]]
        return json.dumps({"destination": self.world.bot, "events": events}).encode()

    def add_group(self, name: str, members: Sequence[str]) -> str:
        id_ = self.world.group(name, list(members)).id
        self.changed(id_)
        return id_

    def expire_tokens(self) -> bool:
        self.world.expire()
        return True

    def limited(self, *, after_s: int | None) -> Fault:
        """LINE gives no time; a gateway before it may."""
        words = "The API rate limit has been exceeded. Try again later."
        return msgspec.structs.replace(super().limited(after_s=after_s), body=json.dumps({"message": words}))

    # ---------------------------------------------------------------- customers and their webhooks

    def customer(self, name: str) -> Customer:
        """Return the hand of a person, invented at need, in their own chat."""
        return Customer(self, self.world.person(name))

    def group(self, name: str, *people: str, kind: str = "group") -> tuple[Customer, ...]:
        """Return the hands of several people in one group or room."""
        members = [self.world.person(person) for person in people]
        chat = self.world.group(name, [person.id for person in members], kind=kind)
        return tuple(Customer(self, person, chat) for person in members)

    @contextlib.asynccontextmanager
    async def batch(self) -> AsyncIterator[None]:
        """Send all events of this block in one request."""
        self._batch = []
        try:
            yield
        finally:
            events, self._batch = self._batch, None
        await self.post_events(events)

    async def emit(self, event: Json) -> None:
        """Complete an event as LINE does and send it, or add it to the open batch."""
        event = self._whole(event)
        if self._batch is not None:
            self._batch.append(event)
        else:
            await self.post_events([event])

    def _whole(self, event: Json) -> Json:
        return {
            "mode": "active",
            "timestamp": self.clock.now_ms(),
            "webhookEventId": self.world.event_id(),
            "deliveryContext": {"isRedelivery": False},
            **event,
        }

    async def post_events(self, events: list[Json]) -> int:
        """Sign and post a body. As LINE does, every other one spells what is not ASCII as escapes."""
        payload = {"destination": self.world.bot, "events": events}
        text = json.dumps(payload, ensure_ascii=len(self.webhooks) % 2 == 1, separators=(",", ":"))
        status = await self.post_body(text.encode())
        self.webhooks.append(Webhook(events=events, status=status))
        return status

    async def post_body(self, body: bytes) -> int:
        """Sign and post any bytes."""
        return await self.send_webhook(body, self.webhook(body).headers)

    async def repeat(self, *, times: int = 1) -> None:
        """Send the newest webhook again, without saying so."""
        for _ in range(times):
            await self.post_events(self.webhooks[-1].events)

    async def redeliver(self, *webhooks: Webhook) -> None:
        """Send webhooks again, all that failed if none are named; their reply tokens get a fresh minute."""
        chosen = webhooks or tuple(one for one in self.webhooks if not 200 <= one.status < 300)
        for webhook in chosen:
            events = [{**event, "deliveryContext": {"isRedelivery": True}} for event in webhook.events]
            for event in events:
                if "replyToken" in event:
                    self.world.redelivered(event["replyToken"])
            webhook.status = await self.post_events(events)

    async def wait_until_said(self, customer: str, count: int, *, seconds: float = 10) -> None:
        """Return when the account has said at least `count` messages in a chat; TimeoutError otherwise."""
        watch = self._watch()
        async with asyncio.timeout(seconds), contextlib.aclosing(watch):
            async for _ in watch:
                if sum(said.author is None for said in self.world.chats[customer].said) >= count:
                    return
