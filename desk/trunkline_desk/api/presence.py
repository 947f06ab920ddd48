"""Who looks at which thread and who types in it, for the agents of all processes. Nothing of it is kept.

What an agent's client says becomes a moment; every moment becomes a frame for the other agents, and ends by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from trunkline.clock import monotonic
from trunkline.model import ActorKind
from trunkline.service.moments import Moment
from trunkline_desk.api.frames import Presence
from trunkline_desk.people.roles import Action, may

if TYPE_CHECKING:
    from trunkline.service.feed import Subscription
    from trunkline.service.moments import Moments
    from trunkline_desk.people.roles import Actor

__all__ = ["TYPING_S", "VIEWING_S", "Place", "Presences", "moment_of"]

#: How long a sign holds. Clients repeat it sooner; a repetition is passed on only when it is needed.
TYPING_S = 6
VIEWING_S = 20
_REPEAT_S = {"typing": 2.0, "viewing": 8.0}
_TTL_S = {"typing": TYPING_S, "viewing": VIEWING_S}
#: Kinds of moments that concern agents, and the signs among them that last.
_SHOWN = frozenset({"typing", "viewing", "left", "visited"})
_LASTING = ("typing", "viewing")
#: Signs remembered at most, for those who come later.
_MOST = 5000

_encode = msgspec.json.Encoder().encode
#: Kind, thread, kind and id of the actor.
_Key = tuple[str, str, str, str | None]


def moment_of(kind: str, thread_id: str | None, actor: Actor) -> Moment:
    """Return what an agent's sign is to everybody else."""
    ttl_s = _TTL_S.get(kind, 0)
    agent = ActorKind.AGENT.value
    return Moment(
        kind=kind, thread_id=thread_id, actor_kind=agent, actor_id=actor.id, actor_name=actor.name, ttl_s=ttl_s
    )


class Place:
    """Where one connection's agent is."""

    def __init__(self, presences: Presences, actor: Actor, subscription: Subscription) -> None:
        self._presences, self.actor, self._subscription = presences, actor, subscription
        self.thread_id: str | None = None
        self._told: dict[str, float] = {}

    def move(self, said: Presence) -> None:
        """Take over what the client says; the others hear of it when it is news."""
        if said.thread_id != self.thread_id:
            self._go()
            self.thread_id = said.thread_id
        if said.thread_id is None or (said.state == "typing" and not may(self.actor, Action.REPLY)):
            return
        for kind in _LASTING if said.state == "typing" else ("viewing",):
            if monotonic() - self._told.get(kind, -1e9) > _REPEAT_S[kind]:
                self._told[kind] = monotonic()
                self._presences.tell(moment_of(kind, said.thread_id, self.actor))

    def leave(self) -> None:
        """The connection is over."""
        self._presences.forget(self)
        self._go()

    def hear(self, moment: Moment, frame: bytes) -> None:
        """Pass a moment on to the client, unless it is their own."""
        if not self.is_own(moment):
            self._subscription.interject(frame)

    def is_own(self, moment: Moment) -> bool:
        """Whether the moment is of the same agent, here or elsewhere."""
        return moment.actor_kind == ActorKind.AGENT.value and moment.actor_id == self.actor.id

    def _go(self) -> None:
        thread_id, self.thread_id = self.thread_id, None
        self._told.clear()
        if thread_id is not None and not self._presences.is_there(self.actor.id, thread_id):
            self._presences.tell(moment_of("left", thread_id, self.actor))


class Presences:
    """The signs of all agents, and the places of this process."""

    def __init__(self, moments: Moments) -> None:
        self._moments = moments
        self._places: set[Place] = set()
        self._signs: dict[_Key, tuple[Moment, float]] = {}
        self._stop: Callable[[], None] | None = None

    def start(self) -> None:
        """Begin to listen."""
        self._stop = self._moments.listen(self._heard)

    def stop(self) -> None:
        """Listen no more."""
        if self._stop is not None:
            self._stop()

    def enter(self, actor: Actor, subscription: Subscription) -> Place:
        """Return the place of a new connection."""
        place = Place(self, actor, subscription)
        self._places.add(place)
        return place

    def present(self, place: Place) -> bytes:
        """Return the frame that tells a new connection who is there."""
        now = monotonic()
        items = [_shown(one, until - now) for one, until in self._now(now) if not place.is_own(one)]
        return _encode({"type": "present", "items": items})

    def forget(self, place: Place) -> None:
        """Tell a connection nothing more."""
        self._places.discard(place)

    def is_there(self, agent_id: str, thread_id: str) -> bool:
        """Whether another connection of this process has the agent at the thread."""
        return any(place.thread_id == thread_id and place.actor.id == agent_id for place in self._places)

    def tell(self, moment: Moment) -> None:
        """Tell everybody."""
        self._moments.tell(moment)

    def _heard(self, moment: Moment) -> None:
        if moment.kind not in _SHOWN or moment.thread_id is None:
            return
        self._note(moment, moment.thread_id)
        frame = _encode({"type": "moment"} | _shown(moment, moment.ttl_s))
        for place in self._places:
            place.hear(moment, frame)

    def _note(self, moment: Moment, thread_id: str) -> None:
        who = (thread_id, moment.actor_kind, moment.actor_id)
        if moment.kind == "left":
            for kind in _LASTING:
                self._signs.pop((kind, *who), None)
        if moment.kind not in _LASTING:
            return
        if len(self._signs) >= _MOST:
            self._signs = {_key(one): (one, until) for one, until in self._now(monotonic())[-_MOST // 2 :]}
        self._signs[moment.kind, *who] = moment, monotonic() + moment.ttl_s

    def _now(self, now: float) -> list[tuple[Moment, float]]:
        return [(moment, until) for moment, until in self._signs.values() if until > now]


def _key(moment: Moment) -> _Key:
    return moment.kind, moment.thread_id or "", moment.actor_kind, moment.actor_id


def _shown(moment: Moment, ttl_s: float) -> dict[str, Any]:
    actor = {"kind": moment.actor_kind, "id": moment.actor_id, "name": moment.actor_name}
    return {"kind": moment.kind, "thread_id": moment.thread_id, "actor": actor, "ttl_s": max(0, round(ttl_s))}
