"""`trunkline account list|add|probe|show`. They need no lock, so Trunkline may be serving."""

from __future__ import annotations

import json
from collections.abc import Sequence
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
from trunkline.cli.recorder import register
from trunkline.cli.screen import say, show
from trunkline.errors import ConfigError, StartRefused

if TYPE_CHECKING:
    from trunkline.plugins import Registry
    from trunkline.settings import AccountSettings, Settings
    from trunkline.store import Store

__all__ = ["app"]

app = typer.Typer(
    help="List, add, probe and look into accounts.", no_args_is_help=True, epilog=example("trunkline account list")
)
register(app)

_LIST = {
    "id": "Account",
    "connector": "Connector",
    "channel": "Channel",
    "title": "Title",
    "state": "State",
    "reason": "Reason",
    "locked": "In the file",
}
_PROBED = {
    "id": "Account",
    "state": "State",
    "summary": "Found",
    "quota_left": "Sends left",
    "advice": "To do",
}


@app.command("list", epilog=example("trunkline account list", "trunkline account list --json"))
def list_accounts(config: Config = None, database: Database = None, as_json: AsJson = False) -> None:
    """List the accounts of the configuration file and of the database."""
    settings = read_settings(config, database__url=database)
    registry = registry_of(settings)
    rows = run(_stored(store_of(settings, registry))) if _has_database(settings) else {}
    for entry in settings.accounts:
        known = rows.get(entry.id) or _new(entry, registry)
        rows[entry.id] = {**known, "id": entry.id, "connector": entry.connector, "locked": True}
    found = [rows[account_id] for account_id in sorted(rows)]
    show(found, _LIST, as_json=as_json, empty="There are no accounts yet: `trunkline account add --help`.")


def _new(entry: AccountSettings, registry: Registry) -> dict[str, Any]:
    """Return an account that no database knows yet."""
    spec = registry.connectors.get(entry.connector)
    channel = entry.channel or (spec.channels[0].code if spec and len(spec.channels) == 1 else None)
    return {"state": "new", "reason": None, "channel": channel, "title": entry.title}


def _has_database(settings: Settings) -> bool:
    return settings.database_file is None or settings.database_file.exists()


async def _stored(store: Store) -> dict[str, dict[str, Any]]:
    """Return the rows of the database, without their settings."""
    from sqlalchemy import select

    from trunkline.store import schema

    columns = ("id", "connector", "channel", "title", "state", "reason", "locked")
    async with open_reader(store) as connection:
        rows = await connection.execute(select(*(schema.account.c[name] for name in columns)))
        return {row["id"]: dict(row) for row in rows.mappings()}


# ---------------------------------------------------------------- add


@app.command(
    epilog=example(
        "trunkline account add shop --connector NAME --set channel_id=1 --set channel_secret=env:SHOP_SECRET"
    )
)
def add(
    account_id: Annotated[str, typer.Argument(metavar="ID", help="Its name in /webhooks/ID.")],
    connector: Annotated[str, typer.Option("--connector", help="One of `trunkline channels`.")],
    values: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting; VALUE may be env:NAME or file:PATH, secrets must."),
    ] = None,
    channel: Annotated[str | None, typer.Option("--channel", help="Where the connector has several.")] = None,
    title: Annotated[str | None, typer.Option("--title", help="What agents see.")] = None,
    config: Config = None,
) -> None:
    """Check the settings of a new account and append it to the configuration file."""
    file = config or Path("trunkline.toml")
    entry = {"id": account_id, "connector": connector, "channel": channel, "title": title}
    block = _block({key: value for key, value in entry.items() if value is not None}, values or [])
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    addition = f"{text and text.rstrip() + chr(10) * 2}{block}"
    _try(file, addition)
    file.write_text(addition, encoding="utf-8")
    say(f'{file}: the account "{account_id}" is added. Start `trunkline serve` again, then enter this address')
    say(f"for webhooks in the platform's console: {_public(file)}/webhooks/{account_id}")


def _block(entry: dict[str, str], values: Sequence[str]) -> str:
    """Write one [[accounts]] table."""
    lines = ["[[accounts]]", *(f"{key} = {_quoted(value)}" for key, value in entry.items())]
    settings = [_setting(value) for value in values]
    return "\n".join([*lines, *(["[accounts.settings]", *settings] if settings else []), ""])


def _setting(value: str) -> str:
    key, equals, text = value.partition("=")
    if not equals or not key.strip():
        raise typer.BadParameter(f"write --set KEY=VALUE, not {key}", param_hint="--set")
    for kind in ("env", "file"):
        if text.startswith(f"{kind}:"):
            return f"{key.strip()} = {{ {kind} = {_quoted(text.removeprefix(kind + ':'))} }}"
    return f"{key.strip()} = {text if text in {'true', 'false'} else _quoted(text)}"


def _quoted(text: str) -> str:
    # A JSON string is a TOML string.
    return json.dumps(text, ensure_ascii=False)


def _try(file: Path, text: str) -> None:
    """Check the file as it would be, from beside it, so that its relative paths mean the same."""
    trial = file.with_name(f".{file.name}.trial")
    trial.parent.mkdir(parents=True, exist_ok=True)
    try:
        trial.write_text(text, encoding="utf-8")
        settings = read_settings(trial)
        _refuse_plain_secrets(settings, registry_of(settings))
    except ConfigError as error:
        raise ConfigError(str(error).replace(str(trial.absolute()), str(file))) from None
    finally:
        trial.unlink(missing_ok=True)


def _refuse_plain_secrets(settings: Settings, registry: Registry) -> None:
    """A secret on a command line is read by every process and kept in the shell's history."""
    from trunkline.service.accounts import resolve
    from trunkline.settings import plain_secrets

    last = len(settings.accounts) - 1
    for key in plain_secrets(settings.accounts[last], resolve(registry, settings, last)[2]):
        raise ConfigError(f'"{key}" is a secret: give it as --set {key}=env:NAME or --set {key}=file:PATH')


def _public(file: Path) -> str:
    return read_settings(file).server.public_url or "https://YOUR-ADDRESS"


# ---------------------------------------------------------------- probe


@app.command(epilog=example("trunkline account probe", "trunkline account probe shop"))
def probe(
    account_id: Annotated[str | None, typer.Argument(metavar="ID", help="All accounts if not given.")] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Ask the platforms whether the accounts of the configuration file work."""
    from trunkline.service.probing import probe_written

    settings = read_settings(config)
    chosen = [index for index, entry in enumerate(settings.accounts) if account_id in {None, entry.id}]
    if account_id is not None and not chosen:
        known = ", ".join(entry.id for entry in settings.accounts) or "none"
        raise StartRefused(f'There is no account "{account_id}" in the configuration file; there are: {known}.')
    found = run(probe_written(registry_of(settings), settings, chosen))
    rows = [{"id": settings.accounts[index].id, **_told(health)} for index, health in zip(chosen, found, strict=True)]
    show(rows, _PROBED, as_json=as_json, empty="There are no accounts yet: `trunkline account add --help`.")
    if any(row["state"] != "connected" for row in rows):
        words = "check its keys in the platform's console, and that this machine reaches the platform"
        raise StartRefused(f"Not every account is connected: the table says what was found; {words}.")


def _told(health: Any) -> dict[str, Any]:
    return {name: getattr(health, name) for name in ("state", "summary", "title", "quota_left", "advice")}
