"""The table of channels: which forms each of them takes, as its connector declares it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trunkline.contract import ConnectorSpec

__all__ = ["matrix"]


def matrix(connectors: Iterable[ConnectorSpec]) -> list[dict[str, Any]]:
    """Return a row per channel in the order of the table; those that stand in none come last, by their code."""
    rows = [(channel, channel.capabilities.submissions) for spec in connectors for channel in spec.channels]
    rows.sort(key=lambda row: (row[1].serial == 0, row[1].serial, row[0].code))
    return [
        {
            "serial": can.serial or None,
            "channel": channel.code,
            "title": dict(channel.title),
            "modes": list(can.modes),
            "dimensions": list(can.scopes),
            "min_client_version": dict(can.min_client_version),
            "ticket_reply": can.ticket_reply,
            "prompt_limit": None if can.prompt_limit is None else dict(can.prompt_limit),
        }
        for channel, can in rows
    ]
