"""The versions of the tables."""

from __future__ import annotations

from pathlib import Path

from trunkline.store import MigrationSet

from trunkline_waiting_room.schema import metadata

__all__ = ["migrations"]


def migrations() -> MigrationSet:
    """Return our migrations; they run at the start, before anything works."""
    return MigrationSet("waiting_room", Path(__file__).parent, metadata, "0001")
