"""The first walk: proved requests become threads, messages and events in one commit, then the platform gets its answer.

Duplicates fall out by the primary key of `inbound_item`. What cannot be read is kept, shown and can be replayed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from trunkline.clock import monotonic
from trunkline.contract import EchoReceived, Ignored, Item, MessageReceived, SubmissionReceived, Unknown
from trunkline.errors import StoreUnavailable
from trunkline.log import get_logger
from trunkline.model import Actor, ActorKind
from trunkline.service.arrivals import Arrival, WorkingSet
from trunkline.service.items import HANDLERS

if TYPE_CHECKING:
    from trunkline.contract import Clock
    from trunkline.store import Store, Transaction

__all__ = ["Intake", "Outcome"]

log = get_logger("intake")


class Outcome(msgspec.Struct, frozen=True):
    """What became of one request."""

    raw_id: str
    #: processed, ignored, quarantined
    state: str
    new_items: int
    duplicates: int


def _nobody(_seconds: float) -> None:
    """Nobody measures."""


class Intake:
    """Stores requests in groups."""

    def __init__(self, store: Store, clock: Clock, on_applied: Callable[[float], object] = _nobody) -> None:
        #: Told, on the writer's thread, how many seconds a group took.
        self._store, self._clock, self._on_applied = store, clock, on_applied

    async def take(self, arrival: Arrival) -> Outcome:
        """Store one request with all its effects; returns after the commit.

        Raises:
            StoreUnavailable: nothing was stored; the platform must send it again.
        """
        try:
            outcome = await self._store.writer.write_together(self.apply, arrival)
        except StoreUnavailable:
            raise
        except Exception as error:
            log.exception("event.quarantined", **_which(arrival))
            return await self._set_aside(arrival, error)
        if outcome.state == "quarantined":
            log.warning("event.quarantined", **_which(arrival), error=arrival.error or "unknown kind of event")
        return outcome

    async def take_page(self, arrival: Arrival, move: Callable[[Transaction], bool]) -> bool:
        """Store a pulled page in the transaction in which `move` moves its cursor.

        Returns what `move` said: False means that nothing was stored. An item that cannot be stored is set aside, and
        the cursor moves on.

        Raises:
            StoreUnavailable: nothing was stored; the page must be pulled again.
        """

        def work(tx: Transaction) -> bool:
            return move(tx) and bool(self.apply(tx, [arrival]))

        try:
            return await self._store.writer.write(work)
        except StoreUnavailable:
            raise
        except Exception as error:
            log.exception("event.quarantined", **_which(arrival))
            await self._set_aside(arrival, error)
            return await self._store.writer.write(move)

    def apply(self, tx: Transaction, arrivals: list[Arrival]) -> list[Outcome]:
        """Store a group of requests; a function of its arguments, run again if the group's commit fails."""
        now, began = self._clock.now_ms(), monotonic()
        work = WorkingSet(tx, now)
        pairs = [(arrival, item) for arrival in arrivals for item in arrival.items]
        new = _only_new(work, pairs)
        work.load(new)
        for arrival, item in new:
            HANDLERS[type(item)](work, arrival, item)
        outcomes = _outcomes(arrivals, new)
        work.keep_raw(arrivals, {key: _raw_state(arrival, outcomes[key]) for key, arrival in _by_id(arrivals)})
        work.flush()
        for arrival in arrivals:
            if arrival.error is not None:
                _report_quarantine(tx, arrival, "unreadable", arrival.error, now)
        self._on_applied(monotonic() - began)
        return [outcomes[arrival.raw_id] for arrival in arrivals]

    async def _set_aside(self, arrival: Arrival, error: Exception) -> Outcome:
        """Keep the request in the quarantine, and store those of its items that can be stored alone."""
        words = f"{type(error).__name__}: {error}"[:500]
        await self._store.writer.write(lambda tx: self._quarantine(tx, arrival, words))
        stored = 0
        for item in arrival.items:
            alone = msgspec.structs.replace(arrival, items=(item,), keep_raw=False)
            try:
                stored += (await self._store.writer.write_together(self.apply, alone)).new_items
            except StoreUnavailable:
                raise
            except Exception:  # noqa: BLE001 - this item is the bad one; it stays in the quarantined request
                log.warning("item.quarantined", raw_id=arrival.raw_id, platform_kind=item.platform_kind)
        return Outcome(arrival.raw_id, "quarantined", stored, 0)

    def _quarantine(self, tx: Transaction, arrival: Arrival, words: str) -> None:
        now = self._clock.now_ms()
        WorkingSet(tx, now).keep_raw([arrival], {arrival.raw_id: ("quarantined", "handler_error", words)})
        _report_quarantine(tx, arrival, "handler_error", words, now)


