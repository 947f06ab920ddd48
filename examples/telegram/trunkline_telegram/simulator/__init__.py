"""A Telegram of our own on loopback: one bot, the people who write to it, and their phones."""

from __future__ import annotations

import itertools
import json
import secrets
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from aiohttp import web
from trunkline.contract import Clock, WebhookRequest
from trunkline.model import ContentKind as Kind
from trunkline.testing.faults import Fault
from trunkline.testing.phones import Action, Bubble, Customer
from trunkline.testing.pictures import picture
from trunkline.testing.simulator import Simulator as Base

from trunkline_telegram.signature import HEADER
from trunkline_telegram.simulator.bot_api import BotApi, Person

__all__ = ["Simulator"]

Json = dict[str, Any]

#: What a customer sends → its field of a message, kind of bubble, bytes.
_FILES: dict[str, tuple[str, str, bytes]] = {
    "video": ("video", "video", b"\0\0\0\x18ftypmp42"),
    "audio": ("audio", "audio", b"ID3" + bytes(32)),
    "voice": ("voice", "audio", b"OggS" + bytes(32)),
    "file": ("document", "file", b"%PDF-1.4\n%%EOF\n"),
}


class Simulator(Base):
    """One bot, known as @shop_bot."""

    title: ClassVar[str] = "Telegram"
    accent: ClassVar[str] = "#229ed9"
    # The secret token says who sends, and nothing about what.
    signs_body: ClassVar[bool] = False
    writes: ClassVar[Mapping[Kind, Action]] = {
        Kind.TEXT: Action(kind="text", text="Hello"),
        Kind.IMAGE: Action(kind="image"),
        Kind.VIDEO: Action(kind="video"),
        Kind.AUDIO: Action(kind="voice"),
        Kind.FILE: Action(kind="file"),
        Kind.LOCATION: Action(kind="location"),
        Kind.CONTACTS: Action(kind="contacts"),
        Kind.STICKER: Action(kind="sticker"),
    }

    def __init__(self, *, clock: Clock | None = None, webhook_url: str | None = None) -> None:
        super().__init__(clock=clock, webhook_url=webhook_url)
        self.bot_token, self.secret_token = f"123456:{secrets.token_hex(16)}", secrets.token_hex(16)
        self.people: dict[str, Person] = {}
        self.bot = BotApi(self)
        #: Callback queries that nobody answered yet: their buttons still spin.
        self.spinning: set[str] = set()
        self._updates = itertools.count(10_000)

    def routes(self) -> Iterable[web.RouteDef]:
        return self.bot.routes()

    def settings(self) -> Json:
        return {"bot_token": self.bot_token, "secret_token": self.secret_token, "api_base": self.url}

    def customers(self) -> list[Customer]:
        return [one.shown(self.clock.now_ms()) for one in self.people.values()]

    def chat(self, customer: str) -> list[Bubble]:
        return list(self.people[customer].sees)

    def add_customer(self, name: str) -> str:
        person = Person(id=str(700_000_000 + len(self.people)), name=name)
        self.people[person.id] = person
        self.changed(person.id)
        return person.id

    # ---------------------------------------------------------------- what people do

    async def act(self, customer: str, action: Action) -> None:
        person = self.people[customer]
        match action.kind:
            case "text" | "quote":
                quoted = {"reply_to_message": self.message(person, action.bubble)} if action.kind == "quote" else {}
                await self._says(person, {"text": action.text, **quoted}, text=action.text)
            case "image":
                sizes = [self.bot.keep(picture(action.picture), "image/jpeg", width=640, height=480)]
                await self._says(person, {"photo": sizes}, kind="image", url=self.bot.address(sizes[0]))
            case kind if kind in _FILES:
                await self._file(person, *_FILES[kind])
            case "location":
                place = {"latitude": action.latitude, "longitude": action.longitude}
                await self._says(person, {"location": place}, kind="location", text="A place")
            case "contacts":
                one = {"first_name": "Cy", "phone_number": "+15550100"}
                await self._says(person, {"contact": one}, text="Cy, +15550100")
            case "sticker":
                await self._says(person, {"sticker": {"emoji": "🎉", "file_id": "s1"}}, kind="sticker", text="🎉")
            case _:
                await self._changes(person, action)

    async def _changes(self, person: Person, action: Action) -> None:
        match action.kind:
            case "edit":
                sent = person.messages[action.bubble]
                sent |= {"text": action.text, "edit_date": self.clock.now_ms() // 1000}
                person.replace(action.bubble, text=action.text)
                await self.push(edited_message=sent)
            case "press":
                await self._press(person, action.press)
            case "follow" | "unfollow":
                person.blocked = action.kind == "unfollow"
                status = "kicked" if person.blocked else "member"
                await self.push(my_chat_member={**self._head(person), "new_chat_member": {"status": status}})
            case kind:
                raise ValueError(f"Telegram has no {kind}.")
        self.changed(person.id)

    async def _press(self, person: Person, press: str) -> None:
        message_id, _, place = press.partition(":")
        message = person.messages[message_id]
        button = [one for row in message["reply_markup"]["inline_keyboard"] for one in row][int(place)]
        query_id = secrets.token_hex(8)
        self.spinning.add(query_id)
        who = {"id": int(person.id), "first_name": person.name}
        await self.push(
            callback_query={"id": query_id, "from": who, "message": message, "data": button["callback_data"]}
        )

    async def _file(self, person: Person, field: str, kind: str, body: bytes) -> None:
        mime = {"video": "video/mp4", "audio": "audio/mpeg", "voice": "audio/ogg"}.get(field, "application/pdf")
        more: Json = {"file_name": "invoice.pdf"} if field == "document" else {"duration": 2}
        file = self.bot.keep(body, mime, mime_type=mime, **more)
        await self._says(person, {field: file}, kind=kind, url=self.bot.address(file), text=more.get("file_name", ""))

    async def _says(self, person: Person, what: Json, *, kind: str = "text", **shown: Any) -> None:
        message = {**self._head(person), "message_id": self.bot.number(), **what}
        if kind == "image":
            shown["image"] = shown["url"]
        person.say(
            message, Bubble(id=str(message["message_id"]), mine=True, at_ms=self.clock.now_ms(), kind=kind, **shown)
        )
        await self.push(message=message)
        self.changed(person.id)

    def _head(self, person: Person) -> Json:
        who = {"id": int(person.id), "first_name": person.name}
        return {"chat": {**who, "type": "private"}, "from": who, "date": self.clock.now_ms() // 1000}

    def message(self, person: Person, id_: str) -> Json:
        """Return a message as it is told inside another one: without what it quotes itself."""
        return {name: value for name, value in person.messages[id_].items() if name != "reply_to_message"}

    # ---------------------------------------------------------------- what the conformance suite asks for

    def webhook(self, body: bytes) -> WebhookRequest:
        headers = {HEADER: self.secret_token, "Content-Type": "application/json"}
        return WebhookRequest(method="POST", query={}, headers=headers, body=body)

    def strange(self, customer: str) -> bytes:
        return self._update(hologram={**self._head(self.people[customer]), "message_id": self.bot.number()})

    def limited(self, *, after_s: int | None) -> Fault:
        parameters = {} if after_s is None else {"parameters": {"retry_after": after_s}}
        body = {"ok": False, "error_code": 429, "description": "Too Many Requests: retry later", **parameters}
        return Fault(do="answer", status=429, body=json.dumps(body))

    def shown_path(self, path: str) -> str:
        """The token of a bot stands in every address; what is shown still fits as a pattern."""
        return path.replace(self.bot_token, "*")

    async def push(self, **update: Json) -> int:
        """Send one update. Returns the status, 0 when nobody answered."""
        body = self._update(**update)
        return await self.send_webhook(body, self.webhook(body).headers)

    def answered(self, body: bytes) -> None:
        """Do what the answer of a webhook asks for: it may be a method call."""
        call = json.loads(body or b"{}")
        if call.get("method") == "answerCallbackQuery":
            self.spinning.discard(call["callback_query_id"])

    def _update(self, **update: Json) -> bytes:
        return json.dumps({"update_id": next(self._updates), **update}).encode()
