"""The desk's doors: the API, its document and the live feed below /api, the inbox below /inbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from trunkline.errors import ContractError
from trunkline.http.problems import TRUSTED_PROXIES, harden, problems
from trunkline_desk.api.desk import Desk
from trunkline_desk.api.door import open_door
from trunkline_desk.api.pages import docs_page, document_page, inbox_policy, inbox_routes
from trunkline_desk.api.stream import stream
from trunkline_desk.api.table import PREFIX, ROUTES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trunkline_desk.api.route import Route

__all__ = ["add_doors", "insist_on_declared"]

_BASE = "/api"
_API_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
#: Routes that are no operations of the table: the feed (which admits by ticket or token) and the document.
_BESIDE = {("GET", "/v1/stream"), ("GET", "/openapi.json"), ("GET", "/docs")}


def add_doors(app: web.Application, desk: Desk) -> None:
    """Add the desk's routes to the root application."""
    app.add_subapp(_BASE, _api(desk))
    app.add_subapp("/inbox", _inbox(desk))
    if not desk.house.is_demo:  # which has a page of its own there
        app.router.add_get("/", _to_the_inbox)


async def _to_the_inbox(_request: web.Request) -> web.StreamResponse:
    raise web.HTTPFound("/inbox/")


def _api(desk: Desk) -> web.Application:
    api = _room(desk, _API_POLICY)
    for route in ROUTES:
        api.router.add_route(route.method, PREFIX.removeprefix(_BASE) + route.path, open_door(desk, route))

    async def live(request: web.Request) -> web.StreamResponse:
        return await stream(desk, request)

    async def hang_up(_app: web.Application) -> None:
        await desk.sockets.close_all()

    api.router.add_get("/v1/stream", live)
    api.router.add_get("/openapi.json", document_page)
    api.router.add_get("/docs", docs_page)
    api.on_shutdown.append(hang_up)
    insist_on_declared(api, ROUTES)
    return api


def _inbox(desk: Desk) -> web.Application:
    inbox = _room(desk, inbox_policy(is_demo=desk.house.is_demo))
    inbox_routes(inbox)
    return inbox


def _room(desk: Desk, policy: str) -> web.Application:
    room = web.Application(middlewares=[problems])
    room[TRUSTED_PROXIES] = desk.house.settings.server.trusted_proxies
    harden(room, policy=policy, https=desk.https)
    return room


def insist_on_declared(api: web.Application, routes: Iterable[Route]) -> None:
    """Refuse to start with a route for which nobody said who may use it.

    Raises:
        ContractError: it names the route.
    """
    declared = {(route.method, PREFIX.removeprefix(_BASE) + route.path) for route in routes} | _BESIDE
    for resource in api.router.resources():
        for route in resource:
            place = (route.method, resource.canonical)
            if route.method != "HEAD" and place not in declared:
                raise ContractError(f"The route {route.method} {resource.canonical} declares no action.")
