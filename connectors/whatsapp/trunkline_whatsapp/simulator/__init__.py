"""A WhatsApp of our own on loopback: its API, rules, webhooks and phones."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import aiohttp
import msgspec
from aiohttp import web

from trunkline.contract import Clock, WebhookRequest, hub_signature
from trunkline.model import ContentKind, DeliveryState
from trunkline.testing import phones
from trunkline.testing.faults import Fault
from trunkline.testing.phones import Action
from trunkline.testing.simulator import Simulator as Base
from trunkline_whatsapp.simulator.bubbles import bubbles_of, last_words
from trunkline_whatsapp.simulator.customer import Customer
from trunkline_whatsapp.simulator.platform import Platform
from trunkline_whatsapp.simulator.rules import Refusal
from trunkline_whatsapp.simulator.world import Chat, Said, World

__all__ = ["Customer", "Simulator", "Webhook"]

Json = dict[str, Any]

_SHAKE = {"hub.mode": "subscribe", "hub.challenge": "1158201444"}


class Webhook(msgspec.Struct, kw_only=True):
    """One POST to our address and what came of it; status 0 when there was no answer."""

    body: bytes
    status: int = 0

    @property
    def values(self) -> list[Json]:
        return [change["value"] for entry in json.loads(self.body)["entry"] for change in entry["changes"]]


class Simulator(Base):
    """One WhatsApp Business number."""

    title: ClassVar[str] = "WhatsApp"
    accent: ClassVar[str] = "#25d366"
    writes: ClassVar[Mapping[ContentKind, Action]] = {
        ContentKind.TEXT: Action(kind="text", text="Hello"),
        ContentKind.IMAGE: Action(kind="image"),
        ContentKind.VIDEO: Action(kind="video"),
        ContentKind.AUDIO: Action(kind="voice"),
        ContentKind.FILE: Action(kind="file"),
        ContentKind.LOCATION: Action(kind="location"),
        ContentKind.STICKER: Action(kind="sticker"),
        ContentKind.CONTACTS: Action(kind="contacts"),
        ContentKind.CHOICE: Action(kind="order"),
    }

    def __init__(self, *, clock: Clock | None = None, webhook_url: str | None = None) -> None:
        super().__init__(clock=clock, webhook_url=webhook_url)
        self.world = World(self.clock)
        self.platform = Platform(self)
        #: Every webhook sent, oldest first.
        self.webhooks: list[Webhook] = []
        #: Whether WhatsApp tells by itself that a message was sent and delivered.
        self.receipts = True
        self._batch: list[Json] | None = None
        self._telling: set[asyncio.Task[None]] = set()

    # ---------------------------------------------------------------- what the base asks for

    def routes(self) -> Iterable[web.RouteDef]:
        return [web.get("/_sim/content/{id}", self._get_content), *self.platform.routes()]

    def settings(self) -> dict[str, Any]:
        world = self.world
        return {
            "phone_number_id": world.phone_number_id,
            "waba_id": world.waba_id,
            "access_token": next(iter(world.tokens), "none"),
            "app_secret": world.app_secret,
            "verify_token": world.verify_token,
            "api_base": self.url,
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

    async def act(self, customer: str, action: Action) -> None:
        """Whoever does something has the chat open: what the business wrote is read by then."""
        chat = self.world.chats[customer]
        hand = Customer(self, self.world.people[chat.members[0]], chat)
        await self.read(customer)
        actions = {
            "text": lambda: hand.text(action.text),
            "image": lambda: hand.image(action.picture),
            "video": hand.video,
            "audio": hand.audio,
            "voice": hand.voice,
            "file": hand.document,
            "sticker": hand.sticker,
            "location": lambda: hand.location(action.latitude, action.longitude, name="Tower", address="Example Road"),
            "contacts": hand.contacts,
            "order": hand.order,
            "press": lambda: hand.press(action.press),
            "edit": lambda: hand.edit(action.bubble, action.text),
            "recall": lambda: hand.unsend(action.bubble),
            "react": lambda: hand.react(action.bubble, action.text or "👍"),
            "quote": lambda: hand.text(action.text, quotes=action.bubble),
            "call": hand.call,
        }  # fmt: skip
        if action.kind not in actions:
            raise ValueError(f"WhatsApp has no {action.kind}.")
        await actions[action.kind]()

    async def stop(self) -> None:
        for task in self._telling:
            task.cancel()
        await asyncio.gather(*self._telling, return_exceptions=True)
        await super().stop()

    def _shown(self, chat: Chat) -> phones.Customer:
        last = chat.said[-1] if chat.said else None
        return phones.Customer(
            id=chat.id,
            name=chat.name,
            last=last_words(self.world, last) if last else "",
            last_ms=last.at_ms if last else 0,
            group=chat.is_group,
            typing=chat.typing_until_ms > self.clock.now_ms(),
        )

    async def _get_content(self, request: web.Request) -> web.Response:
        kept = self.world.media.get(request.match_info["id"])
        if kept is None:
            raise web.HTTPNotFound
        return web.Response(body=kept.body, headers={"Content-Type": kept.mime})

    # ---------------------------------------------------------------- what the conformance suite asks for

    def webhook(self, body: bytes) -> WebhookRequest:
        headers = {
            "x-hub-signature-256": hub_signature(body, self.world.app_secret),
            "content-type": "application/json",
        }
        return WebhookRequest(method="POST", query={}, headers=headers, body=body)

    def strange(self, customer: str) -> bytes:
        chat = self.world.chats[customer]
        hand = Customer(self, self.world.people[chat.members[0]], chat)
        group = {"group_id": chat.id} if chat.is_group else {}
        message = {**hand.ids("from"), **group, **self.head(), "type": "hologram", "hologram": {"depth": 3}}
        return self.spelt([self._change({"contacts": [hand.card()], "messages": [message]})])

    def joined(self, bodies: Sequence[bytes]) -> bytes | None:
        entries = [entry for body in bodies for entry in json.loads(body)["entry"]]
        return _spelt({"object": "whatsapp_business_account", "entry": entries})

    def challenge(self) -> tuple[WebhookRequest, bytes] | None:
        query = {**_SHAKE, "hub.verify_token": self.world.verify_token}
        return WebhookRequest(method="GET", query=query, headers={}, body=b""), _SHAKE["hub.challenge"].encode()

    def add_group(self, name: str, members: Sequence[str]) -> str | None:
        people = [self.world.chats[member].members[0] for member in members]
        return self.world.group(name, people).id

    async def tell(self, customer: str, state: DeliveryState) -> bool:
        chat = self.world.chats[customer]
        ours = [said for said in chat.said if said.author is None and said.message["type"] != "reaction"]
        failure = (131026, "Undeliverable") if state is DeliveryState.FAILED else None
        await self.settled()
        if ours[-1].status != state:
            await self.status(chat, ours[-1], str(state), failure)
        return True

    def limited(self, *, after_s: int | None) -> Fault:
        """WhatsApp throttles with status 400: only the code tells."""
        headers = {} if after_s is None else {"Retry-After": str(after_s)}
        body = json.dumps(Refusal(130429, "Rate limit hit").body)
        return Fault(do="answer", method="POST", path="*/messages", status=400, body=body, headers=headers)

    # ---------------------------------------------------------------- customers and their webhooks

    def customer(self, name: str, *, username: str | None = None) -> Customer:
        """Return the hand of a person, invented at need, in their own chat; with a username their phone is hidden."""
        return Customer(self, self.world.person(name, username=username))

    def group(self, name: str, *people: str) -> tuple[Customer, ...]:
        members = [self.world.person(person) for person in people]
        chat = self.world.group(name, [person.user_id for person in members])
        return tuple(Customer(self, person, chat) for person in members)

    @contextlib.asynccontextmanager
    async def batch(self) -> AsyncIterator[None]:
        """Send all that happens in this block in one request, each in a change of its own."""
        self._batch = []
        try:
            yield
        finally:
            changes, self._batch = self._batch, None
        await self.post(self.spelt(changes))

    def head(self) -> Json:
        """Return the id and the time of something new."""
        return {"id": self.world.message_id(), **self.stamp()}

    def stamp(self) -> Json:
        return {"timestamp": str(self.clock.now_ms() // 1000)}

    async def emit(self, card: Json, message: Json) -> None:
        await self.post_value({"contacts": [card], "messages": [message]})

    async def post_value(self, value: Json, *, field: str = "messages") -> None:
        """Send a change, or add it to the open batch."""
        change = self._change(value, field)
        if self._batch is not None:
            self._batch.append(change)
        else:
            await self.post(self.spelt([change]))

    def _change(self, value: Json, field: str = "messages") -> Json:
        metadata = {"display_phone_number": self.world.display, "phone_number_id": self.world.phone_number_id}
        return {"field": field, "value": {"messaging_product": "whatsapp", "metadata": metadata, **value}}

    def spelt(self, changes: list[Json]) -> bytes:
        entry = {"id": self.world.waba_id, "changes": changes}
        return _spelt({"object": "whatsapp_business_account", "entry": [entry]})

    async def post(self, body: bytes) -> int:
        """Sign and post a body; what is not taken is tried once more at once, and then by `redeliver`."""
        webhook = Webhook(body=body)
        self.webhooks.append(webhook)
        for _ in range(2 if self.webhook_url else 1):
            webhook.status = await self.send_webhook(body, self.webhook(body).headers)
            if webhook.status == 200:
                break
        return webhook.status

    async def repeat(self, *, times: int = 1) -> None:
        """Send the newest webhook again, as when another app's endpoint failed."""
        for _ in range(times):
            await self.send_webhook(self.webhooks[-1].body, self.webhook(self.webhooks[-1].body).headers)

    async def redeliver(self, *webhooks: Webhook) -> None:
        """Send webhooks again, byte for byte: all that failed if none are named."""
        for webhook in webhooks or tuple(one for one in self.webhooks if one.status != 200):
            webhook.status = await self.send_webhook(webhook.body, self.webhook(webhook.body).headers)

    async def shake_hands(self, url: str, words: str) -> bool:
        """Verify an address as the dashboard does: GET, and the challenge has to come back."""
        query = {**_SHAKE, "hub.verify_token": words}
        with contextlib.suppress(aiohttp.ClientError):
            async with aiohttp.ClientSession() as session, session.get(url, params=query) as response:
                return response.status == 200 and await response.text() == _SHAKE["hub.challenge"]
        return False

    # ---------------------------------------------------------------- what becomes of our messages

    def report(self, chat: Chat, said: Said, failure: tuple[int, str] | None) -> None:
        """Tell in the background what became of a message; it may come before our own answer."""
        if not self.receipts and failure is None:
            return
        states = ["failed"] if failure else ["sent"] if said.message["type"] == "reaction" else ["sent", "delivered"]
        task = asyncio.create_task(self._report(chat, said, states, failure))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _report(self, chat: Chat, said: Said, states: list[str], failure: tuple[int, str] | None) -> None:
        for state in states:
            await self.status(chat, said, state, failure)

    async def settled(self) -> None:
        """Return when everything that is to be told was told."""
        await asyncio.gather(*self._telling)

    async def status(self, chat: Chat, said: Said, state: str, failure: tuple[int, str] | None = None) -> None:
        """Tell one status of a message; of a group's, one for every member."""
        said.status = state
        for member in chat.members or [""]:
            await self.post_value({"statuses": [self._status(chat, member, said, state, failure)]})

    def _status(self, chat: Chat, member: str, said: Said, state: str, failure: tuple[int, str] | None) -> Json:
        who: Json = {"recipient_id": chat.id}
        if chat.is_group:
            phone, type_ = self.world.people[member].phone, {"recipient_type": "group"}
            who |= {**type_, "recipient_participant_id": phone, "recipient_participant_user_id": member}
        elif member:
            who |= {"recipient_user_id": member}
        told = {"id": said.id, "status": state, **self.stamp(), **who}
        if said.correlation is not None:
            told["biz_opaque_callback_data"] = said.correlation
        if failure:
            code, words = failure
            error = {"code": code, "title": words, "message": words, "error_data": {"details": words}}
            told["errors"] = [error]
        return told

    async def read(self, customer: str) -> None:
        """Let a customer read everything, and WhatsApp tell of it."""
        chat = self.world.chats[customer]
        for said in [one for one in chat.said if one.author is None and one.status not in {"read", "failed"}]:
            await self.status(chat, said, "read")

    async def staff(self, customer: Customer, text: str) -> Said:
        """Let our own staff write in the phone app."""
        said = Said(self.world.message_id(), self.clock.now_ms(), None, {"type": "text", "text": {"body": text}})
        said.status = "delivered"
        customer.chat.said.append(said)
        echo = {"from": self.world.display, **customer.ids("to"), "id": said.id, **self.stamp(), **said.message}
        await self.post_value({"message_echoes": [echo]}, field="smb_message_echoes")
        return said

    async def wait_until_said(self, customer: str, count: int, *, seconds: float = 10) -> None:
        """Return when the business has said at least `count` messages in a chat; TimeoutError otherwise."""
        watch = self._watch()
        async with asyncio.timeout(seconds), contextlib.aclosing(watch):
            async for _ in watch:
                if sum(said.author is None for said in self.world.chats[customer].said) >= count:
                    return

    @staticmethod
    def digest(body: bytes) -> bytes:
        return hashlib.sha256(body).digest()


def _spelt(payload: Json) -> bytes:
    r"""Return JSON as the platform spells it: escapes for all that is not ASCII, and \/ for a slash."""
    return json.dumps(payload, separators=(",", ":")).replace("/", r"\/").encode()