def _report_quarantine(tx: Transaction, arrival: Arrival, reason: str, words: str, now: int) -> None:
    payload = {
        "account_id": arrival.account.id,
        "quarantine_id": arrival.raw_id,
        "reason": reason,
        "error": words,
    }
    tx.append("quarantined", actor=Actor(ActorKind.CONNECTOR, arrival.account.id), at=now, payload=payload)


def _which(arrival: Arrival) -> dict[str, str]:
    return {"raw_id": arrival.raw_id, "account": arrival.account.id, "request_id": arrival.request_id}


def _by_id(arrivals: Sequence[Arrival]) -> list[tuple[str, Arrival]]:
    return [(arrival.raw_id, arrival) for arrival in arrivals]


def _keys(item: Item) -> list[str]:
    """Return the dedupe keys of an item: its own, and for a message also that of the message itself.

    Some platforms send one message under two event ids.
    """
    keys = [f"e:{item.dedupe_key}"]
    if isinstance(item, (MessageReceived, EchoReceived, SubmissionReceived)):
        keys.append(f"m:{item.external_id}")
    return keys


def _only_new(work: WorkingSet, pairs: list[tuple[Arrival, Item]]) -> list[tuple[Arrival, Item]]:
    """Return what was never seen before, in order; the first of equal neighbours counts."""
    if not pairs:
        return []
    keyed = [(arrival, item, _keys(item)) for arrival, item in pairs]
    unseen = work.claim([(arrival.account.id, key, arrival.raw_id) for arrival, _, keys in keyed for key in keys])
    new = []
    for arrival, item, keys in keyed:
        mine = {(arrival.account.id, key) for key in keys}
        if mine <= unseen:
            new.append((arrival, item))
        unseen -= mine
    return new


def _outcomes(arrivals: Sequence[Arrival], new: Sequence[tuple[Arrival, Item]]) -> dict[str, Outcome]:
    counts = dict.fromkeys((arrival.raw_id for arrival in arrivals), 0)
    for arrival, _ in new:
        counts[arrival.raw_id] += 1
    return {
        arrival.raw_id: Outcome(
            arrival.raw_id,
            _raw_state_name(arrival, counts[arrival.raw_id]),
            counts[arrival.raw_id],
            len(arrival.items) - counts[arrival.raw_id],
        )
        for arrival in arrivals
    }


def _raw_state_name(arrival: Arrival, new: int) -> str:
    if arrival.error is not None or any(isinstance(item, Unknown) for item in arrival.items):
        return "quarantined"
    if new == 0 or all(isinstance(item, Ignored) for item in arrival.items):
        return "ignored"
    return "processed"


def _raw_state(arrival: Arrival, outcome: Outcome) -> tuple[str, str | None, str | None]:
    """Return (state, reason, error) of the stored request."""
    if arrival.error is not None:
        return "quarantined", "unreadable", arrival.error
    if outcome.state == "quarantined":
        return (
            "quarantined",
            "unknown_kind",
            "The request holds an event of a kind that this connector does not know.",
        )
    if outcome.state == "ignored":
        return "ignored", _ignored_because(arrival, outcome), None
    return "processed", None, None


def _ignored_because(arrival: Arrival, outcome: Outcome) -> str:
    if not arrival.items:
        return "empty"
    if outcome.duplicates:
        return "duplicate"
    return ", ".join(sorted({item.reason for item in arrival.items if isinstance(item, Ignored)}))
