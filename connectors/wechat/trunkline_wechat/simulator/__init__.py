"""A WeChat of our own on loopback: one account of one of the four surfaces, with its rules, webhooks and phones."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import urlencode

import aiohttp
import msgspec
from aiohttp import web

from trunkline.contract import Clock, WebhookRequest
from trunkline.model import ContentKind, DeliveryState
from trunkline.testing import phones
from trunkline.testing.faults import Fault
from trunkline.testing.simulator import Simulator as Base
from trunkline_wechat.config import KF, MINI, OA, WECOM
from trunkline_wechat.simulator.qyapi import Qyapi
from trunkline_wechat.simulator.surface import Surface
from trunkline_wechat.simulator.weixin import Weixin
from trunkline_wechat.simulator.world import World

__all__ = ["Simulator", "Webhook"]

#: The platform's deliveries of one packet, the first included.
_DELIVERIES = 3
_PREFIXES = {OA: "oABC_user-", MINI: "oMINI_user-", WECOM: "staff", KF: "wmCUST"}


class Webhook(msgspec.Struct, kw_only=True):
    """One packet in clear and what came of each delivery; 0 when there was no answer."""

    body: bytes
    statuses: list[int]
    #: What we answered last.
    words: str = ""


class Simulator(Base):
    """One account of WeChat; `channel` says on which surface."""

    title: ClassVar[str] = "WeChat"
    accent: ClassVar[str] = "#07c160"
    channels: ClassVar[tuple[str, ...]] = (OA, MINI, WECOM, KF)
    secret_paths: ClassVar[tuple[str, ...]] = ("/cgi-bin/token", "/cgi-bin/stable_token", "/cgi-bin/gettoken")

    def __init__(self, *, channel: str = OA, clock: Clock | None = None, webhook_url: str | None = None) -> None:
        super().__init__(clock=clock, webhook_url=webhook_url)
        self.channel = channel
        self.world = World(self.clock, _PREFIXES[channel])
        self.surface: Surface = Weixin(self) if channel in {OA, MINI} else Qyapi(self)
        writes: Mapping[ContentKind, phones.Action] = self.surface.writes
        self.writes = writes  # type: ignore[misc]  # one class stands for four channels
        #: Every packet sent, oldest first.
        self.webhooks: list[Webhook] = []

    # ---------------------------------------------------------------- what the base asks for

    def routes(self) -> Iterable[web.RouteDef]:
        calls = [web.route(method, path, self.surface.guarded) for method, path in self.surface.calls()]
        return [*calls, *self.surface.open_calls(), web.get("/files/{id}", self._get_file)]

    def settings(self) -> dict[str, Any]:
        common = {"surface": self.channel, "callback_token": self.world.callback_token, "api_base": self.url}
        return {**common, **self.surface.settings()}

    def customers(self) -> list[phones.Customer]:
        shown = []
        for person in self.world.people.values():
            last = person.said[-1] if person.said else None
            words = self.surface.bubble(last).text if last else ""
            at_ms, typing = last.at_ms if last else 0, person.typing_until_ms > self.clock.now_ms()
            shown.append(phones.Customer(id=person.id, name=person.name, last=words, last_ms=at_ms, typing=typing))
        return sorted(shown, key=lambda one: -one.last_ms)

    def chat(self, customer: str) -> list[phones.Bubble]:
        return [self.surface.bubble(said) for said in self.world.people[customer].said]

    def add_customer(self, name: str) -> str:
        id_ = self.world.invent(name).id
        self.changed(id_)
        return id_

    async def act(self, customer: str, action: phones.Action) -> None:
        await self.surface.act(self.world.people[customer], action)
        self.changed(customer)

    async def _get_file(self, request: web.Request) -> web.Response:
        """Show a file to the phone page; the platform's own way needs a token."""
        kept = self.world.file(request.match_info["id"])
        if kept is None:
            raise web.HTTPNotFound
        return web.Response(body=kept.content, content_type=kept.mime)

    # ---------------------------------------------------------------- webhooks

    def challenge(self) -> tuple[WebhookRequest, bytes] | None:
        return self.surface.challenge()

    def webhook(self, body: bytes) -> WebhookRequest:
        return self.surface.webhook(body)

    def strange(self, customer: str) -> bytes:
        return self.surface.strange(self.world.people[customer])

    def joined(self, bodies: Sequence[bytes]) -> bytes | None:
        return self.surface.joined(bodies)

    async def tell(self, customer: str, state: DeliveryState) -> bool:
        return await self.surface.tell(self.world.people[customer], state)

    def expire_tokens(self) -> bool:
        self.world.tokens.clear()
        return True

    def limited(self, *, after_s: int | None) -> Fault:
        return self.surface.limited(after_s)

    async def send_webhook(
        self, body: bytes, headers: Mapping[str, str] | None = None, query: Mapping[str, str] | None = None
    ) -> int:
        """Sign, encrypt and post a packet, and again as the platform does. Returns the last status.

        Headers and query are the platform's own: what is given for them has no effect.
        """
        webhook = Webhook(body=body, statuses=[])
        self.webhooks.append(webhook)
        for _ in range(_DELIVERIES):
            status, webhook.words = await self.post(self.webhook(body))
            webhook.statuses.append(status)
            if not self.surface.redelivers(status, webhook.words):
                break
        return webhook.statuses[-1]

    async def repeat(self) -> int:
        """Deliver the newest packet once more, as if our answer had been lost."""
        webhook = self.webhooks[-1]
        status, _ = await self.post(self.webhook(webhook.body))
        webhook.statuses.append(status)
        return status

    async def post(self, request: WebhookRequest) -> tuple[int, str]:
        """Send one request to our webhook address. Returns status and body, (0, "") when nobody answered."""
        if self.webhook_url is None or self._session is None:
            return 0, ""
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with self._session.request(
                request.method,
                f"{self.webhook_url}?{urlencode(request.query)}",
                data=request.body or None,
                headers=dict(request.headers),
                timeout=aiohttp.ClientTimeout(total=10),
            ) as response:
                return response.status, await response.text(errors="replace")
        return 0, ""
