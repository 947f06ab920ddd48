"""What the desk shows of the house: accounts and channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from trunkline_desk.api.models.house import AccountPage, ChannelPage
from trunkline_desk.api.route import Call, Route
from trunkline_desk.people.roles import Action

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
)
