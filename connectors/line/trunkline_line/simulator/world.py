"""Everything the simulated LINE remembers: people, chats, tokens, keys, content. No I/O."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import secrets
from dataclasses import dataclass, field
from typing import Any

from joserfc import errors, jwk, jwt

from trunkline.contract import Clock

Json = dict[str, Any]

MINUTE_MS, DAY_MS = 60_000, 86_400_000
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
#: Kinds of messages that get a quote token when they are sent.
QUOTABLE = {"text", "textV2", "sticker", "image", "video", "template", "flex"}


@dataclass
class Person:
    id: str
    name: str
    language: str = "en"
    friend: bool = True
    #: Set by `unfollow`: a push is answered 200 and reaches nobody.
    blocked: bool = False
    wrote: bool = False


@dataclass
class Chat:
    """One conversation of the account: with a person, in a group or in a room."""

    id: str
    kind: str
    name: str = ""
    members: list[str] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    typing_until_ms: int = 0


@dataclass
class Said:
    """One message as LINE keeps it."""

    id: str
    at_ms: int
    #: The person who wrote, None for the account.
    author: str | None
    message: Json
    #: True for the last message of its request: only there quick replies show.
    last: bool = True
    read: bool = False
    unsent: bool = False
    quote_token: str | None = None


@dataclass
class ReplyToken:
    chat: str
    event_at_ms: int
    given_at_ms: int
    used: bool = False


@dataclass
class Kept:
    """Media content. `polls` is how often LINE is still preparing it when asked."""

    kind: str
    body: bytes
    mime: str
    polls: int = 0
    failed: bool = False


@dataclass
class AcceptedKey:
    at_ms: int
    request_id: str
    answer: Json


class World:
    """The state of one simulated account."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.bot = "U" + "0" * 31 + "1"
        self.channel_id, self.channel_secret = "2000000001", secrets.token_hex(16)
        self.long_lived = "long-lived-" + secrets.token_urlsafe(48)
        self.people: dict[str, Person] = {}
        self.chats: dict[str, Chat] = {}
        self.replies: dict[str, ReplyToken] = {}
        self.keys: dict[str, AcceptedKey] = {}
        self.content: dict[str, Kept] = {}
        self.read_tokens: dict[str, Said] = {}
        #: Access tokens → end in ms; the long-lived one has none.
        self.access: dict[str, int | None] = {self.long_lived: None}
        #: Public keys of assertion signing keys by kid.
        self.assertion_keys: dict[str, Any] = {}
        self.quota: int | None = 5000
        self.used = 0
        self._count = itertools.count(1)

    # ---------------------------------------------------------------- ids and tokens

    def message_id(self) -> str:
        return f"{self.clock.now_ms()}{next(self._count):05d}"

    def event_id(self) -> str:
        """Return a ULID: 48 bits of time, 80 of chance."""
        number = (self.clock.now_ms() << 80) | secrets.randbits(80)
        return "".join(_CROCKFORD[(number >> shift) & 31] for shift in range(125, -1, -5))

    def issue(self, *, seconds: int) -> str:
        token = secrets.token_urlsafe(64)
        self.access[token] = self.clock.now_ms() + seconds * 1000
        return token

    def knows(self, token: str) -> bool:
        if token not in self.access:
            return False
        end = self.access[token]
        return end is None or end > self.clock.now_ms()

    def expire(self) -> None:
        """End every short-lived token that was given out."""
        self.access = {token: end for token, end in self.access.items() if end is None}

    def reply_token(self, chat: str) -> str:
        token, now = secrets.token_hex(16), self.clock.now_ms()
        self.replies[token] = ReplyToken(chat=chat, event_at_ms=now, given_at_ms=now)
        return token

    def redelivered(self, token: str) -> None:
        """A redelivered token gets a fresh minute, unless it was used or its event is 20 minutes old."""
        kept, now = self.replies[token], self.clock.now_ms()
        if not kept.used and now - kept.event_at_ms <= 20 * MINUTE_MS:
            kept.given_at_ms = now

    def use_reply(self, token: Any) -> str | None:
        """Use a token up and return its chat, None if it is no good."""
        kept = self.replies.get(token) if isinstance(token, str) else None
        if kept is None or kept.used or self.clock.now_ms() - kept.given_at_ms > MINUTE_MS:
            return None
        kept.used = True
        return kept.chat

    def accepted(self, key: str) -> AcceptedKey | None:
        kept = self.keys.get(key)
        return kept if kept and self.clock.now_ms() - kept.at_ms < DAY_MS else None

    # ---------------------------------------------------------------- people and chats

    def person(self, name: str) -> Person:
        """Return the person of this name, invented at need; the same name has the same id in every run."""
        id_ = "U" + hashlib.sha256(name.encode()).hexdigest()[:32]
        if id_ not in self.people:
            self.people[id_] = Person(id=id_, name=name)
            self.chats[id_] = Chat(id=id_, kind="user", name=name, members=[id_])
        return self.people[id_]

    def group(self, name: str, members: list[str], *, kind: str = "group") -> Chat:
        letter = "C" if kind == "group" else "R"
        id_ = letter + hashlib.sha256(name.encode()).hexdigest()[:32]
        return self.chats.setdefault(id_, Chat(id=id_, kind=kind, name=name, members=members))

    def said(self, message_id: str) -> tuple[Chat, Said]:
        """Return a message and its chat. KeyError if there is none."""
        for chat in self.chats.values():
            for said in chat.said:
                if said.id == message_id:
                    return chat, said
        raise KeyError(message_id)

    def quoted(self, chat: str, token: str) -> Said | None:
        """Return the message that a quote token of this very chat stands for."""
        said = self.chats[chat].said
        return next((one for one in said if hmac.compare_digest(one.quote_token or "", token)), None)

    def price(self, chat: str) -> int:
        """Return what a push counts: one per person reached, a group by its members."""
        if self.chats[chat].kind == "user":
            return 0 if self.people[chat].blocked else 1
        return len(self.chats[chat].members)

    def send(self, chat: str, messages: list[Json]) -> list[Json]:
        """Put the account's messages into a chat and return `sentMessages`."""
        kept = self.chats[chat]
        sent = []
        for at, message in enumerate(messages):
            quote = secrets.token_urlsafe(24) if message["type"] in QUOTABLE else None
            said = Said(
                id=self.message_id(),
                at_ms=self.clock.now_ms(),
                author=None,
                message=message,
                quote_token=quote,
            )
            said.last = at == len(messages) - 1
            if not (kept.kind == "user" and self.people[chat].blocked):
                kept.said.append(said)
            sent.append({"id": said.id, **({"quoteToken": quote} if quote else {})})
        kept.typing_until_ms = 0
        return sent

    # ---------------------------------------------------------------- assertion signing keys

    def assertion_key(self) -> tuple[str, str]:
        """Register a key as the console does. Returns its id and the private key in PEM."""
        key = jwk.RSAKey.generate_key(2048)
        kid = secrets.token_hex(8)
        self.assertion_keys[kid] = key
        return kid, key.as_pem(private=True).decode()

    def prove(self, assertion: str) -> Json | None:
        """Return the claims of an assertion that a registered key signed for this channel, else None."""
        try:
            token = jwt.decode(assertion, lambda one: self.assertion_keys[one.headers()["kid"]], algorithms=["RS256"])
        except (errors.JoseError, KeyError, ValueError):
            return None
        claims, now = token.claims, self.clock.now_ms() // 1000
        fits = claims.get("iss") == claims.get("sub") == self.channel_id and claims.get("aud") == "https://api.line.me/"
        return claims if fits and now < claims["exp"] <= now + 1800 else None
