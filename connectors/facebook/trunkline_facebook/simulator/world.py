"""Everything the simulated platform remembers: people, conversations, uploads, who holds what. No I/O."""

from __future__ import annotations

import hashlib
import itertools
import secrets
from dataclasses import dataclass, field
from typing import Any

from trunkline.contract import Clock

Json = dict[str, Any]

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
#: The Page's own inbox, as an author of messages and as the target of a handover: its id is not to be relied on.
PAGE_INBOX = "26390203743090"
#: Somebody else's bot on the same Page.
OTHER_APP = "222"


@dataclass
class Said:
    """One message as the platform keeps it."""

    id: str
    at_ms: int
    #: True for what the customer said.
    by_customer: bool
    #: A customer's as in webhooks, the Page's as in the request that sent it.
    message: Json
    #: Which app said it, None for a customer.
    app_id: str | None = None
    reply_to: str | None = None
    delivered: bool = False
    #: By the customer, or for a customer's message by the Page.
    read: bool = False
    reaction: str | None = None
    deleted: bool = False
    edits: int = 0
    #: How it was allowed: "RESPONSE", "HUMAN_AGENT", …
    way: str = ""


@dataclass
class Person:
    id: str
    name: str
    said: list[Said] = field(default_factory=list)
    #: When they last wrote, and when they last did anything that opens the day.
    wrote_ms: int | None = None
    acted_ms: int | None = None
    blocked: bool = False
    #: An account made from a phone number: the platform tells nothing about it.
    hidden: bool = False
    typing_until_ms: int = 0
    #: The app that holds the conversation; None while everybody may answer.
    holder: str | None = None


@dataclass
class Upload:
    kind: str
    body: bytes
    mime: str
    name: str
    at_ms: int


class World:
    """The state of one Page and the Instagram account beside it."""

    def __init__(self, clock: Clock, channel: str) -> None:
        self.clock, self.channel = clock, channel
        self.page_id, self.instagram_id, self.app_id = "9001", "17841400009001", "111"
        self.app_secret, self.verify_token = secrets.token_hex(16), secrets.token_urlsafe(12)
        self.token = "page-token-" + secrets.token_urlsafe(48)
        self.people: dict[str, Person] = {}
        self.uploads: dict[str, Upload] = {}
        self._count = itertools.count(1)

    @property
    def account(self) -> str:
        """The id that stands in webhooks for our side."""
        return self.instagram_id if self.channel == "instagram" else self.page_id

    def message_id(self) -> str:
        return f"m_{self.clock.now_ms()}{next(self._count):05d}"

    def person(self, name: str) -> Person:
        """Return the person of this name, invented at need; the same name has the same id in every run."""
        id_ = str(int(hashlib.sha256(f"{self.channel} {name}".encode()).hexdigest()[:13], 16))
        return self.people.setdefault(id_, Person(id=id_, name=name))

    def keep(self, kind: str, body: bytes, mime: str, name: str) -> str:
        """Keep a file and return its id."""
        id_ = str(4000 + next(self._count))
        self.uploads[id_] = Upload(kind, body, mime, name, self.clock.now_ms())
        return id_

    def find(self, mid: str) -> tuple[Person, Said]:
        """Return a message and its person. KeyError if there is none."""
        for person in self.people.values():
            for said in person.said:
                if said.id == mid:
                    return person, said
        raise KeyError(mid)

    def say(self, person: Person, message: Json, *, app_id: str, way: str = "", reply_to: str | None = None) -> Said:
        """Put a message of our side into a conversation."""
        said = Said(self.message_id(), self.clock.now_ms(), by_customer=False, message=message, app_id=app_id)
        said.way, said.reply_to = way, reply_to
        person.said.append(said)
        person.typing_until_ms = 0
        return said

    def is_open(self, person: Person) -> bool:
        """Whether anybody may write: the day after the customer's last act."""
        return person.acted_ms is not None and self.clock.now_ms() - person.acted_ms < DAY_MS

    def is_open_for_people(self, person: Person) -> bool:
        """Whether a person may write: the week after the customer's last message."""
        return person.wrote_ms is not None and self.clock.now_ms() - person.wrote_ms < 7 * DAY_MS
