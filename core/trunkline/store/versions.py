"""Which schema a database has, compared with the one this program needs; reads only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from sqlalchemy import Select, column, inspect, select, table

from trunkline.store.migrate import MigrationSet

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

__all__ = ["SchemaVersion", "schema_versions"]


class SchemaVersion(msgspec.Struct, frozen=True):
    """The schema of one room in one database."""

    name: str
    #: None when the database has no tables of this room yet.
    found: str | None
    needed: str
    state: Literal["current", "absent", "behind", "ahead"]


async def schema_versions(connection: AsyncConnection, sets: Iterable[MigrationSet]) -> list[SchemaVersion]:
    """Return the schema of every room."""
    return [await _version(connection, migrations) for migrations in sets]


async def _version(connection: AsyncConnection, migrations: MigrationSet) -> SchemaVersion:
    name = migrations.version_table
    there = await connection.run_sync(lambda sync: inspect(sync).has_table(name))
    if not there:
        return SchemaVersion(migrations.name, None, migrations.head, "absent")
    query: Select[Any] = select(column("version_num")).select_from(table(name))
    found = (await connection.execute(query)).scalar()
    return SchemaVersion(migrations.name, found, migrations.head, _state(found, migrations))


def _state(found: str | None, migrations: MigrationSet) -> Literal["current", "absent", "behind", "ahead"]:
    if found is None:
        return "absent"
    if found == migrations.head:
        return "current"
    # A revision's file is named `<revision>_<words>.py`.
    known = {path.name.partition("_")[0] for path in (migrations.folder / "versions").glob("*_*.py")}
    return "behind" if found in known else "ahead"
