"""`trunkline backup` and `trunkline migrate`."""

from __future__ import annotations

import os
import shlex
import sqlite3
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
from trunkline.cli.screen import progress, say, show
from trunkline.errors import StartRefused

if TYPE_CHECKING:
    from trunkline.settings import Settings
    from trunkline.store import SchemaVersion, Store

__all__ = ["register"]

_WATCH_S = 0.1
_COLUMNS = {"name": "Part", "found": "Has", "needed": "Needs", "state": "State"}


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog=example("trunkline backup /var/backups/trunkline-monday.db"))(backup)
    app.command(epilog=example("trunkline migrate --check", "trunkline migrate"))(migrate)


def backup(
    path: Annotated[Path, typer.Argument(help="The file to write; it must not exist yet.")],
    config: Config = None,
    database: Database = None,
) -> None:
    """Copy the database to PATH while Trunkline serves, and check the copy."""
    settings = read_settings(config, database__url=database)
    if settings.database_file is None:
        raise StartRefused(f"PostgreSQL has its own tool for this; run: {_pg_dump(settings.database.url, path)}")
    if path.exists():
        raise StartRefused(f"{path} exists already: name a file that does not.")
    if not settings.database_file.exists():
        raise StartRefused(f"There is no database {settings.database_file} to copy: check database.url.")
    _copy(settings.database_file, path)
    say(f"{path}: {path.stat().st_size / 1e6:.1f} MB, checked.")
    _say_what_is_missing(settings)


def _pg_dump(url: str, path: Path) -> str:
    from sqlalchemy import make_url

    # pg_dump asks for the password, or finds it where PostgreSQL's tools look; a command line is no place for it.
    shown = make_url(url)._replace(drivername="postgresql", password=None).render_as_string()
    return f"pg_dump --format=custom --file={shlex.quote(str(path))} {shlex.quote(shown)}"


def _copy(source: Path, target: Path) -> None:
    """Copy in one read transaction, check, flush, and only then give the copy its name."""
    part = target.with_name(f".{target.name}.part")
    part.unlink(missing_ok=True)
    try:
        _vacuum_into(source, part)
        _check(part)
        part.rename(target)
    except (sqlite3.Error, OSError) as error:
        words = str(error) or type(error).__name__
        raise StartRefused(f"The backup failed and nothing was written: {words}.") from error
    finally:
        part.unlink(missing_ok=True)


def _vacuum_into(source: Path, part: Path) -> None:
    """Run VACUUM INTO beside a bar that follows the size of the copy."""
    failed: list[Exception] = []

    def copy() -> None:
        connection = sqlite3.connect(f"file:{source}?mode=ro", uri=True, timeout=30)
        try:
            connection.execute("VACUUM INTO ?", [str(part)])
        except sqlite3.Error as error:
            failed.append(error)
        finally:
            connection.close()

    worker = threading.Thread(target=copy, name="backup")
    with progress("Copying", total=source.stat().st_size) as bar:
        worker.start()
        while worker.is_alive():
            worker.join(_WATCH_S)
            bar.update(bar.task_ids[0], completed=part.stat().st_size if part.exists() else 0)
    if failed:
        raise failed[0]
    for place in (part, part.parent):
        _flush(place)


def _flush(place: Path) -> None:
    """Make a file, or the names in a folder, survive a power cut: VACUUM INTO does not."""
    descriptor = os.open(place, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check(part: Path) -> None:
    connection = sqlite3.connect(f"file:{part}?mode=ro", uri=True)
    try:
        with progress("Checking"):
            words = connection.execute("PRAGMA integrity_check").fetchone()[0]
    finally:
        connection.close()
    if words != "ok":
        raise sqlite3.DatabaseError(f"the copy is damaged, and so may be the database ({words})")


def _say_what_is_missing(settings: Settings) -> None:
    say(f"Not in it: attachments ({settings.media.folder}), which any tool can copy,")
    key = "TRUNKLINE_SECRET_KEY" if settings.secret_key else str(settings.key_file)
    say(f"and the key of the stored secrets ({key}): keep a copy of it somewhere else.")


# ---------------------------------------------------------------- migrate


def migrate(
    check: Annotated[bool, typer.Option("--check", help="Only tell; exit 1 if something is to be done.")] = False,
    config: Config = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Bring the database to the schema of this version, or tell whether it is."""
    settings = read_settings(config, database__url=database)
    store = store_of(settings, registry_of(settings))
    if not check:
        run(_upgrade(store))
    versions = run(_versions(store))
    rows = [{"name": v.name, "found": v.found, "needed": v.needed, "state": v.state} for v in versions]
    show(rows, _COLUMNS, as_json=as_json, empty="")
    if any(version.state == "ahead" for version in versions):
        raise StartRefused("The database was written by a newer Trunkline: install that version again.")
    if any(version.state != "current" for version in versions):
        raise StartRefused("The schema is not that of this version: run `trunkline migrate`.")


async def _upgrade(store: Store) -> None:
    with progress("Migrating"):
        await store.open()
    await store.close()


async def _versions(store: Store) -> list[SchemaVersion]:
    from trunkline.store import schema_versions

    async with open_reader(store) as connection:
        return await schema_versions(connection, store.migrations)
