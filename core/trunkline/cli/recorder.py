"""`trunkline account show ID`: the flight recorder of an account, beside a running Trunkline."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trunkline.cli.options import (
    AsJson,
    Config,
    Database,
    example,
    open_reader,
    read_settings,
    registry_of,
    run,
    store_of,
)
from trunkline.cli.screen import say, show, show_json
from trunkline.errors import StartRefused

if TYPE_CHECKING:
    from trunkline.plugins import Registry
    from trunkline.settings import Settings
    from trunkline.store import Store

__all__ = ["register"]

_COLUMNS = {"what": "What", "value": "Found"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    lines = example("trunkline account show shop", "trunkline account show shop --bundle shop.json")
    app.command("show", epilog=lines)(show_account)


def show_account(
    account_id: Annotated[str, typer.Argument(metavar="ID", help="One of `trunkline account list`.")],
    bundle: Annotated[
        Path | None,
        typer.Option("--bundle", metavar="FILE", help="Write a file for whoever helps: no secrets, no customers."),
    ] = None,
    config: Config = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Show how an account is: what comes in and goes out, and what stands in the way."""
    settings = read_settings(config, database__url=database)
    registry = registry_of(settings)
    account, record = run(_read(store_of(settings, registry), account_id))
    if bundle is not None:
        _write(bundle, account, record, _settings_of(settings, registry, account_id))
    if as_json:
        show_json({"account": account, "record": record})
    else:
        show(_rows(account, record), _COLUMNS, as_json=False, empty="")
        if bundle is not None:
            say(f"{bundle}: written. Look at it before you hand it over.")


async def _read(store: Store, account_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
    from sqlalchemy import select

    from trunkline.clock import SystemClock
    from trunkline.service.recorder import read_record
    from trunkline.store import schema

    columns = ("id", "connector", "channel", "title", "state", "reason", "locked")
    async with open_reader(store) as connection:
        rows = await connection.execute(select(*(schema.account.c[name] for name in columns)))
        known = {row["id"]: dict(row) for row in rows.mappings()}
        if account_id not in known:
            names = ", ".join(sorted(known)) or "none"
            raise StartRefused(f'There is no account "{account_id}" in the database; there are: {names}.')
        now = SystemClock().now_ms()
        return known[account_id], await connection.run_sync(read_record, account_id, now)


def _settings_of(settings: Settings, registry: Registry, account_id: str) -> dict[str, Any] | None:
    """Return the settings of an account of the configuration file, its secrets as such; None for one of the inbox."""
    from trunkline.service.account_forms import shown_settings
    from trunkline.service.accounts import resolve

    for position, entry in enumerate(settings.accounts):
        if entry.id == account_id:
            return shown_settings(resolve(registry, settings, position)[2], os.urandom(32))
    return None


def _write(file: Path, account: dict[str, Any], record: dict[str, Any], settings: dict[str, Any] | None) -> None:
    import msgspec

    from trunkline.service.recorder import bundle

    encoded = msgspec.json.encode(bundle(account, record, settings), enc_hook=str)
    file.write_bytes(msgspec.json.format(encoded, indent=2) + b"\n")


def _rows(account: dict[str, Any], record: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the record as a table for people."""
    breaker, health, silence = record["breaker"], record["health"] or {}, record["silence"]
    rate = record["redelivery_rate"]
    facts: list[tuple[str, Any]] = [
        ("Account", f"{account['title'] or account['id']} ({account['connector']}, {account['channel']})"),
        ("State", ": ".join(filter(None, (account["state"], account["reason"])))),
        ("Last good request", record["last_inbound_at"] or "never"),
        ("Rhythm", f"{'ALARM. ' if silence['state'] == 'alarm' else ''}{silence['words']}"),
        ("Requests in 24 hours", record["requests"]),
        ("Sent again by the platform", "–" if rate is None else f"{rate:.1%}"),
        ("In quarantine now", record["quarantined"]),
        ("Accepted by the platform in 24 hours", record["accepted"]),
        *((f"Failures: {one['code']}", f"{one['count']}, the last {one['last_at']}") for one in record["errors"]),
        ("Waiting now", _waiting(record)),
        ("Sending", _sending(breaker)),
        *(
            (f'Token "{one["name"]}" good until', one["expires_at"] or "renewed at the next use")
            for one in record["tokens"]
        ),
        ("Quota left", "unknown" if health.get("quota_left") is None else health["quota_left"]),
        ("Last check", health.get("summary") or "none yet"),
        *(("To do", line) for line in health.get("advice", ())),
    ]
    return [{"what": what, "value": value} for what, value in facts]


def _waiting(record: dict[str, Any]) -> str:
    since = record["waiting_since"]
    return f"{record['waiting']}" if since is None else f"{record['waiting']}, the oldest since {since}"


def _sending(breaker: dict[str, Any]) -> str:
    if breaker["open"]:
        return f"held back: {breaker['reason'] or 'too many failures'}; tried again {breaker['until'] or 'now'}"
    if breaker["quota_until"]:
        return f"what costs quota waits until {breaker['quota_until']}"
    return "open to go"
