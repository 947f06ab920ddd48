"""A Messenger and an Instagram of our own on loopback: their API, rules, webhooks and phones."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import msgspec
from aiohttp import web
from multidict import CIMultiDict

from trunkline.contract import Clock, WebhookRequest, hub_signature
from trunkline.model import ContentKind, DeliveryState
from trunkline.testing import phones
from trunkline.testing.faults import Fault
from trunkline.testing.phones import Action
from trunkline.testing.simulator import Simulator as Base
from trunkline_facebook.connector import FIELDS
from trunkline_facebook.simulator.bubbles import bubbles_of, last_words
from trunkline_facebook.simulator.customer import REACTIONS, Customer
from trunkline_facebook.simulator.platform import Platform
from trunkline_facebook.simulator.world import HOUR_MS, OTHER_APP, PAGE_INBOX, Person, Said, World

__all__ = ["OTHER_APP", "PAGE_INBOX", "Customer", "Simulator", "Webhook"]

Json = dict[str, Any]

#: The key of an event → the field that has to be subscribed for it on a Page.
_FIELDS = {
    "message": "messages",
    "message_edit": "message_edits",
    "reaction": "message_reactions",
    "delivery": "message_deliveries",
    "read": "message_reads",
    "postback": "messaging_postbacks",
    "referral": "messaging_referrals",
    "optin": "messaging_optins",
    "pass_thread_control": "messaging_handovers",
    "take_thread_control": "messaging_handovers",
    "request_thread_control": "messaging_handovers",
    "app_roles": "messaging_handovers",
    "policy_enforcement": "messaging_policy_enforcement",
}


class Webhook(msgspec.Struct, kw_only=True):
    """One POST to our address and what came of it; status 0 when there was no answer."""

    entries: list[Json]
    status: int


class Simulator(Base):
    """One Facebook Page, on Messenger or with its Instagram account."""

    title: ClassVar[str] = "Messenger"
    accent: ClassVar[str] = "#0866ff"
    channels: ClassVar[tuple[str, ...]] = ("facebook", "instagram")
    writes: ClassVar[Mapping[ContentKind, Action]] = {
        ContentKind.TEXT: Action(kind="text", text="Good morning"),
        ContentKind.IMAGE: Action(kind="image"),
        ContentKind.VIDEO: Action(kind="video"),
        ContentKind.AUDIO: Action(kind="voice"),
        ContentKind.FILE: Action(kind="file"),
        ContentKind.STICKER: Action(kind="sticker"),
        ContentKind.CHOICE: Action(kind="press", press="menu:GET_STARTED"),
        ContentKind.LINK: Action(kind="link"),
        ContentKind.CARD: Action(kind="product"),
        ContentKind.UNSUPPORTED: Action(kind="unsupported"),
    }

    def __init__(
        self, *, clock: Clock | None = None, webhook_url: str | None = None, channel: str = "facebook"
    ) -> None:
        super().__init__(clock=clock, webhook_url=webhook_url)
        self.world = World(self.clock, channel)
        self.platform = Platform(self)
        #: Every webhook sent, oldest first.
        self.webhooks: list[Webhook] = []
        #: What the Page is subscribed to; empty when the platform has given up on us.
        self.subscribed: set[str] = set(FIELDS[channel])
        #: Whether the app was granted Human Agent, and may take conversations.
        self.human_agent = self.may_take = True
        #: Whether the platform fails to load files from addresses.
        self.cannot_fetch = False
        #: When echoes come: with the answer, "before" it, or "never".
        self.echoes = "after"
        self._failing_since_ms: int | None = None
        self._batch: list[Json] | None = None
        self._under_way: set[asyncio.Task[None]] = set()

    # ---------------------------------------------------------------- what the base asks for

    def routes(self) -> Iterable[web.RouteDef]:
        media = [web.get(path, self._get_media) for path in ("/_sim/media/{id}", "/_sim/media/{id}/{name}")]
        return [*self.platform.routes(), *media]

    def settings(self) -> dict[str, Any]:
        world = self.world
        instagram = {"instagram_id": world.instagram_id} if world.channel == "instagram" else {}
        return {
            "channel": world.channel,
            "page_id": world.page_id,
            "page_access_token": world.token,
            "app_secret": world.app_secret,
            "verify_token": world.verify_token,
            "app_id": world.app_id,
            "human_agent_enabled": True,
            "api_base": self.url,
            **instagram,
        }

    def customers(self) -> list[phones.Customer]:
        shown = [self._shown(person) for person in self.world.people.values()]
        return sorted(shown, key=lambda one: -one.last_ms)

    def chat(self, customer: str) -> list[phones.Bubble]:
        return bubbles_of(self.world.people[customer], self.url)

    def add_customer(self, name: str) -> str:
        id_ = self.world.person(name).id
        self.changed(id_)
        return id_

    async def act(self, customer: str, action: Action) -> None:
        hand = Customer(self, self.world.people[customer])
        if action.kind in {"edit", "recall", "react", "quote"}:
            await self._act_on(hand, action)
            return
        match action.kind:
            case "text":
                await hand.text(action.text)
            case "image":
                await hand.image(action.picture)
            case "press":
                await hand.press(action.press)
            case "enter":
                await hand.enter()
            case kind if kind in _FILES:
                await hand.send(*_FILES[kind])
            case kind if kind in (shares := _shares(self.world.channel, self.url)):
                await hand.write(shares[kind])
            case kind:
                raise ValueError(f"{self.world.channel.title()} has no {kind}.")

    async def _act_on(self, hand: Customer, action: Action) -> None:
        said = next((one for one in hand.sees if one.id == action.bubble.partition("#")[0]), None)
        if said is None:
            raise ValueError("There is no such message.")
        if action.kind == "edit":
            await hand.edit(said, action.text)
        elif action.kind == "quote":
            await hand.text(action.text, quotes=said.id)
        elif action.kind == "react":
            await hand.react(said, next((name for name, sign_ in REACTIONS.items() if sign_ == action.text), "love"))
        elif hand.is_instagram:
            await hand.unsend(said)
        else:
            raise ValueError("Messenger tells nobody of an unsent message.")

    def _shown(self, person: Person) -> phones.Customer:
        last = person.said[-1] if person.said else None
        return phones.Customer(
            id=person.id,
            name=person.name,
            last=last_words(last) if last else "",
            last_ms=last.at_ms if last else 0,
            typing=person.typing_until_ms > self.clock.now_ms(),
        )

    async def _get_media(self, request: web.Request) -> web.Response:
        kept = self.world.uploads.get(request.match_info["id"])
        if kept is None:
            raise web.HTTPNotFound
        return web.Response(body=kept.body, content_type=kept.mime)

    # ---------------------------------------------------------------- what the conformance suite asks for

    def webhook(self, body: bytes) -> WebhookRequest:
        headers = {
            "X-Hub-Signature-256": hub_signature(body, self.world.app_secret),
            "Content-Type": "application/json",
        }
        return WebhookRequest(method="POST", query={}, headers=CIMultiDict(headers), body=body)

    def strange(self, customer: str) -> bytes:
        parties = {"sender": {"id": customer}, "recipient": {"id": self.world.account}}
        event = {**parties, "timestamp": self.clock.now_ms(), "hologram": {"beam": 7}}
        return self.body_of([self._entry([event])])

    def joined(self, bodies: Sequence[bytes]) -> bytes:
        return self.body_of([entry for body in bodies for entry in json.loads(body)["entry"]])

    def challenge(self) -> tuple[WebhookRequest, bytes]:
        query = {"hub.mode": "subscribe", "hub.verify_token": self.world.verify_token, "hub.challenge": "1158201444"}
        return WebhookRequest(method="GET", query=query, headers=CIMultiDict(), body=b""), b"1158201444"

    async def tell(self, customer: str, state: DeliveryState) -> bool:
        hand = Customer(self, self.world.people[customer])
        if state is DeliveryState.READ:
            await hand.read()
        elif state is DeliveryState.DELIVERED and not hand.is_instagram:
            await hand.received()
        else:
            return False
        return True

    def limited(self, *, after_s: int | None) -> Fault:
        error = {"message": "(#613) Calls to this api have exceeded the rate limit.", "code": 613}
        headers = {} if after_s is None else {"Retry-After": str(after_s)}
        return Fault(do="answer", status=400, body=json.dumps({"error": error}), headers=headers)

    # ---------------------------------------------------------------- customers and their webhooks

    def customer(self, name: str) -> Customer:
        """Return the hand of a person, invented at need."""
        return Customer(self, self.world.person(name))

    def revoke_token(self) -> str:
        """Let the Page token die, as it does with a changed password, and return the next one."""
        self.world.token = "next-" + self.world.token
        return self.world.token

    @contextlib.asynccontextmanager
    async def batch(self) -> AsyncIterator[None]:
        """Send all events of this block in one request, each in an entry of its own."""
        self._batch = []
        try:
            yield
        finally:
            entries, self._batch = self._batch, None
        await self.post(entries)

    async def emit(self, event: Json, person: Person | None = None) -> None:
        """Send an event, or add it to the open batch; what is not subscribed is not told."""
        kind = next((key for key in event if key in _FIELDS), None)
        echo = isinstance(event.get("message"), dict) and event["message"].get("is_echo") is True
        field = "message_echoes" if echo and self.world.channel == "facebook" else _FIELDS.get(kind or "", "messages")
        if (self.world.channel == "instagram" and "messages" in self.subscribed) or field in self.subscribed:
            held = person is not None and person.holder not in {None, self.world.app_id}
            entry = self._entry([event], standby=held and not _is_control(kind))
            await (self.post([entry]) if self._batch is None else self._gather(entry))

    async def _gather(self, entry: Json) -> None:
        if self._batch is not None:
            self._batch.append(entry)

    def _entry(self, events: list[Json], *, standby: bool = False) -> Json:
        name = "standby" if standby else "messaging"
        return {"id": self.world.account, "time": self.clock.now_ms(), name: events}

    def body_of(self, entries: list[Json]) -> bytes:
        """Return a body as the platform writes it: what is not ASCII, and every slash, is escaped."""
        kind = "instagram" if self.world.channel == "instagram" else "page"
        text = json.dumps({"object": kind, "entry": entries}, separators=(",", ":"))
        return text.replace("/", "\\/").encode()

    async def post(self, entries: list[Json]) -> int:
        """Sign and post a body."""
        status = await self.post_body(self.body_of(entries))
        self.webhooks.append(Webhook(entries=entries, status=status))
        return status

    async def post_body(self, body: bytes) -> int:
        """Sign and post any bytes; failures are repeated at once, and an hour of them ends the subscription."""
        request, status = self.webhook(body), 0
        for _ in range(3):
            status = await self.send_webhook(request.body, request.headers)
            if 200 <= status < 300 or self.webhook_url is None:
                self._failing_since_ms = None
                return status
        now = self.clock.now_ms()
        self._failing_since_ms = since = now if self._failing_since_ms is None else self._failing_since_ms
        if now - since >= HOUR_MS:
            self.subscribed.clear()
        return status

    async def repeat(self, *, times: int = 1) -> None:
        """Send the newest webhook again."""
        for _ in range(times):
            await self.post(self.webhooks[-1].entries)

    # ---------------------------------------------------------------- echoes, and other apps

    async def was_said(self, person: Person, said: Said) -> None:
        """Tell of a message that was just sent, as `echoes` says."""
        if self.echoes == "before":
            await self.echo(person, said)
        elif self.echoes == "after":
            task = asyncio.create_task(self.echo(person, said))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def settled(self) -> None:
        """Return when no echo is under way."""
        while self._under_way:
            await asyncio.gather(*self._under_way)

    async def stop(self) -> None:
        self.echoes = "never"  # of what is answered while the doors close, nobody is told
        await self.settled()
        await super().stop()

    async def echo(self, person: Person, said: Said) -> None:
        """Tell of one message of our side."""
        message = {name: value for name, value in said.message.items() if name not in {"attachment", "quick_replies"}}
        if one := said.message.get("attachment"):
            message["attachments"] = [one]
        echo = {"is_echo": True, "mid": said.id, "app_id": int(said.app_id or 0), **message}
        parties = {"sender": {"id": self.world.account}, "recipient": {"id": person.id}}
        await self.emit({**parties, "timestamp": said.at_ms, "message": echo}, person)

    async def staff_says(self, customer: Customer, text: str, *, app_id: str = PAGE_INBOX) -> Said:
        """Let somebody write in the Page's own inbox, or another app."""
        said = self.world.say(customer.person, {"text": text}, app_id=app_id)
        self.changed(customer.id)
        await self.echo(customer.person, said)
        return said

    async def hand_over(self, customer: Customer, to: str | None = OTHER_APP) -> None:
        """Pass a conversation to an app; None leaves it to everybody."""
        event = {"previous_owner_app_id": customer.person.holder, "new_owner_app_id": to, "metadata": "handover"}
        customer.person.holder = to
        await customer.happens(pass_thread_control=event)


