"""The invented platform: one account of Bay or of Cove on loopback, with rules of its own."""

from __future__ import annotations

import itertools
import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import msgspec
from aiohttp import web

from tests.conformance.bay import BAY, COVE, DAY_S, GOOD_FOR_S, sign
from trunkline.contract import Capabilities, Clock, TextUnit, WebhookRequest, measure
from trunkline.model import Content, ContentKind, DeliveryState, Text, content_kind, summary
from trunkline.testing.phones import Action, Bubble, BubbleCard, Customer, Press
from trunkline.testing.pictures import picture
from trunkline.testing.simulator import Simulator

Json = dict[str, Any]
_TOKEN_S = 7200
_PAGE = 10
_INWARD = [kind for kind in ContentKind if kind not in {ContentKind.TEMPLATE, ContentKind.UNSUPPORTED}]
#: What customers write, by kind.
_CONTENTS: dict[str, Json] = {
    "image": {"media": {"source": {"reference": "cup"}}},
    "video": {"media": {"source": {"reference": "cup"}}},
    "audio": {"media": {"source": {"reference": "cup"}}},
    "file": {"media": {"source": {"reference": "cup"}, "name": "invoice.pdf"}},
    "location": {"latitude": 52.2, "longitude": 21.0},
    "sticker": {"sticker_id": "1"},
    "card": {"title": "Bell"},
    "carousel": {"cards": [{"title": "Bell"}]},
    "link": {"url": "https://shop.example/"},
    "contacts": {"people": [{"name": "Cy"}]},
}
_BUBBLES = {"contacts": "note", "template": "note", "card": "cards", "carousel": "cards", "link": "text"}


@dataclass
class Chat:
    """A person, or a group."""

    id: str
    name: str
    members: list[str]
    bubbles: list[Bubble] = field(default_factory=list)
    wrote_ms: int = 0
    left: int = 0
    typing: bool = False
    #: Our newest message: its id and our correlation.
    newest: tuple[str, str] = ("", "")


class Refused(Exception):
    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status, self.code = status, code


