"""The API of the simulated WhatsApp: its paths, its refusals, what it does with what it takes."""

from __future__ import annotations

import hmac
import json
import re
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from aiohttp import web

from trunkline_whatsapp.simulator.rules import UPLOADS, Refusal, problem_of, template_problem
from trunkline_whatsapp.simulator.world import DAY_MS, MINUTE_MS, Chat, Kept, Said

if TYPE_CHECKING:
    from trunkline_whatsapp.simulator import Simulator

Json = dict[str, Any]
Handler = Callable[[web.Request], Awaitable[web.Response]]

#: Kinds whose content is a file.
_FILES = ("image", "video", "audio", "document", "sticker")


class Platform:
    """What is behind graph.facebook.com, and the host that keeps files."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator, self._world = simulator, simulator.world
        #: Messages a second of the number, and within six seconds to one person; None for no limit. WhatsApp's own
        #: are 80 and 45.
        self.rate: int | None = None
        self.pair_rate: int | None = None
        #: WhatsApp tells that the window is over or that somebody is unknown at once, or after its yes by a status.
        self.tells_later = False
        #: Codes with which the next messages fail, after the yes.
        self.late_failures: deque[int] = deque()
        self._sent_ms: dict[str, deque[int]] = {}
        #: For the sends whose answers are lost: what the platform took all the same.
        self.taken = 0

    def routes(self) -> list[web.RouteDef]:
        number, waba = f"/{{version}}/{self._world.phone_number_id}", f"/{{version}}/{self._world.waba_id}"
        table: list[tuple[str, str, Handler]] = [
            ("POST", f"{number}/messages", self._messages),
            ("POST", f"{number}/media", self._upload),
            ("GET", number, self._number),
            ("GET", f"{waba}/subscribed_apps", self._apps),
            ("POST", f"{waba}/subscribed_apps", self._subscribe),
            ("DELETE", f"{waba}/subscribed_apps", self._unsubscribe),
            ("GET", f"{waba}/message_templates", self._templates),
            ("GET", "/{version}/{media}", self._look_up),
            ("DELETE", "/{version}/{media}", self._remove),
            ("GET", "/lookaside/{media}", self._download),
        ]
        return [web.route(method, path, self._answering(handler)) for method, path, handler in table]

    def _answering(self, handler: Handler) -> Handler:
        async def answer(request: web.Request) -> web.Response:
            try:
                self._admit(request)
                return await handler(request)
            except Refusal as refusal:
                return web.json_response(refusal.body, status=refusal.status)

        return answer

    def _admit(self, request: web.Request) -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not any(hmac.compare_digest(token, known) for known in self._world.tokens):
            raise Refusal(190, "Error validating access token: the session is invalid.", status=401)

    # ---------------------------------------------------------------- messages

    async def _messages(self, request: web.Request) -> web.Response:
        body = await _json(request)
        if body.get("status") == "read":
            return self._read(body)
        if problem := problem_of(body):
            raise Refusal(*problem)
        chat = self._world.found(body)
        self._limit(chat)
        self._check(body, chat)
        said = self._take(body, chat)
        return web.json_response(self._answer(body, chat, said))

    def _check(self, body: Json, chat: Chat | None) -> None:
        """Refuse what can be told at once: what it refers to is not there."""
        if body.get("to", "").removeprefix("+") == self._world.display:
            raise Refusal(131021, "Recipient cannot be sender")
        quoted = body.get("context", {}).get("message_id")
        if quoted is not None and self._world.said(quoted) is None:
            raise Refusal(131009, "The message of the context does not exist")
        for holder in (body.get(kind, {}) for kind in _FILES):
            if "id" in holder and self._world.file(str(holder["id"])) is None:
                raise Refusal(131053, "The media id does not exist or expired")
        if body["type"] == "template":
            self._check_template(body)
        if body["type"] == "reaction":
            self._check_reaction(body["reaction"])
        if not self.tells_later and (unreachable := self._unreachable(body, chat)):
            raise Refusal(*unreachable)

    def _check_template(self, body: Json) -> None:
        sent = body["template"]
        template = self._world.template(sent["name"], sent["language"]["code"])
        if template is None:
            raise Refusal(132001, f"template name ({sent['name']}) does not exist in {sent['language']['code']}")
        if problem := template_problem(template, sent):
            raise Refusal(*problem)

    def _check_reaction(self, reaction: Json) -> None:
        found = self._world.said(reaction["message_id"])
        if found is None or self._world.clock.now_ms() - found[1].at_ms > 30 * DAY_MS:
            raise Refusal(131009, "The message is gone or older than 30 days")

    def _limit(self, chat: Chat | None) -> None:
        limits = [(self.rate, "", 1000, 130429)] + ([(self.pair_rate, chat.id, 6000, 131056)] if chat else [])
        now = self._world.clock.now_ms()
        for limit, key, span_ms, code in limits:
            sent = self._sent_ms.setdefault(key, deque())
            while sent and now - sent[0] >= span_ms:
                sent.popleft()
            if limit is not None and len(sent) >= limit:
                raise Refusal(code, "Too many messages were sent in a short time")
            sent.append(now)

    def _take(self, body: Json, chat: Chat | None) -> Said:
        """Take a message; whether it arrives is told by statuses."""
        world, kind = self._world, body["type"]
        self.taken += 1
        message = {"type": kind, kind: body[kind], **({"context": body["context"]} if "context" in body else {})}
        correlation = body.get("biz_opaque_callback_data")
        said = Said(world.message_id(), world.clock.now_ms(), None, message, correlation=correlation)
        failure = self._failure(body, chat)
        if chat is not None and failure is None and kind == "reaction":
            found = world.said(body["reaction"]["message_id"])
            if found is not None:
                found[1].reaction = body["reaction"]["emoji"]
        elif chat is not None and failure is None:
            chat.said.append(said)
            chat.typing_until_ms = 0
        if chat is not None:
            self._simulator.changed(chat.id)
        to = chat or Chat(id=str(body.get("to") or body.get("recipient")).removeprefix("+"), name="", members=[])
        self._simulator.report(to, said, failure)
        return said

    def _failure(self, body: Json, chat: Chat | None) -> tuple[int, str] | None:
        """Return why a message that was accepted does not arrive."""
        if self.late_failures:
            return self.late_failures.popleft(), "It failed, as it was told to"
        if unreachable := self._unreachable(body, chat):
            return unreachable
        assert chat is not None  # noqa: S101 - who is unknown cannot be reached
        stopped = any(self._world.people[one].stopped_marketing for one in chat.members)
        template = self._world.template(body.get("template", {}).get("name"), _language(body))
        if template and template["category"] == "MARKETING" and stopped:
            return 131050, "The user has stopped marketing messages"
        return None

    def _unreachable(self, body: Json, chat: Chat | None) -> tuple[int, str] | None:
        if chat is None:
            return (131041, "Group unknown") if body.get("recipient_type") == "group" else (131026, "Undeliverable")
        if body["type"] != "template" and chat.open_until_ms <= self._world.clock.now_ms():
            return 131047, "More than 24 hours have passed since the customer last replied to this number"
        return None

    def _answer(self, body: Json, chat: Chat | None, said: Said) -> Json:
        contact: Json = {"input": body.get("to") or body.get("recipient")}
        if chat is not None and not chat.is_group:
            phone, user_id = self._world.ids(chat)
            contact |= {"wa_id": phone} if body.get("to") else {"user_id": user_id}
        elif not contact["input"] or chat is None:
            contact["wa_id"] = str(contact["input"]).removeprefix("+")
        status = {"message_status": "accepted"} if body["type"] == "template" else {}
        messages = [{"id": said.id, **status}]
        return {"messaging_product": "whatsapp", "contacts": [contact], "messages": messages}

    def _read(self, body: Json) -> web.Response:
        """Mark a message and all before it as read, and show that somebody types."""
        found = self._world.said(body.get("message_id"))
        if found is None or found[1].author is None or self._world.clock.now_ms() - found[1].at_ms > 30 * DAY_MS:
            raise Refusal(131009, "The message to mark as read does not exist")
        chat, said = found
        for one in chat.said[: chat.said.index(said) + 1]:
            one.read = one.author is not None
        if body.get("typing_indicator") == {"type": "text"}:
            chat.typing_until_ms = self._world.clock.now_ms() + 25_000
        self._simulator.changed(chat.id)
        return web.json_response({"success": True})

    # ---------------------------------------------------------------- files

    async def _upload(self, request: web.Request) -> web.Response:
        form = form_of(request.headers.get("Content-Type", ""), await request.read())
        head, body = form.get("file", ("", b""))
        if form.get("messaging_product", ("", b""))[1] != b"whatsapp" or not head:
            raise Refusal(100, "messaging_product and file are required")
        mime, name = _found(r"content-type: *([^;\r\n]+)", head) or "", _found(r'filename="([^"]*)"', head)
        fits = [most for pattern, most in UPLOADS.values() if _matches(pattern, mime)]
        if not fits or len(body) > max(fits):
            raise Refusal(131053, f"A file of type {mime} with {len(body)} bytes is not supported")
        return web.json_response({"id": self._world.keep(body, mime, name, days=30)})

    def _kept(self, request: web.Request) -> Kept:
        kept = self._world.file(request.match_info["media"])
        if kept is None or request.query.get("phone_number_id") not in {None, self._world.phone_number_id}:
            raise Refusal(100, "Object with this id does not exist or cannot be loaded")
        return kept

    async def _look_up(self, request: web.Request) -> web.Response:
        kept, id_ = self._kept(request), request.match_info["media"]
        ends = self._world.clock.now_ms() + 5 * MINUTE_MS
        url = f"{self._simulator.url}/lookaside/{id_}?ext={ends}"
        about = {"url": url, "mime_type": kept.mime, "sha256": self._simulator.digest(kept.body).hex()}
        return web.json_response(
            {**about, "file_size": len(kept.body), "id": id_, "messaging_product": "whatsapp"},
        )

    async def _download(self, request: web.Request) -> web.Response:
        kept = self._kept(request)
        if int(request.query.get("ext", 0)) <= self._world.clock.now_ms():
            return web.Response(status=404, text="The address is over")
        return web.Response(body=kept.body, headers={"Content-Type": kept.mime})

    async def _remove(self, request: web.Request) -> web.Response:
        self._kept(request)
        del self._world.media[request.match_info["media"]]
        return web.json_response({"success": True})

    # ---------------------------------------------------------------- the account

    async def _number(self, request: web.Request) -> web.Response:
        wanted = {*request.query.get("fields", "").split(","), "id"}
        hooks = {"webhook_configuration": {"application": self._simulator.webhook_url}}
        number = {**self._world.number, **(hooks if self._simulator.webhook_url else {})}
        return web.json_response({name: value for name, value in number.items() if name in wanted})

    async def _apps(self, request: web.Request) -> web.Response:
        return web.json_response({"data": self._world.apps})

    async def _subscribe(self, request: web.Request) -> web.Response:
        """Subscribe the app, to another address if one is given that passes the handshake."""
        body = await _json(request) if await request.read() else {}
        if "override_callback_uri" in body:
            url, words = str(body["override_callback_uri"]), str(body.get("verify_token", ""))
            if len(url) > 200 or not await self._simulator.shake_hands(url, words):
                raise Refusal(100, "The callback URL could not be validated")
            self._simulator.webhook_url = url
        self._world.apps = [{"whatsapp_business_api_data": {"id": "6001", "name": "Trunkline"}}]
        return web.json_response({"success": True})

    async def _unsubscribe(self, request: web.Request) -> web.Response:
        self._world.apps = []
        return web.json_response({"success": True})

    async def _templates(self, request: web.Request) -> web.Response:
        """List templates, two at a time, so that a reader has to turn pages."""
        start = int(request.query.get("after") or 0)
        page, end = self._world.templates[start : start + 2], start + 2
        paging: Json = {"cursors": {"before": str(start), "after": str(end)}}
        if end < len(self._world.templates):
            paging["next"] = f"{self._simulator.url}{request.path}?after={end}"
        return web.json_response({"data": page, "paging": paging})


def form_of(content_type: str, body: bytes) -> dict[str, tuple[str, bytes]]:
    """Return the fields of a multipart form as (headers, bytes)."""
    boundary = _found(r'boundary="?([^";]+)', content_type) or "none"
    form = {}
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary.encode())[1:-1]:
        head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        words = head.decode("utf-8", "replace")
        form[_found(r'[; ]name="([^"]*)"', words) or ""] = (words, content)
    return form


def _found(pattern: str, text: str) -> str | None:
    found = re.search(pattern, text, re.IGNORECASE)
    return found[1] if found else None


def _language(body: Json) -> Any:
    return body.get("template", {}).get("language", {}).get("code")


def _matches(pattern: str, mime: str) -> bool:
    return re.fullmatch(pattern, mime) is not None


async def _json(request: web.Request) -> Json:
    try:
        body = json.loads(await request.read())
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Refusal(100, "The body is no JSON object")
    return body
