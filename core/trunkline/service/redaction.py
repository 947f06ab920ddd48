"""What a customer took back is taken out everywhere: of the log, of the raw requests, of the previews.

The log is append-only but for this: an event keeps its place, its kind and its time, and loses the words.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import bindparam, select, update

from trunkline.model import Unsupported
from trunkline.store import Prepared, schema

if TYPE_CHECKING:
    from trunkline.store import Transaction

__all__ = ["REDACTED", "TOMBSTONE", "redact_log", "redact_raw"]

#: State of a raw request whose body was removed; it can never be read again.
REDACTED = "redacted"
TOMBSTONE = Unsupported(platform_kind="recalled")

_e, _r = schema.event.c, schema.raw_request.c
_EVENTS = Prepared(
    select(_e.seq, _e.payload)
    .where(_e.thread_id == bindparam("thread"), _e.seq > bindparam("after"))
    .order_by(_e.seq)
    .limit(bindparam("page"))
)
_REWRITE = Prepared(update(schema.event).where(_e.seq == bindparam("place")).values(payload=bindparam("words")))
_EMPTY = Prepared(
    update(schema.raw_request)
    .where(_r.id == bindparam("raw"))
    .values(body=b"", state=REDACTED, reason="recalled", error=None, updated_at=bindparam("now"))
)
_PAGE = 500
_TOLD = msgspec.to_builtins(TOMBSTONE)


def redact_raw(tx: Transaction, raw_id: str, now: int) -> None:
    """Remove the body of the request that a message came in; its neighbours are stored already."""
    tx.run(_EMPTY, {"raw": raw_id, "now": now})


def redact_log(tx: Transaction, thread_id: str, message_id: str, lines: Iterable[str]) -> None:
    """Take a message out of all events of its thread; `lines` are those that stood for it in lists."""
    shown = frozenset(line for line in lines if line)
    marks = [message_id, *(msgspec.json.encode(line).decode() for line in shown)]
    after = 0
    while rows := tx.run(_EVENTS, {"thread": thread_id, "after": after, "page": _PAGE}):
        for seq, payload in rows:
            after = seq
            if any(mark in payload for mark in marks):
                _redact_event(tx, seq, payload, message_id, shown)


def _redact_event(tx: Transaction, seq: int, payload: str, message_id: str, shown: frozenset[str]) -> None:
    told = msgspec.json.decode(payload)
    message, thread = told.get("message"), told.get("thread")
    if isinstance(message, dict):
        _redact_message(message, message_id)
    if isinstance(thread, dict):
        _redact_line(thread.get("preview"), shown)
    words = msgspec.json.encode(told).decode()
    if words != payload:
        tx.run(_REWRITE, {"place": seq, "words": words})


def _redact_message(message: dict[str, Any], message_id: str) -> None:
    if message.get("id") == message_id:
        message |= {"content": _TOLD, "previous": []}
    quoted = message.get("reply_to")
    if isinstance(quoted, dict) and quoted.get("message_id") == message_id:
        message["reply_to"] = {**quoted, "preview": None}


def _redact_line(preview: Any, shown: frozenset[str]) -> None:
    if isinstance(preview, dict) and preview.get("text") in shown:
        preview |= {"type": "unsupported", "text": ""}
