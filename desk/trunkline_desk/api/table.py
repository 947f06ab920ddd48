"""The route table: all operations of the API, in the order of the document."""

from __future__ import annotations

from trunkline_desk.api import stream
from trunkline_desk.api.resources import (
    accounts,
    agents,
    canned,
    composing,
    contacts,
    gestures,
    house,
    media,
    messages,
    notes,
    quarantine,
    recorder,
    search,
    sessions,
    submissions,
    threads,
)
from trunkline_desk.api.route import Route

__all__ = ["PREFIX", "ROUTES"]

PREFIX = "/api/v1"

ROUTES: tuple[Route, ...] = (
    *sessions.ROUTES,
    *agents.ROUTES,
    *house.ROUTES,
    *quarantine.ROUTES,
    *accounts.ROUTES,
    *recorder.ROUTES,
    *threads.ROUTES,
    *composing.ROUTES,
    *messages.ROUTES,
    *gestures.ROUTES,
    *notes.ROUTES,
    *media.ROUTES,
    *search.ROUTES,
    *contacts.ROUTES,
    *canned.ROUTES,
    *submissions.ROUTES,
    *stream.ROUTES,
)
