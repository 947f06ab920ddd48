"""A Weibo of our own on loopback: one verified account, its fans, the callbacks and the calls that answer them."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, ClassVar

import msgspec
from aiohttp import web

from trunkline.contract import Clock, WebhookRequest, sorted_sha1
from trunkline.model import ContentKind
from trunkline.testing import phones
from trunkline.testing.faults import Fault
from trunkline.testing.pictures import picture
from trunkline.testing.simulator import Simulator as Base
from trunkline_weibo.simulator.platform import Platform
from trunkline_weibo.simulator.world import Fan, Kept, Said, World

__all__ = ["Push", "Simulator"]

Json = dict[str, Any]

#: What a fan can do besides writing → subtype of the event, and its further data.
_EVENTS: Mapping[str, tuple[str, Json]] = {
    "follow": ("follow", {}),
    "unfollow": ("unfollow", {}),
    "subscribe": ("subscribe", {}),
    "unsubscribe": ("unsubscribe", {}),
    "scan": ("scan", {"key": "poster-1", "ticket": "tk-1"}),
    "scan_follow": ("scan_follow", {"key": "poster-1", "ticket": "tk-1"}),
    "click": ("click", {"key": "menu-hours"}),
    "view": ("view", {"key": "https://shop.example/sale"}),
}
#: What Weibo writes as text where there is none.
_STOCK = {"image": "分享图片", "voice": "分享语音", "position": "我在这里"}
#: Pushed so often until somebody answers within 5 seconds.
_TRIES = 3
_BEIJING = timezone(timedelta(hours=8))


class Push(msgspec.Struct, kw_only=True):
    """One packet that was pushed, and the statuses of all tries."""

    body: bytes
    statuses: list[int]


class Simulator(Base):
    """One verified account."""

    title: ClassVar[str] = "Weibo"
    accent: ClassVar[str] = "#e6162d"
    # The access token stands in the form of a reply.
    secret_paths: ClassVar[tuple[str, ...]] = ("/2/messages/", "/oauth2/")
    writes: ClassVar[Mapping[ContentKind, phones.Action]] = {
        ContentKind.TEXT: phones.Action(kind="text", text="你好"),
        ContentKind.IMAGE: phones.Action(kind="image"),
        ContentKind.AUDIO: phones.Action(kind="voice"),
        ContentKind.LOCATION: phones.Action(kind="location"),
    }

    signed_for_s: ClassVar[int | None] = 300

    def __init__(self, *, clock: Clock | None = None, webhook_url: str | None = None) -> None:
        super().__init__(clock=clock, webhook_url=webhook_url)
        self.world = World(self.clock)
        self.platform = Platform(self)
        #: Every packet pushed, oldest first.
        self.pushes: list[Push] = []

    # ---------------------------------------------------------------- what the base asks for

    def routes(self) -> Iterable[web.RouteDef]:
        return [*self.platform.routes(), web.get("/_sim/files/{fid}", self._get_file)]

    def settings(self) -> dict[str, Any]:
        return {
            "uid": self.world.uid,
            "app_key": self.world.app_key,
            "app_secret": self.world.app_secret,
            "access_token": self.world.token,
            **dict.fromkeys(("api_base", "message_base", "media_base"), self.url),
        }

    def customers(self) -> list[phones.Customer]:
        return sorted(map(self._shown, self.world.fans.values()), key=lambda one: -one.last_ms)

    def chat(self, customer: str) -> list[phones.Bubble]:
        return [said.bubble(self.url) for said in self.world.fans[customer].said]

    def add_customer(self, name: str) -> str:
        fan = self.world.fan(name)
        self.changed(fan.id)
        return fan.id

    async def act(self, customer: str, action: phones.Action) -> None:
        fan = self.world.fans[customer]
        match action.kind:
            case "text":
                await self.says(fan, Said.of_fan(self.world, "text", text=action.text), "text", action.text)
            case "image" | "voice":
                await self._file(fan, action)
            case "location":
                place = {"longitude": f"{action.longitude:.6f}", "latitude": f"{action.latitude:.6f}"}
                said = Said.of_fan(self.world, "location", text=", ".join(reversed(place.values())))
                await self.says(fan, said, "position", _STOCK["position"], place)
            case "mention":
                await self.mentions(fan, action.text or "@Shop 请问几点开门？")
            case kind if kind in _EVENTS:
                await self.event(fan, kind)
            case kind:
                raise ValueError(f"Weibo has no {kind}.")

    # ---------------------------------------------------------------- what the conformance suite asks for

    def webhook(self, body: bytes) -> WebhookRequest:
        timestamp, nonce = str(self.clock.now_ms()), str(secrets.randbelow(10**9))
        signature = sorted_sha1(self.world.app_secret, timestamp, nonce)
        query = {"signature": signature, "timestamp": timestamp, "nonce": nonce}
        headers = {"Content-Type": "application/json; charset=utf-8"}
        return WebhookRequest(method="POST", query=query, headers=headers, body=body)

    def strange(self, customer: str) -> bytes:
        return self.packet(self.world.fans[customer], "hologram", "?", {"vfid": 1})

    def challenge(self) -> tuple[WebhookRequest, bytes] | None:
        word = secrets.token_hex(8)
        query = {**self.webhook(b"").query, "echostr": word}
        return WebhookRequest(method="GET", query=query, headers={}, body=b""), word.encode()

    def expire_tokens(self) -> bool:
        """Nothing of ours expires by itself: the token is copied from the console and lasts until it is replaced."""
        return False

    def limited(self, *, after_s: int | None) -> Fault:
        error = {"error": "User requests out of rate limit!", "error_code": 10023, "request": "/2/messages/reply.json"}
        headers = {} if after_s is None else {"Retry-After": str(after_s)}
        return Fault(do="answer", status=403, body=json.dumps(error), headers=headers)

    # ---------------------------------------------------------------- what fans do

    async def says(self, fan: Fan, said: Said, kind: str, text: str, data: Json | None = None) -> None:
        """Show what a fan wrote and push it; opens 48 hours."""
        fan.said.append(said)
        self.world.open(fan)
        await self.push(self.packet(fan, kind, text, data))
        self.changed(fan.id)

    async def _file(self, fan: Fan, action: phones.Action) -> None:
        image = action.kind == "image"
        kept = Kept(picture(action.picture), "image/jpeg") if image else Kept(b"#!AMR\n" + bytes(32), "audio/amr")
        ours = self.world.keep(kept)
        said = Said.of_fan(self.world, "image" if image else "audio", file=ours)
        await self.says(fan, said, action.kind, _STOCK[action.kind], {"vfid": ours - 1, "tovfid": ours})

    async def event(self, fan: Fan, kind: str, *, text: str = "") -> None:
        """Push an event; `text` is the keyword of a subscription by message."""
        subtype, more = _EVENTS[kind]
        self.world.happened(fan, subtype)
        await self.push(self.packet(fan, "event", text or f"事件 {subtype}", {"subtype": subtype, **more}))
        self.changed(fan.id)

    async def mentions(self, fan: Fan, text: str, *, subtype: str = "status") -> None:
        """Name the account in a post of one's own: one answer is allowed."""
        fan.said.append(Said.of_fan(self.world, "text", text=text))
        self.world.mentioned(fan)
        data = {"subtype": subtype, "key": str(self.world.number())}
        await self.push(self.packet(fan, "mention", text, data))
        self.changed(fan.id)

    def packet(self, fan: Fan, kind: str, text: str, data: Json | None = None) -> bytes:
        """Return a packet as Weibo writes it: numbers for ids, a time like ctime's in Beijing."""
        now = datetime.fromtimestamp(self.world.second(fan), _BEIJING)
        packet = {
            "type": kind,
            "receiver_id": int(self.world.uid),
            "sender_id": int(fan.id),
            "created_at": now.strftime("%a %b %d %H:%M:%S %z %Y"),
            "text": text,
            "data": data or {},
        }
        return json.dumps(packet, ensure_ascii=len(self.pushes) % 2 == 1, separators=(",", ":")).encode()

    async def push(self, body: bytes) -> Push:
        """Push a packet until somebody answers, three times at most; an answer with a body is a passive reply."""
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

    def _shown(self, fan: Fan) -> phones.Customer:
        last = fan.said[-1] if fan.said else None
        words = (last.text or f"[{last.kind}]") if last else ""
        return phones.Customer(id=fan.id, name=fan.name, last=words, last_ms=last.at_ms if last else 0)

    async def _get_file(self, request: web.Request) -> web.Response:
        kept = self.world.files.get(request.match_info["fid"])
        if kept is None:
            raise web.HTTPNotFound
        return web.Response(body=kept.body, content_type=kept.mime)
