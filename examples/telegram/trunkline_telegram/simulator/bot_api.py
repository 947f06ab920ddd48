"""The simulated Bot API: the methods that the connector calls, with Telegram's rules and words.

Source: https://core.telegram.org/bots/api#available-methods (read 2026-11-22)
"""

from __future__ import annotations

import hmac
import itertools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec
from aiohttp import web
from trunkline.contract import Clock
from trunkline.testing.phones import Bubble, BubbleCard, Customer, Press

Json = dict[str, Any]


@dataclass
class Person:
    """Somebody with a phone: their private chat with the bot."""

    id: str
    name: str
    blocked: bool = False
    typing_until_ms: int = 0
    sees: list[Bubble] = field(default_factory=list)
    #: Message id → the message as Telegram has it.
    messages: dict[str, Json] = field(default_factory=dict)

    def say(self, message: Json, bubble: Bubble) -> None:
        quoted = message.get("reply_to_message", {}).get("text", "")
        self.messages[bubble.id] = message
        self.sees.append(msgspec.structs.replace(bubble, quoted=quoted))

    def replace(self, id_: str, *, text: str) -> None:
        self.sees = [msgspec.structs.replace(one, text=text) if one.id == id_ else one for one in self.sees]

    def shown(self, now_ms: int) -> Customer:
        last = self.sees[-1] if self.sees else None
        words, at = (last.text or f"[{last.kind}]", last.at_ms) if last else ("", 0)
        return Customer(id=self.id, name=self.name, last=words, last_ms=at, typing=self.typing_until_ms > now_ms)


class Refusal(Exception):  # noqa: N818 - it is the platform that refuses
    """An answer that is no success."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(words)
        self.code, self.words = code, words


class Account(Protocol):
    """What the methods need of the simulator that they belong to."""

    clock: Clock
    people: dict[str, Person]
    bot_token: str
    webhook_url: str | None

    @property
    def url(self) -> str: ...

    def changed(self, customer: str) -> None: ...


class BotApi:
    """The methods. One object per simulator."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._files: dict[str, tuple[bytes, str]] = {}
        self._numbers = itertools.count(1)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/bot{token}/{method}", self._answer),
            web.get("/file/bot{token}/{file}", self._get_file),
            web.get("/_sim/files/{file}", self._show_file),
        ]

    def number(self) -> int:
        return next(self._numbers)

    def keep(self, body: bytes, mime: str, **facts: Any) -> Json:
        """Keep a file and return what a message says of it."""
        file_id = f"file-{self.number()}"
        self._files[file_id] = (body, mime)
        return {"file_id": file_id, "file_unique_id": file_id, "file_size": len(body), **facts}

    def address(self, file: Json) -> str:
        return f"{self._account.url}/_sim/files/{file['file_id']}"

    async def _answer(self, request: web.Request) -> web.Response:
        try:
            self._admit(request)
            method = _METHODS.get(request.match_info["method"])
            if method is None:
                raise Refusal(404, "Not Found")
            result = method(self, await self._fields(request))
        except Refusal as refusal:
            body = {"ok": False, "error_code": refusal.code, "description": refusal.words}
            return web.json_response(body, status=refusal.code)
        return web.json_response({"ok": True, "result": result})

    def _admit(self, request: web.Request) -> None:
        if not hmac.compare_digest(request.match_info["token"].encode(), self._account.bot_token.encode()):
            raise Refusal(401, "Unauthorized")

    async def _fields(self, request: web.Request) -> Json:
        """Return the fields of a call; an uploaded file is kept, and its field says where."""
        if request.content_type == "application/json":
            return dict(await request.json())
        fields: Json = {}
        for head, body in _parts(request.headers.get("Content-Type", ""), await request.read()):
            name, file_name, mime = (
                _found(word, head) for word in ('; name="([^"]*)', 'filename="([^"]*)', "Type: (.*)")
            )
            if not file_name:
                fields[name] = json.loads(body) if name in {"reply_markup", "reply_parameters"} else body.decode()
            elif len(body) > (10 if name == "photo" else 50) * 1_000_000:
                raise Refusal(413, "Request Entity Too Large")
            else:
                fields[name] = self.keep(body, mime.strip(), file_name=file_name)
        return fields

    async def _get_file(self, request: web.Request) -> web.Response:
        try:
            self._admit(request)
        except Refusal as refusal:
            return web.json_response({"ok": False, "error_code": refusal.code}, status=refusal.code)
        return await self._show_file(request)

    async def _show_file(self, request: web.Request) -> web.Response:
        kept = self._files.get(request.match_info["file"])
        if kept is None:
            return web.json_response({"ok": False, "error_code": 404, "description": "Not Found"}, status=404)
        return web.Response(body=kept[0], content_type=kept[1])

    # ---------------------------------------------------------------- methods

    def get_me(self, fields: Json) -> Json:
        return {"id": 123456, "is_bot": True, "first_name": "Shop", "username": "shop_bot"}

    def get_webhook_info(self, fields: Json) -> Json:
        return {"url": self._account.webhook_url or "", "pending_update_count": 0}

    def get_chat(self, fields: Json) -> Json:
        person = self._person(fields)
        return {"id": int(person.id), "type": "private", "first_name": person.name}

    def get_file(self, fields: Json) -> Json:
        if fields.get("file_id") not in self._files:
            raise Refusal(400, "Bad Request: wrong file_id or the file is temporarily unavailable")
        return {"file_id": fields["file_id"], "file_path": fields["file_id"]}

    def send_chat_action(self, fields: Json) -> bool:
        person = self._person(fields)
        person.typing_until_ms = self._account.clock.now_ms() + 5000
        self._account.changed(person.id)
        return True

    def send(self, fields: Json, kind: str, what: str) -> Json:
        """Put a message of the bot into a chat."""
        person = self._person(fields)
        if person.blocked:
            raise Refusal(403, "Forbidden: bot was blocked by the user")
        _check(fields, what)
        message = {"message_id": self.number(), "chat": {"id": int(person.id), "type": "private"}, **fields}
        message["date"] = self._account.clock.now_ms() // 1000
        answered = str(fields.get("reply_parameters", {}).get("message_id", ""))
        if answered:
            if answered not in person.messages:
                raise Refusal(400, "Bad Request: message to be replied not found")
            message["reply_to_message"] = {"text": person.messages[answered].get("text", "")}
        person.typing_until_ms = 0
        person.say(message, self._bubble(message, kind, what))
        self._account.changed(person.id)
        return message

    def _person(self, fields: Json) -> Person:
        person = self._account.people.get(str(fields.get("chat_id")))
        if person is None:
            raise Refusal(400, "Bad Request: chat not found")
        return person

    def _bubble(self, message: Json, kind: str, what: str) -> Bubble:
        file = message.get(what)
        url = self.address(file) if isinstance(file, dict) and "file_id" in file else None
        text = message.get("text") or message.get("caption") or message.get("title") or ""
        if kind == "location":
            text = text or f"{message['latitude']}, {message['longitude']}"
        presses = tuple(
            Press(label=one["text"], id=f"{message['message_id']}:{at}", url=one.get("url"))
            for at, (one,) in enumerate(message.get("reply_markup", {}).get("inline_keyboard", ()))
        )
        # A card of ours begins with a bold title.
        is_card = bool(message.get("entities"))
        return Bubble(
            id=str(message["message_id"]), mine=False, at_ms=self._account.clock.now_ms(), kind=kind, name="Shop",
            text=text or (str(file.get("file_name", "")) if isinstance(file, dict) and kind == "file" else ""),
            url=url, image=url if kind == "image" else None, quick_replies=() if is_card else presses,
            cards=(BubbleCard(text=text, buttons=presses),) if is_card else (),
        )  # fmt: skip


