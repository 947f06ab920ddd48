"""A Baidu of our own on loopback: one mini program, its customers, the pushes and the calls that answer them.

Source: https://smartprogram.baidu.com/docs/develop/serverapi/contact_api/ (read 2026-11-22)
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar
from urllib.parse import urlencode
from xml.sax.saxutils import escape

import msgspec
from aiohttp import web

from trunkline.contract import Clock, WebhookRequest, sorted_sha1
from trunkline.model import ContentKind
from trunkline.testing import phones
from trunkline.testing.faults import Fault
from trunkline.testing.pictures import PICTURES, picture
from trunkline.testing.simulator import Simulator as Base
from trunkline_baidu.simulator.world import Person, Platform, Said, World

__all__ = ["Push", "Simulator"]

Json = dict[str, Any]

_TRIES = 3


class Push(msgspec.Struct, kw_only=True):
    """One packet that was pushed, and the statuses of all tries."""

    body: bytes
    statuses: list[int]


class Simulator(Base):
    """One mini program. `xml` is what its console has chosen as the format of pushes."""

    title: ClassVar[str] = "Baidu"
    accent: ClassVar[str] = "#2932e1"
    secret_paths: ClassVar[tuple[str, ...]] = ("/oauth/",)
    writes: ClassVar[Mapping[ContentKind, phones.Action]] = {
        ContentKind.TEXT: phones.Action(kind="text", text="你好"),
        ContentKind.IMAGE: phones.Action(kind="image"),
    }

    signed_for_s: ClassVar[int | None] = 300

    def __init__(self, *, clock: Clock | None = None, webhook_url: str | None = None, xml: bool = False) -> None:
        super().__init__(clock=clock, webhook_url=webhook_url)
        self.world, self.xml = World(self.clock), xml
        self.platform = Platform(self)
        #: Every packet pushed, oldest first.
        self.pushes: list[Push] = []

    # ---------------------------------------------------------------- what the base asks for

    def routes(self) -> Iterable[web.RouteDef]:
        return [*self.platform.routes(), web.get("/files/{name}.jpg", self._get_file)]

    def settings(self) -> dict[str, Any]:
        return {
            "app_id": self.world.app_id,
            "token": self.world.push_token,
            "app_key": self.world.app_key,
            "app_secret": self.world.app_secret,
            "api_base": self.url,
        }

    def customers(self) -> list[phones.Customer]:
        return sorted(map(self._shown, self.world.people.values()), key=lambda one: -one.last_ms)

    def chat(self, customer: str) -> list[phones.Bubble]:
        return [said.bubble() for said in self.world.people[customer].said]

    def add_customer(self, name: str) -> str:
        person = self.world.person(name)
        self.changed(person.id)
        return person.id

    async def act(self, customer: str, action: phones.Action) -> None:
        person = self.world.people[customer]
        match action.kind:
            case "text":
                await self.says(person, "text", Content=action.text)
            case "image":
                await self.says(person, "image", PicUrl=f"{self.url}/files/{action.picture}.jpg")
            case kind:
                raise ValueError(f"Baidu's customer messages have no {kind}.")

    # ---------------------------------------------------------------- what the conformance suite asks for

    def webhook(self, body: bytes) -> WebhookRequest:
        headers = {"Content-Type": "text/xml" if body.startswith(b"<") else "application/json"}
        return WebhookRequest(method="POST", query=self.proof(), headers=headers, body=body)

    def proof(self) -> dict[str, str]:
        """Return signature, timestamp and nonce of this moment."""
        timestamp, nonce = str(self.clock.now_ms() // 1000), str(secrets.randbelow(10**9))
        signature = sorted_sha1(self.world.push_token, timestamp, nonce)
        return {"signature": signature, "timestamp": timestamp, "nonce": nonce}

    def strange(self, customer: str) -> bytes:
        return self.packet(self.world.people[customer], "hologram", Depth=3)

    def expire_tokens(self) -> bool:
        self.world.tokens.clear()
        return True

    def limited(self, *, after_s: int | None) -> Fault:
        headers = {} if after_s is None else {"Retry-After": str(after_s)}
        return Fault(do="answer", path="/rest/*", status=429, body="{}", headers=headers)

    # ---------------------------------------------------------------- what customers do

    async def says(self, person: Person, kind: str, **what: str) -> None:
        """Show what a customer wrote and push it; the account may answer five times in 48 hours."""
        shown = what.get("Content") or what.get("PicUrl") or ""
        person.said.append(Said(str(self.world.number()), self.clock.now_ms(), mine=True, kind=kind, words=shown))
        self.world.open(person)
        await self.push(self.packet(person, kind, **what))
        self.changed(person.id)

    def packet(self, person: Person, kind: str, **what: Any) -> bytes:
        """Return a packet in the chosen format."""
        packet = {
            "ToUserName": self.world.app_id,
            "FromUserName": person.id,
            "CreateTime": self.clock.now_ms() // 1000,
            "MsgType": kind,
            **what,
            "MsgId": self.world.number(),
        }
        if not self.xml:
            return json.dumps(packet, ensure_ascii=len(self.pushes) % 2 == 1, separators=(",", ":")).encode()
        return (
            f"<xml>{''.join(f'<{name}>{escape(str(value))}</{name}>' for name, value in packet.items())}</xml>".encode()
        )

    async def push(self, body: bytes) -> Push:
        """Push a packet until somebody answers; how often Baidu tries is not told, here three times."""
        push = Push(body=body, statuses=[])
        self.pushes.append(push)
        for _ in range(_TRIES):
            request = self.webhook(body)
            push.statuses.append(await self.send_webhook(body, request.headers, request.query))
            if push.statuses[-1] in {0, *range(200, 300)}:
                break
        return push

    async def repeat(self) -> None:
        """Push the newest packet again, signed anew."""
        await self.push(self.pushes[-1].body)

    def challenge(self) -> tuple[WebhookRequest, bytes] | None:
        word = secrets.token_hex(8)
        return self.trial(word), word.encode()

    def trial(self, word: str, *, form: bool = False) -> WebhookRequest:
        """Return the POST with which Baidu tries an address; `form`: its fields stand in the body."""
        fields = {**self.proof(), "echoStr": word}
        if not form:
            return WebhookRequest(method="POST", query=fields, headers={}, body=b"")
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return WebhookRequest(method="POST", query={}, headers=headers, body=urlencode(fields).encode())

    def _shown(self, person: Person) -> phones.Customer:
        last = person.said[-1] if person.said else None
        return phones.Customer(
            id=person.id, name=person.name, last=last.words if last else "", last_ms=last.at_ms if last else 0
        )

    async def _get_file(self, request: web.Request) -> web.Response:
        if request.match_info["name"] not in PICTURES:
            raise web.HTTPNotFound
        return web.Response(body=picture(request.match_info["name"]), content_type="image/jpeg")
