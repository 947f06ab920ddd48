"""What the API and the log show of a row: shapes built once, used for answers and for event payloads alike.

A snapshot holds names and texts as they were; times are RFC 3339 in UTC with milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from trunkline.clock import to_text
from trunkline.model import Content, content_kind, summary

if TYPE_CHECKING:
    from sqlalchemy import Row

__all__ = [
    "ACTIVE",
    "ContactSnapshot",
    "MessageSnapshot",
    "Preview",
    "ThreadSnapshot",
    "delivery_snapshot",
    "furthest",
    "is_retryable",
    "media_snapshot",
    "message_snapshot",
    "preview_of",
    "time_text",
    "with_media",
]

_PREVIEW_CHARACTERS = 140
#: From the state that needs attention most to the one that needs it least: a message shows the worst of its parts.
_ATTENTION = (
    "failed",
    "expired",
    "suppressed",
    "uncertain",
    "held",
    "retrying",
    "sending",
    "queued",
    "cancelled",
    "sent",
    "delivered",
    "read",
)
#: States in which a delivery is still on its way.
ACTIVE = ("queued", "sending", "retrying", "held", "uncertain")
_RETRYABLE = frozenset({"failed", "expired", "suppressed"})

decode: msgspec.json.Decoder[Any] = msgspec.json.Decoder()


class Preview(msgspec.Struct, frozen=True):
    """The newest message in one line."""

    author: str
    type: str
    text: str


class ContactSnapshot(msgspec.Struct, frozen=True):
    """A customer, as shown in lists."""

    id: str
    name: str | None
    avatar: dict[str, Any] | None = None


class ThreadSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the inbox."""

    id: str
    account_id: str
    channel: str
    channel_title: str
    contact: ContactSnapshot
    state: str
    round: int
    assignee: dict[str, Any] | None
    unread: int
    last_message_at: str
    last_position: int
    preview: Preview | msgspec.Raw | None
    first_unanswered_at: str | None
    window: dict[str, Any] | None
    reachable: bool


class MessageSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A message; its content stays encoded."""

    id: str
    thread_id: str
    position: int
    direction: str
    author: dict[str, Any]
    content: msgspec.Raw | dict[str, Any]
    quick_replies: list[Any]
    reply_to: dict[str, Any] | None
    at: str
    platform_at: str | None
    late: bool
    edited_at: str | None
    previous: list[Any]
    recalled_at: str | None
    placeholder: dict[str, Any] | None
    deliveries: list[dict[str, Any]]
    delivery_state: str | None
    retryable: bool


def time_text(ms: int | None) -> str | None:
    """Return a time as text, None if there is none."""
    return None if ms is None else to_text(ms)


def preview_of(content: Content, author: str) -> Preview:
    """Return the line that stands for a message in a list."""
    return Preview(author, content_kind(content).value, " ".join(summary(content).split())[:_PREVIEW_CHARACTERS])


def delivery_snapshot(row: Row[Any] | Any) -> dict[str, Any]:
    """Return one delivery as the API shows it."""
    return {
        "id": row.id,
        "part": row.part,
        "parts": row.parts,
        "state": row.state,
        "reason": _reason(row.reason),
        "attempts": row.attempts,
        "next_attempt_at": time_text(row.due_at) if row.state in {"retrying", "held"} else None,
        "at": to_text(row.updated_at),
        "maybe_duplicate": bool(row.maybe_duplicate),
        "level": row.level,
        "cost": row.cost,
    }


def _reason(encoded: str | None) -> dict[str, Any] | None:
    if encoded is None:
        return None
    reason = decode.decode(encoded)
    answer = reason.get("answer") or {}
    return {
        "code": reason["code"],
        "text": reason["text"],
        "whose": reason.get("whose"),
        "platform_text": answer.get("text"),
        "platform_code": answer.get("code"),
    }


def furthest(states: Sequence[str]) -> str | None:
    """Return the state of a message: that of the part which needs attention most, None without deliveries."""
    return min(states, key=_ATTENTION.index) if states else None


def is_retryable(states: Sequence[str]) -> bool:
    """Whether a person may send it again: something failed, and nothing is still on its way."""
    return any(state in _RETRYABLE for state in states) and not any(state in ACTIVE for state in states)


def media_snapshot(row: Row[Any] | Any) -> dict[str, Any]:
    """Return one file as the API shows it."""
    return {
        "id": row.id,
        "state": row.state,
        "mime": row.mime,
        "size": row.size,
        "name": row.name,
        "width": row.width,
        "height": row.height,
        "duration_ms": row.duration_ms,
        "reason": row.reason,
    }


def with_media(content: Any, media: Mapping[str, dict[str, Any]]) -> Any:
    """Return decoded content in which every medium is replaced by its row, and platform references are gone."""
    if isinstance(content, list):
        return [with_media(item, media) for item in content]
    if not isinstance(content, dict):
        return content
    return {
        key: _shown(value, media) if key in {"media", "image"} and isinstance(value, dict) else with_media(value, media)
        for key, value in content.items()
        if key != "raw"
    }


def _shown(value: dict[str, Any], media: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    known = media.get(value.get("id") or "")
    if known is not None:
        return known
    shown = {"id": None, "state": "pending", "reason": None}
    for key in ("id", "mime", "size", "name", "width", "height", "duration_ms"):
        shown[key] = value.get(key)
    return shown


def message_snapshot(
    row: Row[Any] | Any, deliveries: Sequence[Any] = (), media: Mapping[str, dict[str, Any]] | None = None
) -> MessageSnapshot:
    """Return one message as the API shows it. `row` has the columns of `message`."""
    shown = [delivery_snapshot(delivery) for delivery in deliveries]
    states = [delivery["state"] for delivery in shown]
    known = media or {}
    return MessageSnapshot(
        id=row.id,
        thread_id=row.thread_id,
        position=row.position,
        direction=row.direction,
        author={"kind": row.author_kind, "id": row.author_id, "name": row.author_name},
        content=with_media(decode.decode(row.content), known),
        quick_replies=decode.decode(row.quick_replies) if row.quick_replies else [],
        reply_to={"message_id": None, "external_id": row.quotes, "preview": None} if row.quotes else None,
        at=to_text(row.at),
        platform_at=time_text(row.platform_at),
        late=bool(row.late),
        edited_at=time_text(row.edited_at),
        previous=with_media(decode.decode(row.previous), known) if row.previous else [],
        recalled_at=time_text(row.recalled_at),
        placeholder={"quarantine_id": row.raw_id, "reason": row.placeholder} if row.placeholder else None,
        deliveries=shown,
        delivery_state=furthest(states),
        retryable=is_retryable(states),
    )
