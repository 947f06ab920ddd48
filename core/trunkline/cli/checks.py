"""The checks of `trunkline doctor`. Each gives findings in words, with what to do."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
from collections.abc import AsyncIterator, Iterator
from importlib.util import cache_from_source, find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from trunkline.cli.findings import Finding
from trunkline.cli.options import open_reader, registry_of, store_of
from trunkline.cli.reach import check_clock, check_public_address
from trunkline.cli.unsafe import find_unsafe, is_open, unsafe
from trunkline.errors import ConfigError, TrunklineError
from trunkline.plugins import Registry
from trunkline.service.accounts import resolve
from trunkline.service.secret_box import secret_keys
from trunkline.settings import Settings, plain_secrets, secrets_of
from trunkline.store import SchemaVersion, schema_versions
from trunkline.store.sqlite import has_wal_reset_bug

if TYPE_CHECKING:
    from trunkline.contract import ConnectorSpec

__all__ = ["Finding", "check_config_error", "check_everything", "check_machine"]

#: A secret shorter or with fewer different characters was not drawn by lot.
_MIN_LENGTH, _MIN_VARIETY = 16, 8


async def check_everything(settings: Settings, *, probe: bool) -> list[Finding]:
    """Run every check; those that ask platforms only with `probe`."""
    registry = registry_of(settings)
    found = [
        *check_machine(),
        _config(settings),
        *_plugins(settings, registry),
        *_accounts(settings, registry),
    ]
    found += [*find_unsafe(settings), _key(settings), *_disk(settings)]
    found += [finding async for finding in _database(settings, registry)]
    if probe:
        found += [finding async for finding in _probes(settings, registry)]
        found += [finding async for finding in check_clock(settings, registry)]
        found += [finding async for finding in check_public_address(settings)]
    return found


# ---------------------------------------------------------------- the machine


def check_machine() -> list[Finding]:
    """Check what Trunkline stands on."""
    return [_python(), *_bytecode(), _sqlite(), _parser(), _loop(), *_root()]


def _python() -> Finding:
    return Finding("python", "ok", f"Python {sys.version.split()[0]}")


def _bytecode() -> Iterator[Finding]:
    """Tell where every start translates the program anew, which takes longer than all the rest of it."""
    if sys.dont_write_bytecode and not Path(cache_from_source(__file__)).exists():
        words = "Python keeps nothing that it compiled: every start takes some seconds longer"
        fix = f"Once after installing: {sys.executable} -m compileall -q {Path(__file__).parents[2]}"
        yield Finding("bytecode", "warning", words, fix)


def _sqlite() -> Finding:
    version = sqlite3.sqlite_version
    if not has_wal_reset_bug():
        return Finding("sqlite", "ok", f"SQLite {version}")
    words = f"SQLite {version} has the WAL-reset defect: two writers at once may damage a database"
    fix = "Trunkline writes with one connection and is safe: let no other program write to its file."
    return Finding("sqlite", "warning", words, fix)


def _parser() -> Finding:
    from aiohttp import __version__, http_parser

    if http_parser.HttpRequestParser is http_parser.HttpRequestParserPy:
        words = f"aiohttp {__version__} runs without its C parser: slower, and less strict about broken requests"
        return Finding(
            "http_parser",
            "warning",
            words,
            "Install aiohttp from a wheel: pip install --only-binary aiohttp aiohttp",
        )
    return Finding("http_parser", "ok", f"aiohttp {__version__} with its C parser")


def _loop() -> Finding:
    if find_spec("uvloop"):
        return Finding("event_loop", "ok", "uvloop is installed")
    return Finding("event_loop", "note", "uvloop is not installed", "It adds speed: pip install 'trunkline[speed]'")


def _root() -> Iterator[Finding]:
    if os.geteuid() == 0:
        fix = "Run it as a user of its own that cannot write the program's files."
        yield Finding("user", "warning", "Trunkline runs as root", fix)


# ---------------------------------------------------------------- configuration and plugins


def check_config_error(error: ConfigError) -> Finding:
    """Tell of a configuration that cannot be read."""
    return Finding("config", "failure", str(error), "Correct it; nothing else can be checked before.")


def _config(settings: Settings) -> Finding:
    if settings.file is None:
        words = "There is no configuration file: everything is at its default and there are no accounts"
        return Finding("config", "note", words, "Write trunkline.toml, or name one with --config.")
    count = len(settings.accounts)
    return Finding("config", "ok", f"{settings.file} with {count} account{'' if count == 1 else 's'}")


def _plugins(settings: Settings, registry: Registry) -> Iterator[Finding]:
    for plugin in registry.plugins:
        brought = ", ".join((*plugin.connectors, *plugin.applications))
        words = f"{plugin.distribution} {plugin.version} is left out" if plugin.disabled else ""
        yield Finding(
            "plugin",
            "note" if plugin.disabled else "ok",
            words or f"{plugin.distribution} {plugin.version}: {brought}",
        )
    for broken in registry.broken:
        yield Finding(
            "plugin",
            "failure",
            f"{broken.distribution} {broken.version} is broken: {broken.error}",
            broken.advice,
        )
    known = {name for plugin in registry.plugins for name in (plugin.name, plugin.distribution)}
    known |= {name for broken in registry.broken for name in (broken.name, broken.distribution)}
    for name in settings.plugins.disabled:
        if name not in known:
            fix = f"Take it out; installed are {', '.join(sorted(known)) or 'none'}."
            yield Finding("plugin", "warning", f"plugins.disabled names {name}, which is not installed", fix)


def _accounts(settings: Settings, registry: Registry) -> Iterator[Finding]:
    for position, entry in enumerate(settings.accounts):
        broken = registry.broken_connector(entry.connector)
        if entry.connector not in registry.connectors and broken is not None:
            words = f"{entry.id}: its plugin {broken.distribution} is broken"
            yield Finding("account", "failure", words, broken.advice)
            continue
        try:
            spec, channel, config = resolve(registry, settings, position)
        except ConfigError as error:
            yield Finding(
                "account",
                "failure",
                f"{entry.id}: {error}",
                "Correct it: Trunkline does not start like this.",
            )
            continue
        yield Finding("account", "ok", f"{entry.id}: {channel.title['en']}")
        yield from _weak_secrets(entry.id, config)
        if plain_secrets(entry, config) and settings.file is not None and is_open(settings.file):
            words = f"{settings.file} holds secrets of {entry.id} and can be read by others on this machine"
            yield unsafe(words, f"chmod 600 {settings.file}")
        yield from _strange_hosts(settings, entry.id, (spec, config))


def _weak_secrets(account_id: str, config: BaseModel) -> Iterator[Finding]:
    for path, secret in secrets_of(config):
        value = secret.get_secret_value()
        if len(value) < _MIN_LENGTH or len(set(value)) < _MIN_VARIETY:
            fix = "Copy the real one from the platform, or make a longer one."
            yield Finding("secret", "warning", f"{account_id}: the secret {path[0]} is weak", fix)


def _strange_hosts(settings: Settings, account_id: str, built: tuple[ConnectorSpec, BaseModel]) -> Iterator[Finding]:
    """Find addresses that the guard of outgoing requests will refuse."""
    from urllib.parse import urlsplit

    spec, config = built
    for name, value in config:
        if not (name.endswith("_base") and isinstance(value, str)):
            continue
        address = urlsplit(value)
        known = {*spec.hosts, *settings.server.allow_hosts}
        if known.isdisjoint({address.hostname, address.netloc}):
            words = f"{account_id}: {name} is {value}, which is not the platform's own"
            fix = f'Allow it in [server]: allow_hosts = ["{address.netloc}"]'
            yield Finding("account", "failure", words, fix)


# ---------------------------------------------------------------- what lies beside it


def _key(settings: Settings) -> Finding:
    if settings.secret_key is None and not settings.key_file.exists():
        return Finding(
            "key", "note", f"The key for stored secrets will be made at the first start: {settings.key_file}"
        )
    try:
        keys = secret_keys(settings)
    except TrunklineError as error:
        return Finding("key", "failure", str(error), "Correct it: stored secrets cannot be opened without their key.")
    origin = "TRUNKLINE_SECRET_KEY" if settings.secret_key else str(settings.key_file)
    return Finding("key", "ok", f"{len(keys)} key for stored secrets, from {origin}")


def _disk(settings: Settings) -> Iterator[Finding]:
    floor = settings.media.free_space_floor
    places = {
        settings.media.folder,
        settings.database_file.parent if settings.database_file else settings.folder,
    }
    for place in sorted(places):
        nearest = next(folder for folder in (place, *place.parents) if folder.exists())
        free = shutil.disk_usage(nearest).free
        words = f"{free / 1e9:.1f} GB free for {place}"
        if free < floor:
            fix = f"Make room: below {floor >> 20} MiB media are refused, then webhooks."
            yield Finding("disk", "failure", words, fix)
        else:
            yield Finding("disk", "warning" if free < 1e9 else "ok", words)


# ---------------------------------------------------------------- the database


async def _database(settings: Settings, registry: Registry) -> AsyncIterator[Finding]:
    shown = _shown(settings.database.url)
    if settings.database_file is not None and not settings.database_file.exists():
        yield Finding("database", "note", f"{shown} will be made at the first start")
        return
    try:
        store = store_of(settings, registry)
        async with open_reader(store) as connection:
            versions = await schema_versions(connection, store.migrations)
    except TrunklineError as error:
        yield Finding("database", "failure", f"{shown}: {error}", "Check database.url and that the database runs.")
        return
    for version in versions:
        yield _schema(shown, version)


def _schema(shown: str, version: SchemaVersion) -> Finding:
    words = f"{shown}: schema {version.found or 'none'} of {version.name}"
    fixes = {
        "behind": ("warning", f"`trunkline serve` or `trunkline migrate` brings it to {version.needed}."),
        "absent": ("warning", f"`trunkline serve` or `trunkline migrate` brings it to {version.needed}."),
        "ahead": ("failure", "A newer Trunkline wrote it: install that version again, or restore a backup."),
        "current": ("ok", ""),
    }
    level: Any
    level, fix = fixes[version.state]
    return Finding("schema", level, words, fix)


def _shown(url: str) -> str:
    """Return the address of a database without its password."""
    from sqlalchemy import make_url

    return make_url(url).render_as_string(hide_password=True)


# ---------------------------------------------------------------- the platforms


async def _probes(settings: Settings, registry: Registry) -> AsyncIterator[Finding]:
    from trunkline.service.probing import probe_written

    answers = await probe_written(registry, settings, range(len(settings.accounts)))
    for entry, health in zip(settings.accounts, answers, strict=True):
        well = health.state == "connected"
        fix = "" if well else "Check its keys in the platform's console, and that this machine reaches the platform."
        yield Finding("probe", "ok" if well else "failure", f"{entry.id}: {health.summary}", fix)
        for advice in health.advice:
            yield Finding("probe", "warning", f"{entry.id}: something to do on the platform", advice)