def _is_control(kind: str | None) -> bool:
    """Whether an event is about who holds a conversation: it is told to both sides."""
    return kind is not None and kind.endswith("_thread_control")


#: What a customer can send as a file → kind, bytes, MIME type, name.
_FILES = {
    "video": ("video", b"\0\0\0\x18ftypmp42" + bytes(100), "video/mp4", "film.mp4"),
    "audio": ("audio", b"ID3\x04" + bytes(100), "audio/mpeg", "song.mp3"),
    "voice": ("audio", b"\xff\xf1" + bytes(100), "audio/aac", "voice.aac"),
    "file": ("file", b"%PDF-1.4\n%%EOF\n", "application/pdf", "invoice.pdf"),
}
_PRODUCT = {"elements": [{"id": "p1", "retailer_id": "sku1", "title": "Red mug", "subtitle": "5 €"}]}
_POST = {"url": "https://social.example/p/77", "title": "Spring"}


def _shares(channel: str, url: str) -> dict[str, Json]:
    """Return what else a customer can send; `url` is where the simulator serves pictures."""
    picture = f"{url}/_sim/pictures/cup.jpg"
    shares: dict[str, dict[str, Any]] = {
        "facebook": {
            "sticker": {"type": "sticker", "payload": {"url": picture, "sticker_id": 369239263222822}},
            "link": {"type": "fallback", "payload": _POST},
            "product": {"type": "template", "payload": {"product": _PRODUCT}},
            "unsupported": {"type": "hologram"},
        },
        "instagram": {
            "sticker": {"type": "like_heart"},
            "link": {"type": "ig_post", "payload": {**_POST, "ig_post_media_id": "77"}},
            "product": {"type": "template", "payload": {"product": _PRODUCT}},
            "unsupported": {"type": "ephemeral"},
            "story_mention": {"type": "story_mention", "payload": {"url": picture}},
        },
    }
    return {kind: {"attachments": [attachment]} for kind, attachment in shares[channel].items()}
