"""Letting go of a connector: at the end of the process, or when another took its place."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx2

    from trunkline.contract import Connector

__all__ = ["close_connector", "retire_connector"]

_CLOSE_TIMEOUT_S = 5.0
#: How long what a replaced connector has under way may take.
_RETIRE_S = 60.0


async def close_connector(connector: Connector | None, http: httpx2.AsyncClient | None) -> None:
    """Close the connector, then its client; what that raises no longer matters."""
    closers: list[Callable[[], Awaitable[None]]] = []
    if connector is not None:
        closers.append(connector.aclose)
    if http is not None:
        closers.append(http.aclose)
    for close in closers:
        with suppress(Exception):
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                await close()


async def retire_connector(connector: Connector | None, http: httpx2.AsyncClient | None) -> None:
    """Close a connector that another took the place of, when what it has under way is over."""
    try:
        await asyncio.sleep(_RETIRE_S)
    finally:
        await close_connector(connector, http)
