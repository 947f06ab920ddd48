"""One row of the append-only log."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

__all__ = ["Actor", "ActorKind", "Event"]


class ActorKind(StrEnum):
    """Who caused an event."""

    CONTACT = "contact"
    AGENT = "agent"
    BOT = "bot"
    SYSTEM = "system"
    CONNECTOR = "connector"
    OPERATOR = "operator"


class Actor(msgspec.Struct, frozen=True):
    """Who caused an event; `name` as it was at that time."""

    kind: ActorKind
    id: str | None = None
    name: str | None = None


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One fact. Rows are never changed; `seq` is the order of commits and has no gaps that fill up later."""

    seq: int
    #: Milliseconds since the epoch, UTC.
    at_ms: int
    kind: str
    #: The thread it belongs to, None for facts about accounts and staff.
    thread_id: str | None
    actor: Actor
    #: A snapshot: names and texts as they were.
    payload: dict[str, Any]
