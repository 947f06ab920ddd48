"""The route table: all operations of the API, in the order of the document."""

from __future__ import annotations

from trunkline_desk.api import stream
from trunkline_desk.api.resources import agents, house, media, messages, notes, sessions, threads
from trunkline_desk.api.route import Route

__all__ = ["PREFIX", "ROUTES"]

PREFIX = "/api/v1"

ROUTES: tuple[Route, ...] = (
    *sessions.ROUTES,
    *agents.ROUTES,
    *house.ROUTES,
    *threads.ROUTES,
    *messages.ROUTES,
    *notes.ROUTES,
    *media.ROUTES,
    *stream.ROUTES,
)
