"""What happens elsewhere and concerns the waiting room: the log, read once, in the transaction of the effect."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from sqlalchemy import select
from trunkline.contract import Application
from trunkline.store import schema as core

from trunkline_waiting_room.line import Line, Step
from trunkline_waiting_room.places import Places
from trunkline_waiting_room.ratings import Ratings, is_rating

if TYPE_CHECKING:
    from trunkline.model import Event
    from trunkline.service.house import House
    from trunkline.store import Transaction

    from trunkline_waiting_room.rules import Rules

__all__ = ["KINDS", "WaitingRoom"]


class WaitingRoom(Application):
    """The waiting room of one house."""

    def __init__(self, house: House, rules: Rules) -> None:
        self.house, self.rules = house, rules
        self.line, self.ratings = Line(rules), Ratings(house, rules)
        self.places = Places(house, rules)
        self._loop: asyncio.AbstractEventLoop | None = None

    async def start(self) -> None:
        """Begin to tell places."""
        self._loop = asyncio.get_running_loop()
        await self.places.start()

    async def stop(self) -> None:
        """Tell no more."""
        await self.places.stop()

    def wants(self, kind: str, payload: str) -> bool:
        """Of what customers write only what may be a rating."""
        return kind != "message_received" or is_rating(payload)

    def consume(self, tx: Transaction, events: Sequence[Event]) -> None:
        """Apply events; after a failed commit the same ones come again, so the time is theirs and not the clock's."""
        for event in events:
            effect = EFFECTS.get(event.kind)
            if effect is not None and event.thread_id is not None:
                effect(self, tx, event, Step(event.thread_id, event.actor, event.at_ms))
        if self._loop is not None and any(event.kind in MOVES for event in events):
            # We are on the writer's thread, and the places are told from the loop.
            self._loop.call_soon_threadsafe(self.places.moved)


def _assigned(room: WaitingRoom, tx: Transaction, event: Event, step: Step) -> None:
    if event.payload["target"] == "agent" and not _is_old(tx, event):
        room.line.accept(tx, step, event.payload["assignee"])


def _unassigned(room: WaitingRoom, tx: Transaction, event: Event, step: Step) -> None:
    if event.payload["target"] == "agent" and not _is_old(tx, event):
        room.line.put_back(tx, step)


def _closed(room: WaitingRoom, tx: Transaction, event: Event, step: Step) -> None:
    if not _is_old(tx, event):
        over = room.line.end(tx, step, {"active": "agent_end", "queued": "agent_end"})
        room.ratings.invite(tx, step, over)


def _submitted(room: WaitingRoom, tx: Transaction, event: Event, step: Step) -> None:
    if not _is_old(tx, event):
        room.line.end(tx, step, {"queued": "left_submission"})


def _received(room: WaitingRoom, tx: Transaction, event: Event, step: Step) -> None:
    room.ratings.heard(tx, step, event.payload["message"]["content"])


def _is_old(tx: Transaction, event: Event) -> bool:
    """Whether the customer came into the line after this: the log is read a moment later than it is written.

    Only what customers did themselves counts: an event that we wrote while reading stands later than what caused it.
    """
    e = core.event.c
    came = (e.thread_id == event.thread_id, e.kind == "queued", e.actor_kind == "contact")
    last = select(e.seq).where(*came).order_by(e.seq.desc()).limit(1)
    return bool((tx.execute(last).scalar() or 0) > event.seq)


#: Kind of event → what it does to the line.
EFFECTS: Mapping[str, Callable[[WaitingRoom, Transaction, Event, Step], None]] = {
    "assigned": _assigned,
    "unassigned": _unassigned,
    "closed": _closed,
    "submission_received": _submitted,
    "message_received": _received,
}
#: Events of our own after which somebody may have another place. They are in the log, so what they tell of is stored.
MOVES = frozenset({"queued", "session_started", "session_ended"})
KINDS = frozenset(EFFECTS) | MOVES
