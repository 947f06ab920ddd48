"""Everything the simulated WhatsApp remembers: people, chats, files, templates. No I/O."""

from __future__ import annotations

import base64
import hashlib
import itertools
import secrets
from dataclasses import dataclass, field
from typing import Any

from trunkline.contract import Clock

Json = dict[str, Any]

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
#: What the platform says to a bad token, by itself and in a test.
TEMPLATES: tuple[Json, ...] = (
    {
        "name": "order_ready", "language": "en_US", "status": "APPROVED", "category": "UTILITY",
        "parameter_format": "NAMED", "id": "5001",
        "components": [
            {"type": "HEADER", "format": "TEXT", "text": "Your order"},
            {"type": "BODY", "text": "Hello {{name}}, order {{order}} is ready.",
             "example": {"body_text_named_params": [{"param_name": "name", "example": "Ana"},
                                                    {"param_name": "order", "example": "A-17"}]}},
            {"type": "FOOTER", "text": "Simulated shop"},
        ],
    },
    {
        "name": "parcel", "language": "en_US", "status": "APPROVED", "category": "UTILITY",
        "parameter_format": "POSITIONAL", "id": "5002",
        "components": [
            {"type": "HEADER", "format": "IMAGE", "example": {"header_handle": ["https://cdn.example/parcel.jpg"]}},
            {"type": "BODY", "text": "Parcel {{1}} comes on {{2}}.", "example": {"body_text": [["17", "Monday"]]}},
            {"type": "BUTTONS", "buttons": [
                {"type": "QUICK_REPLY", "text": "Later"},
                {"type": "URL", "text": "Follow", "url": "https://shop.example/p/{{1}}",
                 "example": ["https://shop.example/p/17"]},
                {"type": "PHONE_NUMBER", "text": "Call", "phone_number": "+15550001000"},
            ]},
        ],
    },
    {
        "name": "spring_sale", "language": "en_US", "status": "PAUSED", "category": "MARKETING",
        "parameter_format": "POSITIONAL", "id": "5003",
        "components": [{"type": "BODY", "text": "Everything must go!"}],
    },
)  # fmt: skip


@dataclass
class Person:
    #: The phone number in digits.
    phone: str
    user_id: str
    name: str
    #: With a username the phone is hidden from businesses that do not know it.
    username: str | None = None
    stopped_marketing: bool = False

    @property
    def id(self) -> str:
        return self.user_id if self.username else self.phone


@dataclass
class Chat:
    """One conversation of the number: with a person or in a group."""

    id: str
    name: str
    members: list[str]
    is_group: bool = False
    said: list[Said] = field(default_factory=list)
    #: Until when free-form messages arrive, ms since the epoch.
    open_until_ms: int = 0
    typing_until_ms: int = 0


@dataclass
class Said:
    """One message as WhatsApp keeps it."""

    id: str
    at_ms: int
    #: The user id of the person who wrote, None for the business.
    author: str | None
    message: Json
    read: bool = False
    revoked: bool = False
    #: What the other side reacted with.
    reaction: str = ""
    #: The newest status told of a message of the business.
    status: str = ""
    #: Our `biz_opaque_callback_data`.
    correlation: str | None = None


@dataclass
class Kept:
    """A file: of a customer for a week, of the business for 30 days."""

    body: bytes
    mime: str
    name: str | None
    until_ms: int


class World:
    """The state of one simulated number."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.phone_number_id, self.waba_id, self.display = "8001", "7001", "15550001000"
        self.app_secret, self.verify_token = secrets.token_hex(16), "simulated-handshake"
        self.tokens = {"EAA" + secrets.token_hex(24)}
        self.people: dict[str, Person] = {}
        self.chats: dict[str, Chat] = {}
        self.media: dict[str, Kept] = {}
        self.templates: list[Json] = [dict(one) for one in TEMPLATES]
        self.number: Json = {
            "verified_name": "Simulated shop", "display_phone_number": "+1 555-000-1000", "quality_rating": "GREEN",
            "status": "CONNECTED", "name_status": "APPROVED", "messaging_limit_tier": "TIER_250",
            "throughput": {"level": "STANDARD"}, "id": self.phone_number_id,
        }  # fmt: skip
        self.apps: list[Json] = [{"whatsapp_business_api_data": {"id": "6001", "name": "Trunkline"}}]
        #: Numbers in the phone app as well: only they tell of edits and of messages taken back.
        self.coexistence = True
        self._count = itertools.count(1)

    def message_id(self) -> str:
        """Return an id as the platform makes them: base64, with an = at the end now and then."""
        text = f"{self.phone_number_id}-{self.clock.now_ms()}-{next(self._count)}"
        return "wamid." + base64.b64encode(text.encode()).decode()

    def media_id(self) -> str:
        return str(300_000 + next(self._count))

    # ---------------------------------------------------------------- people and chats

    def person(self, name: str, *, username: str | None = None) -> Person:
        """Return the person of this name, invented at need; the same name has the same ids in every run."""
        digest = hashlib.sha256(name.encode()).hexdigest()
        user_id = f"US.{int(digest[:14], 16)}"
        if user_id not in self.people:
            phone = f"1555{int(digest[14:22], 16) % 10_000_000:07d}"
            self.people[user_id] = person = Person(phone, user_id, name, username)
            self.chats[person.id] = Chat(id=person.id, name=name, members=[user_id])
        return self.people[user_id]

    def group(self, name: str, members: list[str]) -> Chat:
        id_ = "g" + hashlib.sha256(name.encode()).hexdigest()[:20]
        return self.chats.setdefault(id_, Chat(id=id_, name=name, members=members, is_group=True))

    def found(self, body: Json) -> Chat | None:
        """Return the chat that a request is for: `to` wins over `recipient`."""
        to = body.get("to")
        if body.get("recipient_type") == "group":
            chat = self.chats.get(str(to))
            return chat if chat and chat.is_group else None
        wanted = str(to).removeprefix("+") if to else body.get("recipient")
        return next((chat for chat in self.chats.values() if not chat.is_group and wanted in self.ids(chat)), None)

    def ids(self, chat: Chat) -> tuple[str, ...]:
        person = self.people[chat.members[0]]
        return (person.phone, person.user_id)

    def said(self, message_id: Any) -> tuple[Chat, Said] | None:
        for chat in self.chats.values():
            for said in chat.said:
                if said.id == message_id:
                    return chat, said
        return None

    def template(self, name: Any, language: Any) -> Json | None:
        same = (one for one in self.templates if (one["name"], one["language"]) == (name, language))
        return next(same, None)

    def keep(self, body: bytes, mime: str, name: str | None, *, days: int) -> str:
        id_ = self.media_id()
        self.media[id_] = Kept(body, mime, name, self.clock.now_ms() + days * DAY_MS)
        return id_

    def file(self, id_: str) -> Kept | None:
        kept = self.media.get(id_)
        return kept if kept and kept.until_ms > self.clock.now_ms() else None
