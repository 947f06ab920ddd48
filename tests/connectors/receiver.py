"""The other end of a platform's webhook."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from aiohttp import web

from trunkline.contract import WebhookRequest

__all__ = ["Receiver", "open_receiver"]


class Receiver:
    """Somebody's webhook: keeps what arrives and answers as told."""

    def __init__(self) -> None:
        self.requests: list[WebhookRequest] = []
        self.status = 200
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        body, query = await request.read(), dict(request.query)
        headers = request.headers
        self.requests.append(WebhookRequest(method=request.method, query=query, headers=headers, body=body))
        return web.Response(status=self.status)


@contextlib.asynccontextmanager
async def open_receiver(path: str) -> AsyncIterator[Receiver]:
    """Serve one at this path, on a free port of the loopback."""
    receiver, app = Receiver(), web.Application()
    app.router.add_post(path, receiver.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}{path}"
    try:
        yield receiver
    finally:
        await runner.cleanup()
