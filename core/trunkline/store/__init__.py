"""What we remember."""

from __future__ import annotations

from trunkline.store import schema
from trunkline.store.migrate import MigrationSet
from trunkline.store.opening import Store
from trunkline.store.prepared import Lookup, Prepared, Rewrite
from trunkline.store.transaction import LogRow, Transaction
from trunkline.store.versions import SchemaVersion, schema_versions
from trunkline.store.writer import Writer

__all__ = [
    "LogRow",
    "Lookup",
    "MigrationSet",
    "Prepared",
    "Rewrite",
    "SchemaVersion",
    "Store",
    "Transaction",
    "Writer",
    "schema",
    "schema_versions",
]
