"""The versions of the desk's tables."""

from __future__ import annotations

from pathlib import Path

from trunkline.store import MigrationSet
from trunkline_desk.schema import metadata

__all__ = ["migrations"]


def migrations() -> MigrationSet:
    """Return the desk's migrations."""
    return MigrationSet("desk", Path(__file__).parent, metadata, "0002")
