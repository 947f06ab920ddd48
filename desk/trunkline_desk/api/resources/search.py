"""The search over messages and people."""

from __future__ import annotations

from typing import Any

from trunkline_desk.api.models.search import SearchPage, SearchQuery
from trunkline_desk.api.route import Call, Route
from trunkline_desk.people.roles import Action
from trunkline_desk.threads.rows import ask
from trunkline_desk.threads.searching import Search, search

__all__ = ["ROUTES"]


async def find(call: Call[None, SearchQuery]) -> dict[str, Any]:
    """Return what was found."""
    query, house = call.query, call.desk.house
    asked = Search(
        text=query.q,
        scope=query.scope,
        recent=query.period == "recent",
        cursor=query.cursor,
        limit=query.limit,
    )
    return await ask(house.store, search, house, asked, call.now)


ROUTES = (
    Route(
        method="GET",
        path="/search",
        handler=find,
        action=Action.READ_THREADS,
        operation="search",
        summary="Find messages by their words and people by their names, newest first.",
        query=SearchQuery,
        answer=SearchPage,
    ),
)