def _parts(content_type: str, body: bytes) -> Iterator[tuple[str, bytes]]:
    """Return the parts of a multipart form: head and content."""
    boundary = _found("boundary=(.*)", content_type).strip('"').encode()
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary)[1:-1]:
        head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        yield head.decode(), content


def _found(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    return found[1] if found else ""


def _check(fields: Json, what: str) -> None:
    if what == "text" and not str(fields.get("text", "")).strip():
        raise Refusal(400, "Bad Request: message text is empty")
    for name, most in (("text", 4096), ("caption", 1024)):
        if len(str(fields.get(name, "")).encode("utf-16-le", "surrogatepass")) // 2 > most:
            raise Refusal(400, f"Bad Request: {'message' if name == 'text' else 'message caption'} is too long")
    if len(fields.get("reply_markup", {}).get("inline_keyboard", ())) > 100:
        raise Refusal(400, "Bad Request: reply markup is too long")
    for row in fields.get("reply_markup", {}).get("inline_keyboard", ()):
        for button in row:
            if not button.get("text"):
                raise Refusal(400, "Bad Request: text buttons are unallowed in the inline keyboard")
            if "url" not in button and not 1 <= len(button.get("callback_data", "").encode()) <= 64:
                raise Refusal(400, "Bad Request: BUTTON_DATA_INVALID")


def _sending(kind: str, what: str) -> Callable[[BotApi, Json], Json]:
    return lambda bot, fields: bot.send(fields, kind, what)


_METHODS: dict[str, Callable[[BotApi, Json], Any]] = {
    "getMe": BotApi.get_me,
    "getWebhookInfo": BotApi.get_webhook_info,
    "getChat": BotApi.get_chat,
    "getFile": BotApi.get_file,
    "sendChatAction": BotApi.send_chat_action,
    "sendMessage": _sending("text", "text"),
    "sendPhoto": _sending("image", "photo"),
    "sendVideo": _sending("video", "video"),
    "sendAudio": _sending("audio", "audio"),
    "sendVoice": _sending("audio", "voice"),
    "sendDocument": _sending("file", "document"),
    "sendLocation": _sending("location", "location"),
    "sendVenue": _sending("location", "location"),
}
