"""What all tables share: the metadata, and the columns that many have.

Times are milliseconds since the epoch (UTC). JSON is kept as text, written by msgspec. Identifiers are UUIDv7 as text.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, MetaData, Text

__all__ = ["id_column", "json_column", "lease_columns", "metadata", "ms_column"]

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def id_column() -> Column[str]:
    return Column("id", Text, primary_key=True)


def json_column(name: str, *, nullable: bool = True) -> Column[str]:
    return Column(name, Text, nullable=nullable)


def ms_column(name: str, *, nullable: bool = True) -> Column[int]:
    return Column(name, BigInteger, nullable=nullable)


def lease_columns() -> tuple[Column[str], Column[int], Column[int]]:
    """Return who works on a row, until when, and the fencing token that a result must still carry."""
    return (
        Column("owner", Text),
        ms_column("lease_until"),
        Column("fence", BigInteger, nullable=False, server_default="0"),
    )
