"""The schema's versions: which one a database has, and the way to ours.

Every application brings migrations of its own, kept apart by their version table.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import MetaData, text
from sqlalchemy.exc import DBAPIError

from trunkline.errors import StartRefused
from trunkline.store.schema import metadata

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection, Engine

__all__ = ["MigrationSet", "core_migrations", "upgrade"]

#: Key of the advisory lock that lets one process migrate.
_MIGRATION_LOCK = 0x6D696772


class MigrationSet(msgspec.Struct, frozen=True):
    """The migrations of one room: `versions/*.py` below `folder`."""

    name: str
    folder: Path
    metadata: MetaData
    #: The newest revision.
    head: str

    @property
    def version_table(self) -> str:
        """Where the database keeps the revision of this room."""
        return f"schema_version_{self.name}"


def core_migrations() -> MigrationSet:
    """Return the core's own migrations."""
    return MigrationSet("core", Path(__file__).parent / "migrations", metadata, "0005")


def upgrade(engine: Engine, sets: Iterable[MigrationSet], *, may_change: bool = True) -> None:
    """Bring every room's tables to this program's version; does nothing when they are there.

    Raises:
        StartRefused: the database cannot be reached, it was written by a newer program, or it would have to be changed
            and `may_change` is False.
    """
    try:
        with engine.connect() as connection:
            for migrations in sets:
                if _current(connection, migrations) != migrations.head:
                    _run(connection, migrations, may_change=may_change)
    except DBAPIError as error:
        words = str(error.orig).strip().split("\n", 1)[0]
        raise StartRefused(f"The database cannot be opened: {words}. Check database.url.") from error
    finally:
        engine.dispose()


def _current(connection: Connection, migrations: MigrationSet) -> str | None:
    """Return the revision the database has, None when it has none yet."""
    if not connection.dialect.has_table(connection, migrations.version_table):
        return None
    row = connection.execute(text(f"SELECT version_num FROM {migrations.version_table}")).fetchone()  # noqa: S608 - the name is a constant of ours
    return str(row[0]) if row else None


def _run(connection: Connection, migrations: MigrationSet, *, may_change: bool) -> None:
    # Imported here because it is needed once in a database's life and costs a tenth of a second at every start.
    from alembic import command  # noqa: PLC0415 - see above
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - see above

    config = _config(migrations)
    known = {revision.revision for revision in ScriptDirectory.from_config(config).walk_revisions()}
    current = _current(connection, migrations)
    if current is not None and current not in known:
        message = (
            f"The database has schema {current} of {migrations.name}, which this version of Trunkline does not know: "
            "install the newer version again, or restore a backup made before the upgrade."
        )
        raise StartRefused(message)
    if not may_change:
        words = f"The schema of {migrations.name} is not that of this version, and database.migrate is false"
        raise StartRefused(f"{words}: run `trunkline migrate`.")
    _exclusive(connection)
    config.attributes.update(connection=connection, migrations=migrations)
    try:
        command.upgrade(config, "head")
    except BaseException:
        connection.exec_driver_sql("ROLLBACK")
        raise
    connection.exec_driver_sql("COMMIT")


def _exclusive(connection: Connection) -> None:
    """Begin one transaction for the whole upgrade; a killed upgrade leaves the schema as it was."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        return
    connection.exec_driver_sql("BEGIN")
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})


def _config(migrations: MigrationSet) -> Config:
    from alembic.config import Config  # noqa: PLC0415 - needed only for an upgrade

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("version_locations", str(migrations.folder / "versions"))
    config.set_main_option("path_separator", "os")
    return config
