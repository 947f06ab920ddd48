"""The flight recorder of an account, the bundle for whoever helps, and what can be done at once."""

from __future__ import annotations

from typing import Any

from trunkline.service.account import Account
from trunkline.service.account_forms import shown_settings
from trunkline.service.account_setup import REFS
from trunkline.service.recorder import acknowledged, bundle, read_record
from trunkline.service.refusals import ReplyRefused
from trunkline.service.remedies import do_remedy
from trunkline_desk.api.drafts import problem_of
from trunkline_desk.api.models.accounts import Health
from trunkline_desk.api.models.recorder import AccountRecord, Bundle
from trunkline_desk.api.models.words import EmptyBody
from trunkline_desk.api.resources.accounts import health_row, known_account
from trunkline_desk.api.resources.house import account_row
from trunkline_desk.api.route import Call, Route
from trunkline_desk.people.roles import Action
from trunkline_desk.threads.rows import ask

__all__ = ["ROUTES"]


async def record(call: Call[None, None]) -> dict[str, Any]:
    """Return how an account is."""
    return await _record(call, known_account(call))


async def _record(call: Call[Any, Any], account: Account) -> dict[str, Any]:
    house = call.desk.house
    found = await ask(house.store, read_record, account.id, call.now)
    return found | {"acknowledged": acknowledged(house.metrics.webhook_ack)}


async def support(call: Call[None, None]) -> dict[str, Any]:
    """Return what somebody who helps needs to know."""
    account, house = known_account(call), call.desk.house
    key = house.secrets.derive(REFS)[0]
    settings = None if account.config is None else shown_settings(account.config, key)
    return bundle(account_row(account), await _record(call, account), settings)


async def remedy(call: Call[EmptyBody, None]) -> dict[str, Any]:
    """Do what the last probe offered."""
    account = known_account(call)
    try:
        health = await do_remedy(call.desk.house.accounts, account.id, call.path("code"))
    except ReplyRefused as refusal:
        raise problem_of(refusal) from None
    return health_row(health)


ROUTES = (
    Route(
        method="GET",
        path="/accounts/{account_id}/health",
        handler=record,
        action=Action.MANAGE_ACCOUNTS,
        operation="account_record",
        summary="The flight recorder of an account: what comes in and goes out, and what stands in the way.",
        answer=AccountRecord,
        refusals=((404, "unknown_account"),),
    ),
    Route(
        method="GET",
        path="/accounts/{account_id}/bundle",
        handler=support,
        action=Action.MANAGE_ACCOUNTS,
        operation="account_bundle",
        summary="The same with versions and settings, for whoever helps: no secrets, nothing that customers wrote.",
        answer=Bundle,
        refusals=((404, "unknown_account"),),
    ),
    Route(
        method="POST",
        path="/accounts/{account_id}/remedies/{code}",
        handler=remedy,
        action=Action.MANAGE_ACCOUNTS,
        operation="do_remedy",
        summary="Do a remedy that the last check offered, and check again.",
        body=EmptyBody,
        answer=Health,
        refusals=((404, "unknown_account"), (409, "unknown_remedy"), (502, "remedy_failed")),
        repeatable=False,
    ),
)
