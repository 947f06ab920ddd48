"""Everything the simulated Weibo remembers: fans, what was said, files, who may be answered. No I/O."""

from __future__ import annotations

import hashlib
import itertools
import secrets
from dataclasses import dataclass, field
from typing import Any

from trunkline.contract import Clock
from trunkline.testing.phones import Bubble, BubbleCard

Json = dict[str, Any]

TWO_DAYS_MS = 48 * 3_600_000
#: "A quota of 99 per fan" of the commercial page.
BUDGET = 99
#: What Weibo says of private messages elsewhere; whether this interface uses these numbers is not documented.
NOT_A_FAN, TOO_MANY = 20301, 20016
#: Events that open the right to answer.
_OPENING = {"follow", "subscribe", "scan", "scan_follow", "click"}


@dataclass
class Said:
    """One message in a fan's chat."""

    id: str
    at_ms: int
    mine: bool
    kind: str
    text: str = ""
    #: Number of the file, for pictures and sounds.
    file: int | None = None
    articles: list[dict[str, str]] = field(default_factory=list)

    @classmethod
    def of_fan(cls, world: World, kind: str, *, text: str = "", file: int | None = None) -> Said:
        return cls(str(world.number()), world.clock.now_ms(), mine=True, kind=kind, text=text, file=file)

    def bubble(self, url: str) -> Bubble:
        cards = tuple(
            BubbleCard(title=one["display_name"], text=one["summary"], image=one["image"], url=one["url"])
            for one in self.articles
        )
        where = f"{url}/_sim/files/{self.file}" if self.file is not None else None
        image = where if self.kind == "image" else None
        return Bubble(
            id=self.id, mine=self.mine, at_ms=self.at_ms, kind=self.kind, text=self.text,
            name="" if self.mine else "Shop", url=where, image=image, cards=cards,
        )  # fmt: skip


@dataclass
class Fan:
    id: str
    name: str
    follows: bool = True
    #: Until when the account may answer, and how often still.
    open_until_ms: int = 0
    left: int = 0
    mention_until_ms: int = 0
    mentions_left: int = 0
    wrote_s: int = 0
    said: list[Said] = field(default_factory=list)


@dataclass
class Kept:
    body: bytes
    mime: str


class World:
    """The state of one simulated account."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.uid, self.app_key, self.app_secret = "1000000001", "1352222456", secrets.token_hex(16)
        self.token = "2.00" + secrets.token_urlsafe(20)
        #: How long a token of the console lasts is not stated.
        self.token_ends_ms = clock.now_ms() + 3650 * 86_400_000
        self.fans: dict[str, Fan] = {}
        self.files: dict[str, Kept] = {}
        self._count = itertools.count(4_400_000_000_000_000)

    def number(self) -> int:
        return next(self._count)

    def fan(self, name: str) -> Fan:
        """Return the fan of this name, invented at need; the same name has the same id in every run."""
        id_ = str(2_000_000_000 + int(hashlib.sha256(name.encode()).hexdigest()[:12], 16) % 10**9)
        return self.fans.setdefault(id_, Fan(id=id_, name=name))

    def keep(self, kept: Kept) -> int:
        """Keep a file and return the receiver's number of it; the sender's is one less."""
        self.number()
        number = self.number()
        self.files[str(number)] = kept
        return number

    def open(self, fan: Fan) -> None:
        fan.open_until_ms, fan.left = self.clock.now_ms() + TWO_DAYS_MS, BUDGET

    def mentioned(self, fan: Fan) -> None:
        fan.mention_until_ms, fan.mentions_left = self.clock.now_ms() + TWO_DAYS_MS, 1

    def happened(self, fan: Fan, subtype: str) -> None:
        """Apply what an event means for the right to answer."""
        if subtype in {"follow", "scan_follow"}:
            fan.follows = True
        if subtype == "unfollow":
            fan.follows, fan.open_until_ms, fan.mention_until_ms = False, 0, 0
        if subtype in _OPENING:
            self.open(fan)

    def spend(self, fan: Fan) -> int | None:
        """Take one answer off what the fan allowed; the number of the refusal if there is none."""
        now = self.clock.now_ms()
        if now < fan.open_until_ms and fan.left > 0:
            fan.left -= 1
            return None
        if now < fan.mention_until_ms and fan.mentions_left > 0:
            fan.mentions_left -= 1
            return None
        return TOO_MANY if now < max(fan.open_until_ms, fan.mention_until_ms) else NOT_A_FAN

    def second(self, fan: Fan) -> int:
        """Return the time of a packet, seconds since the epoch: nobody writes twice in one."""
        fan.wrote_s = max(self.clock.now_ms() // 1000, fan.wrote_s + 1)
        return fan.wrote_s
