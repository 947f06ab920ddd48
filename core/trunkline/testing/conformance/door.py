"""The webhook address of the stage: what the core does with a request, in small."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from aiohttp import web
from multidict import CIMultiDict

from trunkline.contract import Connector, Item, TrustedBody, WebhookReply, WebhookRequest
from trunkline.errors import BodyUnreadable, RequestRefused

__all__ = ["Door", "normal"]

_PATH = "/webhooks/account-under-test"


def normal(request: WebhookRequest) -> WebhookRequest:
    """Return a request as the core hands it over: headers are looked up without regard to letter case."""
    return msgspec.structs.replace(request, headers=CIMultiDict(request.headers))


class Door:
    """A server on loopback that proves, reads and acknowledges what a simulated platform sends."""

    def __init__(self) -> None:
        #: Set before the first request.
        self.connector: Connector | None = None
        #: Requests that the connector trusted, with what it read in them.
        self.requests: list[WebhookRequest] = []
        self.bodies: list[TrustedBody] = []
        self.items: list[Item] = []
        #: Why requests were refused.
        self.refusals: list[str] = []
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def open(self) -> None:
        app = web.Application()
        app.router.add_route("*", _PATH, self._handle)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}{_PATH}"

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.Response:
        given = WebhookRequest(
            method=request.method,
            query=dict(request.query),
            headers=CIMultiDict(request.headers),
            body=await request.read(),
            remote="127.0.0.1",
        )
        reply = self._reply(given)
        return web.Response(status=reply.status, body=reply.body, content_type=reply.content_type)

    def _reply(self, request: WebhookRequest) -> WebhookReply:
        assert self.connector is not None
        try:
            if (challenge := self.connector.handshake(request)) is not None:
                return challenge
            body = self.connector.authenticate(request)
            items = self.connector.parse(body)
        except RequestRefused as refusal:
            self.refusals.append(str(refusal))
            return WebhookReply(status=refusal.status)
        except BodyUnreadable as error:
            self.refusals.append(str(error))
            return WebhookReply()
        self.requests.append(request)
        self.keep(body, items)
        return self.connector.acknowledge(items)

    def keep(self, body: TrustedBody, items: Sequence[Item]) -> None:
        """Keep a body and what was read in it: of a request, or of a page that was pulled."""
        self.bodies.append(body)
        self.items.extend(items)
