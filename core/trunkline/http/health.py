"""Doors for those who watch over Trunkline: health on both listeners, metrics on a loopback one."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable

from aiohttp import web

from trunkline.errors import StartRefused
from trunkline.http.rough import server_logger
from trunkline.log import get_logger
from trunkline.service.vitals import Vitals
from trunkline.settings import Settings

__all__ = ["add_health_routes", "open_metrics_door"]

log = get_logger("health")

_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def add_health_routes(app: web.Application, vitals: Vitals) -> None:
    """Add /health/live, /health/ready and /health/startup."""

    async def live(_request: web.Request) -> web.Response:
        return web.json_response({"status": "live"})

    async def ready(_request: web.Request) -> web.Response:
        failing = await vitals.failing()
        status = "not_ready" if failing else "ready"
        body = {"status": status, "failing": sorted(failing), "checks": failing}
        return web.json_response(body, status=503 if failing else 200, headers={"Cache-Control": "no-store"})

    async def startup(_request: web.Request) -> web.Response:
        word = "started" if vitals.started else "starting"
        return web.json_response({"status": word}, status=200 if vitals.started else 503)

    app.router.add_get("/health/live", live)
    app.router.add_get("/health/ready", ready)
    app.router.add_get("/health/startup", startup)


async def open_metrics_door(
    settings: Settings, vitals: Vitals, expose: Callable[[], Awaitable[bytes]]
) -> web.AppRunner | None:
    """Open the second listener with /metrics and health; None when it is off. Its owner cleans the runner up.

    Raises:
        StartRefused: the address cannot be opened. That of the default one is only logged.
    """
    listen = settings.server.metrics_listen
    if listen is None:
        return None
    runner = web.AppRunner(_metrics_app(vitals, expose), access_log=None, logger=server_logger())
    await runner.setup()
    host, _, port = listen.rpartition(":")
    try:
        await web.TCPSite(runner, host.strip("[]"), int(port)).start()
    except OSError as error:
        await runner.cleanup()
        if "metrics_listen" in settings.server.model_fields_set:
            words = f"server.metrics_listen {listen} cannot be opened ({_cause(error)})"
            raise StartRefused(f'{words}: choose another, or "off".') from error
        log.warning("metrics.no_door", listen=listen, advice="set server.metrics_listen")
        return None
    return runner


def _cause(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else type(error).__name__


def _metrics_app(vitals: Vitals, expose: Callable[[], Awaitable[bytes]]) -> web.Application:
    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(body=await expose(), headers={"Content-Type": _CONTENT_TYPE})

    app = web.Application()
    add_health_routes(app, vitals)
    app.router.add_get("/metrics", metrics)
    return app
