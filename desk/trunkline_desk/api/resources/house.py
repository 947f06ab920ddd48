"""What the desk shows of the house: accounts, channels, and what could not be read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from trunkline.errors import TrunklineError
from trunkline.http.problems import Problem
from trunkline.service import quarantine
from trunkline_desk.api.actors import log_actor
from trunkline_desk.api.models.house import (
    AccountPage,
    ChannelPage,
    Quarantined,
    QuarantinePage,
    SkipBody,
)
from trunkline_desk.api.models.threads import PageQuery
from trunkline_desk.api.models.words import EmptyBody
from trunkline_desk.api.route import Call, Route
from trunkline_desk.people.roles import Action
from trunkline_desk.threads.rows import Id, cursor_of, read_cursor

if TYPE_CHECKING:
    from trunkline.service.account import Account

__all__ = ["ROUTES", "account_row"]


async def accounts(call: Call[None, None]) -> dict[str, Any]:
    """Return all accounts with their state."""
    found = call.desk.house.accounts.all()
    return {"items": [account_row(account) for account in found], "next_cursor": None}


def account_row(account: Account) -> dict[str, Any]:
    """Return an account as lists show it."""
    return {
        "id": account.id,
        "connector": account.connector_name,
        "channel": account.channel,
        "title": account.title,
        "state": account.state,
        "reason": account.reason,
        "locked": account.locked,
    }


async def channels(call: Call[None, None]) -> dict[str, Any]:
    """Return every channel that is installed, with what it can do."""
    return {
        "items": [
            {
                "channel": channel.code,
                "connector": connector.name,
                "title": channel.title["en"],
                "capabilities": msgspec.to_builtins(channel.capabilities, order="deterministic"),
            }
            for connector in call.desk.house.registry.connectors.values()
            for channel in connector.channels
        ],
        "next_cursor": None,
    }


async def listing(call: Call[None, PageQuery]) -> dict[str, Any]:
    """Return what could not be read."""
    query = call.query
    after = None if query.cursor is None else read_cursor(query.cursor, tuple[Id])[0]
    async with call.desk.house.store.read() as connection:
        found = await quarantine.list_quarantine(connection, after, query.limit + 1)
    more = len(found) > query.limit
    return {"items": found[: query.limit], "next_cursor": cursor_of(found[query.limit - 1]["id"]) if more else None}


async def retry(call: Call[EmptyBody, None]) -> dict[str, Any]:
    """Read it again with today's program."""
    before = await _waiting(call)
    try:
        await quarantine.retry(call.desk.house, before["id"], log_actor(call))
    except quarantine.NotInQuarantine:
        raise _not_waiting() from None
    except TrunklineError:
        raise Problem(409, "still_unreadable", "It still cannot be read; the entry says why.") from None
    return before | {"state": "processed"}


async def skip(call: Call[SkipBody, None]) -> dict[str, Any]:
    """Let it stay unread, with a reason."""
    before = await _waiting(call)
    try:
        await quarantine.skip(call.desk.house, before["id"], call.body.reason, log_actor(call))
    except quarantine.NotInQuarantine:
        raise _not_waiting() from None
    return before | {"state": "skipped", "reason": call.body.reason}


async def _waiting(call: Call[Any, None]) -> dict[str, Any]:
    """Return the entry that the address names.

    Raises:
        Problem: 404 when it is not in the quarantine.
    """
    raw_id = call.path("item_id")
    async with call.desk.house.store.read() as connection:
        # The list begins below its cursor: the entry itself is the first below the smallest id above it.
        found = await quarantine.list_quarantine(connection, f"{raw_id}\x01", 1)
    if not found or found[0]["id"] != raw_id:
        raise _not_waiting()
    return found[0]


def _not_waiting() -> Problem:
    return Problem(404, "not_quarantined", "There is no such entry in the quarantine.")


ROUTES = (
    Route(
        method="GET",
        path="/accounts",
        handler=accounts,
        action=Action.READ_ACCOUNTS,
        operation="accounts",
        summary="All accounts and whether they work.",
        answer=AccountPage,
    ),
    Route(
        method="GET",
        path="/channels",
        handler=channels,
        action=Action.READ_ACCOUNTS,
        operation="channels",
        summary="All channels that are installed, and what they can do.",
        answer=ChannelPage,
    ),
    Route(
        method="GET",
        path="/quarantine",
        handler=listing,
        action=Action.READ_QUARANTINE,
        operation="quarantine",
        summary="What was proved and stored, and could not be read.",
        query=PageQuery,
        answer=QuarantinePage,
    ),
    Route(
        method="POST",
        path="/quarantine/{item_id}/retry",
        handler=retry,
        action=Action.MANAGE_QUARANTINE,
        operation="retry_quarantined",
        summary="Read it again; nothing becomes double.",
        body=EmptyBody,
        answer=Quarantined,
        refusals=((404, "not_quarantined"), (409, "still_unreadable")),
        repeatable=False,
    ),
    Route(
        method="POST",
        path="/quarantine/{item_id}/skip",
        handler=skip,
        action=Action.MANAGE_QUARANTINE,
        operation="skip_quarantined",
        summary="Let it stay unread, with a reason.",
        body=SkipBody,
        answer=Quarantined,
        refusals=((404, "not_quarantined"),),
        repeatable=False,
    ),
)
