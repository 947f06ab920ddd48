"""A shop of our own on loopback: a site of another origin that carries the widget, and visitors who write in it.

The visitors speak the real protocol (`/client/v1`). Whoever opens the shop's page looks over the shoulder of the first
one: the shop hands out that visitor's cookie, as the widget would have kept it.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import aiohttp
import msgspec
from aiohttp import web

from trunkline.contract import Clock
from trunkline.testing import phones
from trunkline.testing.pictures import picture
from trunkline.testing.simulator import Simulator as Base

__all__ = ["KEY", "Simulator", "Visitor"]

KEY = "wk_demo_bicycle_shop"
_SHOP = Path(__file__).parent / "shop"
#: Pages of the shop besides the first, with their titles.
_TITLES = {"repairs": "Repairs — Kettle & Spoke"}
Json = dict[str, Any]


class Visitor(msgspec.Struct, kw_only=True):
    """Somebody who has the shop's page open."""

    id: str
    name: str
    #: None until the first word.
    token: str | None = None
    said: list[phones.Bubble] = []


class Simulator(Base):
    """One shop with the widget on its page."""

    title: ClassVar[str] = "Website"
    accent: ClassVar[str] = "#0f766e"

    def __init__(self, *, clock: Clock | None = None, webhook_url: str | None = None) -> None:
        super().__init__(clock=clock, webhook_url=webhook_url)
        self.visitors: dict[str, Visitor] = {}
        self._one_token = asyncio.Lock()
        #: What the shop's page lets in besides the widget; None for the strict policy that it is tried with.
        self.policy: str | None = None
        #: Language and direction of the shop's page.
        self.attributes = 'lang="en"'

    # ---------------------------------------------------------------- what the base asks for

    def routes(self) -> Iterable[web.RouteDef]:
        pages = [web.get(f"/{name}", self.page) for name in _TITLES]
        return [web.get("/shop/{name:[a-z]+\\.css}", self._get_file), *pages]

    def settings(self) -> Json:
        return {
            "key": KEY,
            "accent": self.accent,
            "title": {"en": "Kettle & Spoke"},
            "greeting": {"en": "Hello! Looking for a bicycle, or is one in trouble?"},
            "reply": {"en": "We usually answer within minutes"},
        }

    def customers(self) -> list[phones.Customer]:
        return [phones.Customer(id=one.id, name=one.name) for one in self.visitors.values()]

    def chat(self, customer: str) -> list[phones.Bubble]:
        return list(self.visitors[customer].said)

    def add_customer(self, name: str) -> str:
        visitor = Visitor(id=uuid.uuid4().hex, name=name)
        self.visitors[visitor.id] = visitor
        return visitor.id

    async def act(self, customer: str, action: phones.Action) -> None:
        visitor = self.visitors[customer]
        body: Json = {"client_id": str(uuid.uuid4()), "kind": action.kind}
        if action.kind == "text":
            body["text"] = action.text
        elif action.kind == "image":
            body["attachments"] = [{"upload_id": await self._upload(visitor, action.picture)}]
        else:
            raise ValueError(f"A visitor of a website sends no {action.kind}.")
        answer = await self._call(visitor, "POST", "threads/live/messages", json=body)
        said = {"id": answer["message"]["id"], "at_ms": self.clock.now_ms(), "kind": action.kind, "text": action.text}
        visitor.said.append(phones.Bubble(mine=True, **said))

    # ---------------------------------------------------------------- the shop

    @property
    def desk(self) -> str:
        """Where the widget comes from: the house that our webhooks would go to."""
        parts = urlsplit(self.webhook_url or "")
        return f"{parts.scheme}://{parts.netloc}"

    async def page(self, request: web.Request) -> web.StreamResponse:
        """Show the shop with the widget, under a policy that lets in nothing else."""
        desk = self.desk
        strict = f"default-src 'none'; img-src 'self'; style-src 'self'; script-src {desk}; frame-src {desk}"
        name = request.path.strip("/")
        title = _TITLES.get(name, "Kettle & Spoke — bicycles")
        filled = {"loader": escape(f"{desk}/widget/loader.js"), "key": KEY, "attributes": self.attributes}
        filled |= {"title": escape(title), "page": escape(name)}
        html = (_SHOP / "index.html").read_text(encoding="utf-8")
        for name, value in filled.items():
            html = html.replace(f"{{{name}}}", value)
        response = web.Response(text=html, content_type="text/html")
        response.headers["Content-Security-Policy"] = self.policy or strict
        if self.visitors:
            token = await self._token(next(iter(self.visitors.values())))
            response.set_cookie(f"occ_{KEY}", token, samesite="Lax", path="/")
        return response

    async def _get_file(self, request: web.Request) -> web.StreamResponse:
        file = _SHOP / request.match_info["name"]
        if not file.is_file():
            raise web.HTTPNotFound
        return web.FileResponse(file)

    # ---------------------------------------------------------------- the visitors

    async def _upload(self, visitor: Visitor, name: str) -> str:
        form = aiohttp.FormData()
        form.add_field("file", picture(name), filename=f"{name}.jpg", content_type="image/jpeg")
        return str((await self._call(visitor, "POST", "uploads", data=form))["upload_id"])

    async def _token(self, visitor: Visitor) -> str:
        # The page and the visitor may ask at once: there is one token for both.
        async with self._one_token:
            if visitor.token is None:
                answer = await self._ask("POST", "tokens", json={"profile": {"name": visitor.name}})
                visitor.token = str(answer["token"])
            return visitor.token

    async def _call(self, visitor: Visitor, method: str, path: str, **more: Any) -> Json:
        return await self._ask(method, path, token=await self._token(visitor), **more)

    async def _ask(self, method: str, path: str, *, token: str | None = None, **more: Any) -> Json:
        """Call the visitor protocol. ValueError with its words where it says no."""
        headers = {"X-Inbox-Key": KEY, "X-SDK-Platform": "web"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, f"{self.desk}/client/v1/{path}", headers=headers, **more) as response,
        ):
            answer: Json = await response.json()
        if response.status >= 400:
            raise ValueError(f"{path}: {answer['error']['message']}")
        return answer
