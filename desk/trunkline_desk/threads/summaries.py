"""Rows of the inbox: threads with the people in them and what is left of their windows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, func, select

from trunkline.contract import Capabilities, Channel
from trunkline.service.arrivals import AccountFacts
from trunkline.service.reading import thread_row_snapshot
from trunkline.service.snapshots import ThreadSnapshot, media_snapshot
from trunkline.service.windows import Open
from trunkline.store import schema

if TYPE_CHECKING:
    from sqlalchemy import Row

    from trunkline.service.house import House
    from trunkline_desk.threads.rows import Database

__all__ = ["channel_of", "contact_summaries", "summaries"]

_window, _media = schema.window, schema.media
_contact, _identity = schema.contact, schema.identity
# Built once: a list of fifty values is more work to build into a statement than to ask for.
_WINDOWS = select(_window.c.thread_id, _window.c.name, _window.c.expires_at, _window.c.remaining).where(
    _window.c.thread_id.in_(bindparam("threads", expanding=True))
)
_MEDIA = select(_media).where(_media.c.id.in_(bindparam("ids", expanding=True)))


def channel_of(house: House, account_id: str, code: str | None = None) -> Channel:
    """Return a channel of an account, its own without `code`; one that can do nothing when the account is gone."""
    facts = _facts(house, account_id)
    return next((channel for channel in facts.others if channel.code == code), facts.channel)


def _facts(house: House, account_id: str) -> AccountFacts:
    account = house.accounts.find(account_id)
    if account is None or account.spec is None or account.channel_spec is None:
        gone = Channel(code="unknown", title={"en": account_id}, capabilities=Capabilities(receives={}, sends={}))
        return AccountFacts(account_id, gone)
    return AccountFacts(account_id, account.channel_spec, account.spec.channels)


def summaries(database: Database, house: House, rows: Sequence[Row[Any]], now: int) -> list[ThreadSnapshot]:
    """Return rows of `thread_query` as the inbox shows them, with two statements at most for all of them."""
    facts = {name: _facts(house, name) for name in {row.account_id for row in rows}}
    windows = _windows(database, [row.id for row in rows if facts[row.account_id].channel.capabilities.windows])
    avatars = _avatars(database, {row.avatar_id for row in rows if row.avatar_id})
    return [
        thread_row_snapshot(row, facts[row.account_id], windows.get(row.id, {}), avatars.get(row.avatar_id), now)
        for row in rows
    ]


def contact_summaries(database: Database, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return contacts as lists show them, by id; a nameless one is called by one of their addresses."""
    named = func.coalesce(_contact.c.name, func.max(_identity.c.name)).label("shown_name")
    statement = (
        select(_contact.c.id, _contact.c.avatar_id, named)
        .join_from(_contact, _identity, _identity.c.contact_id == _contact.c.id, isouter=True)
        .where(_contact.c.id.in_(list(ids)))
        .group_by(_contact.c.id, _contact.c.avatar_id, _contact.c.name)
    )
    rows = database.execute(statement).all()
    avatars = _avatars(database, {row.avatar_id for row in rows if row.avatar_id})
    return {row.id: {"id": row.id, "name": row.shown_name, "avatar": avatars.get(row.avatar_id)} for row in rows}


def _windows(database: Database, threads: Sequence[str]) -> dict[str, dict[str, Open]]:
    found: dict[str, dict[str, Open]] = {}
    if not threads:
        return found
    for row in database.execute(_WINDOWS, {"threads": threads}):
        found.setdefault(row.thread_id, {})[row.name] = (row.expires_at, row.remaining)
    return found


def _avatars(database: Database, ids: set[str]) -> dict[str, dict[str, Any]]:
    if not ids:
        return {}
    return {row.id: media_snapshot(row) for row in database.execute(_MEDIA, {"ids": list(ids)})}
