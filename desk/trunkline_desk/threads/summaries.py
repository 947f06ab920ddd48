"""Rows of the inbox: threads with the people in them and what is left of their windows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

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

__all__ = ["channel_of", "summaries"]

_window, _media = schema.window, schema.media


def channel_of(house: House, account_id: str) -> Channel:
    """Return the channel of an account, one that can do nothing when the account is gone."""
    known = {account.id: account.channel_spec for account in house.accounts.all()}
    return known.get(account_id) or Channel(
        code="unknown", title={"en": account_id}, capabilities=Capabilities(receives={}, sends={})
    )


def summaries(database: Database, house: House, rows: Sequence[Row[Any]], now: int) -> list[ThreadSnapshot]:
    """Return rows of `thread_query` as the inbox shows them, with two statements for all of them."""
    windows = _windows(database, [row.id for row in rows])
    avatars = _avatars(database, {row.avatar_id for row in rows if row.avatar_id})
    facts = {name: AccountFacts(name, channel_of(house, name)) for name in {row.account_id for row in rows}}
    return [
        thread_row_snapshot(row, facts[row.account_id], windows.get(row.id, {}), avatars.get(row.avatar_id), now)
        for row in rows
    ]


def _windows(database: Database, threads: Iterable[str]) -> dict[str, dict[str, Open]]:
    found: dict[str, dict[str, Open]] = {}
    for row in database.execute(select(_window).where(_window.c.thread_id.in_(threads))):
        found.setdefault(row.thread_id, {})[row.name] = (row.expires_at, row.remaining)
    return found


def _avatars(database: Database, ids: set[str]) -> dict[str, dict[str, Any]]:
    if not ids:
        return {}
    return {row.id: media_snapshot(row) for row in database.execute(select(_media).where(_media.c.id.in_(ids)))}
