"""Identifiers of our own rows."""

from __future__ import annotations

from uuid_utils import uuid7

__all__ = ["new_id"]


def new_id() -> str:
    """Return a new UUIDv7 as text: unique across processes and ordered by creation time.

    It is an address, not a secret: whoever may read a row is decided by authorisation, never by knowing its id.
    """
    return str(uuid7())
