"""Reading threads for people: one statement for what a row of the inbox shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from sqlalchemy import CursorResult, Executable, Select, bindparam, func, select

from trunkline.clock import to_text
from trunkline.service.snapshots import (
    ACTIVE,
    ContactSnapshot,
    ThreadSnapshot,
    media_snapshot,
    time_text,
)
from trunkline.service.windows import Open, read_windows, window_snapshot
from trunkline.store import Prepared, schema

if TYPE_CHECKING:
    from trunkline.service.arrivals import AccountFacts
    from trunkline.store import Transaction

__all__ = ["Database", "less_reserved", "thread_query", "thread_row_snapshot", "thread_snapshot"]

_t, _c, _i = schema.thread.c, schema.contact.c, schema.identity.c
_d = schema.delivery.c
_parts = msgspec.json.Decoder(tuple[msgspec.Raw, ...])


class Database(Protocol):
    """What a reader asks: the connection of a reader, or the transaction of a write that answers with what it wrote."""

    def execute(self, statement: Executable, /) -> CursorResult[Any]:
        """Run a statement."""
        ...


def less_reserved(database: Database, thread_id: str, windows: Mapping[str, Open]) -> dict[str, Open]:
    """Return windows without the part of their budgets that replies on their way will use."""
    left = dict(windows)
    waiting = select(_d.window, _d.plan).where(_d.thread_id == thread_id, _d.state.in_(ACTIVE), _d.window.is_not(None))
    for row in database.execute(waiting):
        expires_at, remaining = left.get(row.window, (0, 0))
        if remaining is not None:
            left[row.window] = (expires_at, max(0, remaining - len(_parts.decode(row.plan))))
    return left


def thread_query() -> Select[Any]:
    """Return threads joined with what a row of the inbox shows: contact name, avatar, reachability."""
    return (
        select(
            schema.thread,
            func.coalesce(_c.name, _i.name).label("contact_name"),
            _c.avatar_id,
            _i.reachable,
            _i.external_id,
            _i.kind.label("identity_kind"),
        )
        .join(schema.contact, _c.id == _t.contact_id)
        .join(schema.identity, _i.id == _t.identity_id)
    )


_THREAD_ROW = Prepared(thread_query().where(_t.id == bindparam("thread")))
_ThreadRow: Any = msgspec.defstruct("_ThreadRow", [(str(one.key), Any) for one in thread_query().selected_columns])


def thread_row_snapshot(
    row: Any, facts: AccountFacts, windows: dict[str, Open], avatar: dict[str, Any] | None, now: int
) -> ThreadSnapshot:
    """Return the snapshot of one row of `thread_query`."""
    channel = row.channel or facts.channel.code
    return ThreadSnapshot(
        id=row.id,
        account_id=row.account_id,
        channel=channel,
        channel_title=facts.title_of(channel),
        contact=ContactSnapshot(row.contact_id, row.contact_name, avatar),
        state=row.state,
        round=row.round,
        assignee=None if row.assignee_id is None else {"id": row.assignee_id, "name": row.assignee_name},
        unread=row.unread,
        last_message_at=to_text(row.last_message_at),
        last_position=row.last_position,
        preview=None if row.preview is None else msgspec.Raw(row.preview.encode()),
        first_unanswered_at=time_text(row.first_unanswered_at),
        window=window_snapshot(facts.channel.capabilities.windows, windows, now),
        reachable=bool(row.reachable),
    )


def thread_snapshot(tx: Transaction, thread: Any, facts: AccountFacts) -> ThreadSnapshot:
    """Return the snapshot of a thread as this transaction sees it."""
    row = _ThreadRow(*tx.run(_THREAD_ROW, {"thread": thread.id})[0])
    avatar = None
    if row.avatar_id is not None:
        found = tx.execute(select(schema.media).where(schema.media.c.id == row.avatar_id)).one_or_none()
        avatar = None if found is None else media_snapshot(found)
    windows: dict[str, Open] = {}
    if facts.channel.capabilities.windows:
        windows = read_windows(tx, thread.id)
    return thread_row_snapshot(row, facts, windows, avatar, row.last_message_at)
