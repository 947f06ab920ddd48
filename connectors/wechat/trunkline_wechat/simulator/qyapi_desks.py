"""What a simulated company remembers of its desks: who talks there, what `sync_msg` has to tell. No I/O."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any

from trunkline_wechat.simulator.wire import Refused
from trunkline_wechat.simulator.world import DAY_MS, Person, World

Json = dict[str, Any]

WINDOW_MS = 48 * 3600 * 1000
BUDGET = 5
_CALLBACK_TOKEN_MS, _WELCOME_MS = 600_000, 20_000
#: How far back a pull without a cursor goes.
_HISTORY_MS = 3 * DAY_MS


@dataclass
class Talk:
    """One customer at one desk."""

    person: Person
    #: `service_state`; 4 also stands for a session that never began.
    state: int = 4
    servicer: str = ""
    last_ms: int = 0
    entered_ms: int = 0
    #: Answers left after the customer's last message.
    left: int = 0

    def is_over(self, now: int) -> bool:
        """Whether the customer's next message begins a new session."""
        return self.state == 4 or now - self.last_ms >= WINDOW_MS


@dataclass
class Code:
    """A right to answer one event."""

    desk: Desk
    talk: Talk
    ends_ms: int
    used: bool = False


@dataclass
class Desk:
    id: str
    name: str
    #: Colleagues → 0 on duty, 1 stopped.
    staff: dict[str, int] = field(default_factory=dict)
    talks: dict[str, Talk] = field(default_factory=dict)
    #: What `sync_msg` has to tell: (ms, item).
    items: list[tuple[int, Json]] = field(default_factory=list)
    #: Callback tokens → end in ms.
    tokens: dict[str, int] = field(default_factory=dict)
    #: Ids of messages that were taken.
    ids: set[str] = field(default_factory=set)
    #: Pulls without a callback's token.
    unasked: list[int] = field(default_factory=list)


class Desks:
    """All desks of a company."""

    def __init__(self, world: World, ids: tuple[str, ...]) -> None:
        self._world = world
        self.all = {id_: Desk(id_, f"Desk {number}") for number, id_ in enumerate(ids, 1)}
        self.codes: dict[str, Code] = {}

    def desk(self, id_: Any) -> Desk:
        """Return a desk. Refused if there is none."""
        if id_ not in self.all:
            raise Refused(95000, "invalid open_kfid")
        return self.all[id_]

    def talk(self, body: Json, name: str = "external_userid") -> tuple[Desk, Talk]:
        """Return the desk and the talk that a call names. Refused if the customer never was there."""
        desk = self.desk(body.get("open_kfid"))
        if body.get(name) not in desk.talks:
            raise Refused(40096, "invalid external userid")
        return desk, desk.talks[body[name]]

    def tell(self, desk: Desk, person: Person, item: Json, *, origin: int) -> Json:
        """Put an item into a desk's history; an event names its place inside itself."""
        place = {"open_kfid": desk.id, "external_userid": person.id}
        head: Json = {
            "msgid": f"k{self._world.number():06}",
            "send_time": self._world.now() // 1000,
            "origin": origin,
        }
        if item["msgtype"] == "event":
            full = {**head, **item, "event": {**item["event"], **place}}
        else:
            full = {**head, **place, **item}
        desk.items.append((self._world.now(), full))
        return full

    def oldest(self, desk: Desk) -> int:
        """Return where a pull without a cursor begins."""
        since = self._world.now() - _HISTORY_MS
        return next((at for at, (ms, _) in enumerate(desk.items) if ms >= since), len(desk.items))

    def token(self, desk: Desk) -> str:
        token = "ENC" + secrets.token_urlsafe(24)
        desk.tokens[token] = self._world.now() + _CALLBACK_TOKEN_MS
        return token

    def welcome(self, desk: Desk, talk: Talk) -> str:
        code = secrets.token_urlsafe(16)
        self.codes[code] = Code(desk, talk, self._world.now() + _WELCOME_MS)
        return code
