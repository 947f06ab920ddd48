"""What the simulated WeChat remembers: people, chats, files, tokens. No I/O; both hosts stand on it."""

from __future__ import annotations

import itertools
import secrets
from dataclasses import dataclass, field
from typing import Any

from trunkline.contract import Clock

Json = dict[str, Any]

MINUTE_MS, DAY_MS = 60_000, 86_400_000
TOKEN_S = 7200
#: Files live three days, sent or received.
MEDIA_MS = 3 * DAY_MS
#: In the last minutes of a token's life a new one is given out, and both work.
OVERLAP_MS = 5 * MINUTE_MS


@dataclass
class Said:
    """One message in a chat: `message` as on the wire, or a note that the platform shows."""

    id: str
    at_ms: int
    #: True for what the customer wrote.
    mine: bool
    #: The platform's word: "text", "image", "news", "note"…
    kind: str
    message: Json
    recalled: bool = False


@dataclass
class Person:
    id: str
    name: str
    said: list[Said] = field(default_factory=list)
    follows: bool = True
    #: The right to answer: until when, and how many messages.
    open_until_ms: int = 0
    left: int = 0
    typing_until_ms: int = 0
    #: For what a surface remembers besides.
    more: Json = field(default_factory=dict)

    def opens(self, now: int, *, seconds: int, messages: int) -> None:
        """Give a right to answer: acts do not add up."""
        if now >= self.open_until_ms:
            self.left = 0
        self.left = max(self.left, messages)
        self.open_until_ms = max(self.open_until_ms, now + seconds * 1000)


@dataclass
class Kept:
    """A file on the platform."""

    kind: str
    content: bytes
    mime: str
    name: str
    until_ms: int


class World:
    """The state of one simulated account."""

    def __init__(self, clock: Clock, prefix: str) -> None:
        self.clock, self._prefix = clock, prefix
        self.secret, self.callback_token = secrets.token_hex(16), secrets.token_hex(8)
        self.aes_key = "".join(secrets.choice("ABCDEFGHabcdefgh23456789") for _ in range(43))
        self.people: dict[str, Person] = {}
        self.files: dict[str, Kept] = {}
        #: Access token → end in ms; those that were ended early are gone.
        self.tokens: dict[str, int] = {}
        self.current = ""
        #: How often tokens were fetched, and how often by force.
        self.fetched = self.forced = 0
        self._forced_ms: list[int] = []
        self._count = itertools.count(1)

    def number(self) -> int:
        """Return the next number: ids are told apart by it."""
        return next(self._count)

    def now(self) -> int:
        return self.clock.now_ms()

    # ---------------------------------------------------------------- people

    def person(self, name: str) -> Person:
        """Return the person of this name, invented at need."""
        return next((one for one in self.people.values() if one.name == name), None) or self.invent(name)

    def invent(self, name: str) -> Person:
        person = Person(id=f"{self._prefix}{self.number():04d}", name=name)
        self.people[person.id] = person
        return person

    def say(self, person: Person, kind: str, message: Json, *, mine: bool, id_: str = "") -> Said:
        said = Said(id=id_ or f"said-{self.number()}", at_ms=self.now(), mine=mine, kind=kind, message=message)
        person.said.append(said)
        if not mine:
            person.typing_until_ms = 0
        return said

    def find(self, said_id: str) -> Said:
        """Return a message. KeyError if there is none."""
        for person in self.people.values():
            for said in person.said:
                if said.id == said_id:
                    return said
        raise KeyError(said_id)

    # ---------------------------------------------------------------- tokens

    def token(self, *, fresh: bool = False) -> tuple[str, int]:
        """Return a token and its seconds: the same one until near its end, unless a `fresh` one is wanted.

        A fresh one ends all before it.
        """
        self.fetched += 1
        now = self.now()
        if fresh:
            self.tokens.clear()
        elif self.tokens.get(self.current, 0) - now > OVERLAP_MS:
            return self.current, (self.tokens[self.current] - now) // 1000
        self.current = secrets.token_urlsafe(96)
        self.tokens[self.current] = now + TOKEN_S * 1000
        return self.current, TOKEN_S

    def force(self) -> tuple[str, int] | None:
        """Return a fresh token, None if that was asked for too often: 20 times a day, 30 s apart."""
        now = self.now()
        self._forced_ms = [at for at in self._forced_ms if now - at < DAY_MS]
        if len(self._forced_ms) >= 20 or any(now - at < 30_000 for at in self._forced_ms):
            return None
        self._forced_ms.append(now)
        self.forced += 1
        return self.token(fresh=True)

    def refusal(self, token: str) -> int:
        """Return the errcode for a call with this token, 0 if it is good."""
        if not token:
            return 41001
        if token not in self.tokens:
            return 40014
        return 0 if self.tokens[token] > self.now() else 42001

    # ---------------------------------------------------------------- files

    def keep(self, kind: str, content: bytes, mime: str, name: str = "") -> str:
        """Keep a file and return its media id."""
        id_ = f"media-{self.number()}-{secrets.token_urlsafe(12)}"
        self.files[id_] = Kept(kind, content, mime, name or id_, self.now() + MEDIA_MS)
        return id_

    def file(self, media_id: Any) -> Kept | None:
        """Return a file, None if there is none or its three days are over."""
        kept = self.files.get(media_id) if isinstance(media_id, str) else None
        return kept if kept and kept.until_ms > self.now() else None
