"""Who the log says it was, and what is changed by them now."""

from __future__ import annotations

from typing import Any

from trunkline.model import Actor, ActorKind, Author, AuthorKind
from trunkline_desk.api.route import Call
from trunkline_desk.threads.states import Change

__all__ = ["author_of", "change_of", "log_actor"]


def log_actor(call: Call[Any, Any]) -> Actor:
    """Return who asks, for the log."""
    return Actor(ActorKind.AGENT, call.actor.id, call.actor.name)


def author_of(call: Call[Any, Any]) -> Author:
    """Return who asks, as the author of a message."""
    return Author(kind=AuthorKind.AGENT, id=call.actor.id, name=call.actor.name)


def change_of(call: Call[Any, Any], thread_id: str | None = None) -> Change:
    """Return the change that a call is about to make to its thread."""
    return Change(thread_id or call.path("thread_id"), log_actor(call), call.now)