class Bay(Simulator):
    """One account."""

    title: ClassVar[str] = "Bay"
    channels: ClassVar[tuple[str, ...]] = ("bay", "cove")
    secret_paths: ClassVar[tuple[str, ...]] = ("/token",)
    signed_for_s: ClassVar[int | None] = GOOD_FOR_S
    writes: ClassVar[Mapping[ContentKind, Action]] = {
        kind: Action(kind="press" if kind is ContentKind.CHOICE else kind.value, text="hello") for kind in _INWARD
    }

    def __init__(self, *, clock: Clock | None = None, webhook_url: str | None = None, channel: str = "bay") -> None:
        super().__init__(clock=clock, webhook_url=webhook_url)
        self.channel = channel
        self.capabilities: Capabilities = COVE if channel == "cove" else BAY
        self.secret, self.app_key = secrets.token_hex(16), secrets.token_hex(16)
        self.tokens: dict[str, int] = {}
        self.chats: dict[str, Chat] = {}
        self.keys: dict[str, list[str]] = {}
        self.events: list[Json] = []
        self._number = itertools.count(1)

    # ---------------------------------------------------------------- what the base asks for

    def routes(self) -> Iterable[web.RouteDef]:
        return [
            web.post("/token", self._give_token),
            web.post("/send", self._admitted(self._send)),
            web.post("/signal", self._admitted(self._signal)),
            web.get("/templates", self._admitted(self._templates)),
            web.get("/events", self._admitted(self._page)),
            web.get("/people/{id}", self._admitted(self._person)),
            web.get("/files/{id}", self._admitted(self._file)),
            web.get("/me", self._admitted(self._me)),
        ]

    def settings(self) -> Json:
        return {"secret": self.secret, "app_key": self.app_key, "channel": self.channel, "api_base": self.url}

    def customers(self) -> list[Customer]:
        return [Customer(id=one.id, name=one.name, typing=one.typing) for one in self.chats.values()]

    def chat(self, customer: str) -> list[Bubble]:
        return list(self.chats[customer].bubbles)

    def add_customer(self, name: str) -> str:
        id_ = f"p{next(self._number)}"
        self.chats[id_] = Chat(id_, name, [id_])
        return id_

    async def act(self, customer: str, action: Action) -> None:
        chat = self.chats[customer]
        if action.kind not in {"text", "image"} and self.channel == "cove":
            raise ValueError("Cove has text only.")
        if action.kind in {"edit", "recall", "react", "quote"}:
            await self._about(chat, action)
        elif action.kind in {"follow", "unfollow"}:
            await self._emit(chat, action.kind)
        elif action.kind == "press":
            press = next(one for bubble in chat.bubbles for one in _presses(bubble) if one.id == action.press)
            await self._write(chat, {"type": "choice", "data": press.id, "title": press.label})
        elif action.kind == "text":
            await self._write(chat, {"type": "text", "text": action.text})
        elif action.kind in _CONTENTS and self.channel == "bay":
            await self._write(chat, {"type": action.kind, **_CONTENTS[action.kind]})
        else:
            raise ValueError(f"Bay has no {action.kind}.")

    async def _about(self, chat: Chat, action: Action) -> None:
        at, bubble = next((at, one) for at, one in enumerate(chat.bubbles) if one.id == action.bubble)
        if action.kind == "quote":
            await self._write(chat, {"type": "text", "text": action.text}, quotes=bubble.id)
        elif action.kind == "react":
            await self._emit(chat, "react", message=bubble.id, emoji=action.text)
        elif not bubble.mine:
            raise ValueError("Only one's own.")
        elif action.kind == "recall":
            del chat.bubbles[at]
            await self._emit(chat, "recall", message=bubble.id)
        else:
            await self._emit(chat, "edit", message=bubble.id, content={"type": "text", "text": action.text})

    async def _write(self, chat: Chat, content: Json, **more: str) -> None:
        id_, kind = f"m{next(self._number)}", content["type"]
        now = self.clock.now_ms()
        chat.bubbles.append(Bubble(id=id_, mine=True, at_ms=now, kind=kind, text=str(content.get("text", ""))))
        chat.wrote_ms, chat.left = now, max(chat.left, 5)
        await self._emit(chat, "message", message=id_, content=content, **more)

    async def _emit(self, chat: Chat, kind: str, **more: Any) -> None:
        event = self._event(kind, chat=chat.id, **{"from": chat.members[0]}, **more)
        if self.channel == "cove":
            self.events.append(event)
            await self._post(json.dumps({"notify": "inbox", "id": event["id"]}).encode())
        else:
            await self._post(json.dumps({"events": [event]}, ensure_ascii=False).encode())

    def _event(self, kind: str, **more: Any) -> Json:
        return {"id": f"e{next(self._number)}-{secrets.token_hex(4)}", "kind": kind, "at": self.clock.now_ms(), **more}

    async def _post(self, body: bytes) -> None:
        await self.send_webhook(body, self.webhook(body).headers)

    # ---------------------------------------------------------------- what the suite asks for

    def webhook(self, body: bytes) -> WebhookRequest:
        time_s = str(self.clock.now_ms() // 1000)
        headers = {"X-Bay-Signature": sign(self.secret, time_s, body), "X-Bay-Time": time_s}
        return WebhookRequest(method="POST", query={}, headers=headers, body=body)

    def strange(self, customer: str) -> bytes:
        return self._body([self._event("telepathy", chat=customer, **{"from": customer})])

    def joined(self, bodies: Sequence[bytes]) -> bytes | None:
        return self._body([event for body in bodies for event in _events(json.loads(body))])

    def _body(self, events: list[Json]) -> bytes:
        page = {"page": {"events": events, "cursor": "0", "more": False}}
        return json.dumps(page if self.channel == "cove" else {"events": events}).encode()

    def challenge(self) -> tuple[WebhookRequest, bytes] | None:
        query = {"check": "nonce-1", "proof": sign(self.secret, "check", b"nonce-1")}
        return WebhookRequest(method="GET", query=query, headers={}, body=b""), b"nonce-1"

    def add_group(self, name: str, members: Sequence[str]) -> str | None:
        if self.channel == "cove":
            return None
        id_ = f"g{next(self._number)}"
        self.chats[id_] = Chat(id_, name, list(members))
        return id_

    async def tell(self, customer: str, state: DeliveryState) -> bool:
        id_, correlation = self.chats[customer].newest
        if self.channel == "bay":
            await self._post(self._body([self._event("receipt", state=state.value, external_id=id_)]))
            return True
        if state is DeliveryState.FAILED:
            return False
        mark = {"watermark_ms": self.clock.now_ms(), "thread_key": customer, "correlation": correlation}
        self.events.append(self._event("receipt", state=state.value, **mark))
        await self._post(json.dumps({"notify": "inbox", "id": self.events[-1]["id"]}).encode())
        return True

    def expire_tokens(self) -> bool:
        self.tokens.clear()
        return True

    # ---------------------------------------------------------------- the platform's own API

    async def _give_token(self, request: web.Request) -> web.Response:
        if (await request.json()).get("key") != self.app_key:
            return web.json_response({"code": "wrong_key"}, status=401)
        token = secrets.token_hex(16)
        self.tokens[token] = self.clock.now_ms() + _TOKEN_S * 1000
        return web.json_response({"token": token, "seconds": _TOKEN_S})

    def _admitted(self, handler: Any) -> Any:
        async def answer(request: web.Request) -> web.StreamResponse:
            token = request.headers.get("Authorization", "").removeprefix("Bearer ")
            if self.tokens.get(token, 0) <= self.clock.now_ms():
                return web.json_response({"code": "token_over"}, status=401)
            try:
                answered: web.StreamResponse = await handler(request)
            except Refused as refused:
                return web.json_response({"code": refused.code}, status=refused.status)
            return answered

        return answer

    async def _send(self, request: web.Request) -> web.Response:
        body = await request.json()
        if self.channel == "bay" and (ids := self.keys.get(body["key"])) is not None:
            return web.json_response({"ids": ids})
        chat = self.chats.get(body["to"])
        if chat is None:
            raise Refused(404, "nobody")
        parts = [msgspec.convert(one, Content) for one in body["parts"]]
        self._check(chat, parts, body)
        ids = [f"m{next(self._number)}" for _ in parts]
        for id_, part in zip(ids, parts, strict=True):
            chat.bubbles.append(self._bubble(id_, part, body, last=id_ == ids[-1]))
        chat.left -= len(parts)
        chat.newest = (ids[-1], body["correlation"])
        self.keys[body["key"]] = ids
        return web.json_response({"ids": ids})

    def _check(self, chat: Chat, parts: list[Any], body: Json) -> None:
        unit = TextUnit.CHARACTERS if self.channel == "cove" else TextUnit.UTF16
        kinds = {content_kind(part) for part in parts}
        if any(isinstance(part, Text) and measure(part.text, unit) > 60 for part in parts):
            raise Refused(400, "too_long")
        quick = body["quick_replies"]
        if len(quick) > 3 or any(len(one["title"]) > 10 or len(one.get("data", "")) > 20 for one in quick):
            raise Refused(400, "quick_replies")
        if self.channel == "bay" and kinds != {ContentKind.TEMPLATE}:
            if self.clock.now_ms() > chat.wrote_ms + DAY_S * 1000:
                raise Refused(403, "window_closed")
            if chat.left < len(parts):
                raise Refused(403, "budget_spent")

    def _bubble(self, id_: str, part: Any, body: Json, *, last: bool) -> Bubble:
        kind = content_kind(part).value
        cards = getattr(part, "cards", (part,) if kind == "card" else ())
        has_all = self.channel == "bay"
        quick = body["quick_replies"] if last and has_all else []
        return Bubble(
            id=id_,
            mine=False,
            at_ms=self.clock.now_ms(),
            kind=_BUBBLES.get(kind, kind),
            text=summary(part),
            name=body["name"] if has_all else "",
            quoted=body["quote"] if has_all else "",
            cards=tuple(_card(card) for card in cards),
            quick_replies=tuple(Press(label=one["title"], id=one.get("data", "")) for one in quick),
        )

    async def _signal(self, request: web.Request) -> web.Response:
        body = await request.json()
        chat = self.chats[body["thread_key"]]
        if body["kind"] == "typing":
            chat.typing = True
            return web.json_response({})
        at = next((at for at, one in enumerate(chat.bubbles) if one.id == body["external_id"]), None)
        if at is None:
            raise Refused(404, "no_message")
        if body["kind"] == "recall":
            del chat.bubbles[at]
        elif body["kind"] in {"read", "reaction"}:
            state = "read" if body["kind"] == "read" else str(body["emoji"])
            chat.bubbles[at] = msgspec.structs.replace(chat.bubbles[at], state=state)
        return web.json_response({})

    async def _templates(self, _request: web.Request) -> web.Response:
        return web.json_response({"templates": ["hello"]})

    async def _page(self, request: web.Request) -> web.Response:
        at = int(request.query.get("cursor", "0"))
        events, end = self.events[at : at + _PAGE], min(len(self.events), at + _PAGE)
        return web.json_response({"page": {"events": events, "cursor": str(end), "more": end < len(self.events)}})

    async def _person(self, request: web.Request) -> web.Response:
        chat = self.chats.get(request.match_info["id"])
        if chat is None:
            raise Refused(404, "nobody")
        return web.json_response({"name": chat.name})

    async def _file(self, request: web.Request) -> web.Response:
        if request.match_info["id"] != "cup":
            raise Refused(404, "no_file")
        return web.Response(body=picture("cup"), content_type="image/jpeg")

    async def _me(self, _request: web.Request) -> web.Response:
        return web.json_response({"name": "Bell shop"})


def _events(body: Json) -> list[Json]:
    found: list[Json] = body["page"]["events"] if "page" in body else body["events"]
    return found


def _card(card: Any) -> BubbleCard:
    buttons = tuple(Press(label=one.title, id=one.data or "") for one in card.buttons)
    return BubbleCard(title=card.title, text=card.text or "", buttons=buttons)


def _presses(bubble: Bubble) -> list[Press]:
    return [*bubble.quick_replies, *(button for card in bubble.cards for button in card.buttons)]
