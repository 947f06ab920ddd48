"""Setting accounts up: what there is to choose from, making, changing, probing, switching off."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from trunkline.contract import Transport
from trunkline.hosted import HostedConnector
from trunkline.hosted.asking import ask, public_keys
from trunkline.http.problems import FieldError, Problem
from trunkline.service.account_forms import FormRefused, schema_of, shown_settings
from trunkline.service.account_setup import (
    REFS,
    AccountRefused,
    By,
    Wanted,
    create_account,
    set_account,
    switch_account,
)
from trunkline_desk.api.actors import log_actor
from trunkline_desk.api.models.accounts import (
    AccountBody,
    AccountChange,
    AccountDetail,
    ConnectorPage,
    Health,
)
from trunkline_desk.api.models.words import EmptyBody
from trunkline_desk.api.resources.house import account_row
from trunkline_desk.api.route import Call, Route
from trunkline_desk.people.roles import Action
from trunkline_desk.threads.rows import not_found

if TYPE_CHECKING:
    from pydantic import BaseModel

    from trunkline import contract as probed
    from trunkline.contract import ConnectorSpec
    from trunkline.service.account import Account
    from trunkline.service.house import House

__all__ = ["ROUTES", "health_row", "known_account"]

#: Code of a refusal → status.
_STATUS = {"account_taken": 409, "account_locked": 409, "unknown_account": 404}


async def connectors(call: Call[None, None]) -> dict[str, Any]:
    """Return every connector that is installed."""
    found = call.desk.house.registry.connectors.values()
    return {"items": [_connector(spec) for spec in found], "next_cursor": None}


def _connector(spec: ConnectorSpec) -> dict[str, Any]:
    return {
        "name": spec.name,
        "title": spec.title["en"],
        "channels": [channel.code for channel in spec.channels],
        "schema": schema_of(spec),
        "hosted": _is_hosted(spec),
        "docs": spec.docs or None,
    }


def _is_hosted(spec: ConnectorSpec) -> bool:
    return any(channel.capabilities.receiving.transport is Transport.HOSTED for channel in spec.channels)


async def one(call: Call[None, None]) -> dict[str, Any]:
    """Return one account."""
    return _detail(call.desk.house, known_account(call))


def known_account(call: Call[Any, Any]) -> Account:
    """Return the account that the address names.

    Raises:
        Problem: 404 when there is none.
    """
    account = call.desk.house.accounts.find(call.path("account_id"))
    if account is None:
        raise not_found("account")
    return account


def _detail(house: House, account: Account) -> dict[str, Any]:
    server = house.settings.server
    public_url = server.public_url or f"http://{server.listen}"
    spec = account.spec
    has_webhook = spec is not None and not _is_hosted(spec)
    embed = ask(account, "embed", lambda connector: connector.embed(public_url), "")
    key = house.secrets.derive(REFS)[0]
    return {
        **account_row(account),
        "settings": {} if account.config is None else shown_settings(account.config, key),
        "webhook_url": f"{public_url}/webhooks/{account.id}" if has_webhook else None,
        "embed": embed or None,
    }


async def create(call: Call[AccountBody, None]) -> dict[str, Any]:
    """Make an account; its probe follows."""
    body, house = call.body, call.desk.house
    spec = house.registry.connectors.get(body.connector)
    if spec is None:
        words = "No plugin brings this connector."
        raise Problem(422, "invalid", words, errors=[FieldError("connector", words)])
    wanted = Wanted(id=body.id, spec=spec, channel=body.channel, title=body.title, settings=body.settings)
    await _insist_on_own_key(call, wanted, None)
    return await _change(call, body.id, lambda tx: create_account(tx, wanted, _by(call)))


async def change(call: Call[AccountChange, None]) -> dict[str, Any]:
    """Change title or settings, switch it on or off."""
    body, account = call.body, known_account(call)
    spec = account.spec or call.desk.house.registry.connectors.get(account.connector_name)
    if spec is None and body.settings is not None:
        raise Problem(409, "connector_missing", "The plugin of this account is not installed.")

    wanted = None if spec is None else Wanted(id=account.id, spec=spec, title=body.title, settings=body.settings)
    if wanted is not None and not account.locked:
        await _insist_on_own_key(call, wanted, account.config)

    def work(tx: Any) -> None:
        if wanted is not None:
            set_account(tx, wanted, _by(call))
        if body.enabled is not None:
            switch_account(tx, account.id, _by(call), on=body.enabled)

    return await _change(call, account.id, work)


async def _insist_on_own_key(call: Call[Any, Any], wanted: Wanted, stored: BaseModel | None) -> None:
    """Refuse a public key that another hosted account has: clients could not tell which of them they talk to.

    Raises:
        Problem: 422.
    """
    house = call.desk.house
    if wanted.settings is None or not _is_hosted(wanted.spec):
        return
    try:
        config = _by(call).read(wanted.spec, wanted.settings, stored)
    except FormRefused as refusal:
        raise _refused(refusal) from None
    trial = await house.accounts.trial(wanted.id, wanted.spec, config)
    taken = {key for one in house.accounts.all() if one.id != wanted.id for key in public_keys(one)}
    if isinstance(trial, HostedConnector) and not taken.isdisjoint(trial.terms()):
        words = "Another account has this public key; choose another."
        raise Problem(422, "invalid", words, errors=[FieldError("settings.key", words)])


async def disable(call: Call[None, None]) -> None:
    """Switch an account off; its history stays."""
    account_id = known_account(call).id
    await _write(call, lambda tx: switch_account(tx, account_id, _by(call), on=False))


async def probe(call: Call[EmptyBody, None]) -> dict[str, Any]:
    """Ask the platform whether the account works."""
    account = known_account(call)
    if account.state == "disabled":
        raise Problem(409, "account_disabled", "This account is switched off; switch it on first.")
    health = await call.desk.house.accounts.probe(account.id)
    return health_row(health)


def health_row(health: probed.Health) -> dict[str, Any]:
    """Return what a probe found as the API shows it."""
    return {
        "ok": health.state == "connected",
        "state": health.state,
        "reason": health.summary,
        "title": health.title,
        "advice": health.advice,
        "quota_left": health.quota_left,
        "remedies": [{"code": one.code, "title": one.title} for one in health.remedies],
    }


def _by(call: Call[Any, Any]) -> By:
    house = call.desk.house
    allowed = house.settings.server.allow_hosts
    return By(actor=log_actor(call), now=call.now, box=house.secrets, allow_hosts=allowed)


async def _change(call: Call[Any, Any], account_id: str, work: Callable[[Any], None]) -> dict[str, Any]:
    """Make a change, and return the account as it is then."""
    await _write(call, work)
    account = call.desk.house.accounts.find(account_id)
    if account is None:
        raise not_found("account")
    return _detail(call.desk.house, account)


async def _write(call: Call[Any, Any], work: Callable[[Any], None]) -> None:
    """Run a write, put its refusals into the words of the API, and let this process take it over at once."""
    house = call.desk.house
    try:
        await call.commit(work)
    except (AccountRefused, FormRefused) as refusal:
        raise _refused(refusal) from None
    await house.accounts.refresh()
    house.metrics.know(house.accounts.all())


def _refused(refusal: AccountRefused | FormRefused) -> Problem:
    if isinstance(refusal, AccountRefused):
        return Problem(_STATUS[refusal.code], refusal.code, str(refusal))
    return Problem(422, "invalid", str(refusal), errors=[FieldError(path, words) for path, words in refusal.errors])


_SETTLED = ((404, "unknown_account"), (409, "account_locked"))

ROUTES = (
    Route(
        method="GET",
        path="/connectors",
        handler=connectors,
        action=Action.MANAGE_ACCOUNTS,
        operation="connectors",
        summary="All connectors that are installed, and what an account of each is made of.",
        answer=ConnectorPage,
    ),
    Route(
        method="POST",
        path="/accounts",
        handler=create,
        action=Action.MANAGE_ACCOUNTS,
        operation="create_account",
        summary="Make an account.",
        status=201,
        body=AccountBody,
        answer=AccountDetail,
        refusals=((409, "account_taken"),),
    ),
    Route(
        method="GET",
        path="/accounts/{account_id}",
        handler=one,
        action=Action.MANAGE_ACCOUNTS,
        operation="account",
        summary="One account with its settings, without their secrets.",
        answer=AccountDetail,
        refusals=((404, "unknown_account"),),
    ),
    Route(
        method="PATCH",
        path="/accounts/{account_id}",
        handler=change,
        action=Action.MANAGE_ACCOUNTS,
        operation="change_account",
        summary="Change an account's title or settings, or switch it on or off.",
        body=AccountChange,
        answer=AccountDetail,
        refusals=(*_SETTLED, (409, "connector_missing")),
    ),
    Route(
        method="DELETE",
        path="/accounts/{account_id}",
        handler=disable,
        action=Action.MANAGE_ACCOUNTS,
        operation="disable_account",
        summary="Switch an account off; its history stays.",
        status=204,
        refusals=_SETTLED,
    ),
    Route(
        method="POST",
        path="/accounts/{account_id}/probe",
        handler=probe,
        action=Action.MANAGE_ACCOUNTS,
        operation="probe_account",
        summary="Ask the platform whether the account works.",
        body=EmptyBody,
        answer=Health,
        refusals=((404, "unknown_account"), (409, "account_disabled")),
        repeatable=False,
    ),
)
