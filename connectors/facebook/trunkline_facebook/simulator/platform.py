"""The simulated Graph API: every call that the connector makes, with the platform's rules and codes.

Source: https://developers.facebook.com/docs/messenger-platform/reference (read 2026-11-22)
"""

from __future__ import annotations

import hmac
import json
from collections import defaultdict
from collections.abc import Awaitable, Callable
from email import message_from_bytes
from email.policy import HTTP
from typing import Any, NamedTuple, Protocol, cast

from aiohttp import web

from trunkline_facebook.simulator.rules import Refusal, check_file, check_message
from trunkline_facebook.simulator.world import DAY_MS, Person, Said, World

Json = dict[str, Any]
Handler = Callable[[web.Request], Awaitable[Json]]

_RETIRED = {"ACCOUNT_UPDATE", "CONFIRMED_EVENT_UPDATE", "POST_PURCHASE_UPDATE"}
_UPLOAD_LIFE_MS = 90 * DAY_MS
_FIELDS = {
    "facebook": ("first_name", "last_name", "profile_pic"),
    "instagram": ("name", "username", "profile_pic"),
}


class Account(Protocol):
    """What the handlers need of the simulator that they belong to."""

    world: World
    subscribed: set[str]
    human_agent: bool
    cannot_fetch: bool
    may_take: bool

    @property
    def url(self) -> str: ...

    def changed(self, customer: str) -> None: ...

    async def was_said(self, person: Person, said: Said) -> None: ...


class Platform:
    """The handlers. One object per simulator."""

    def __init__(self, simulator: Account) -> None:
        self._simulator, self._world = simulator, simulator.world
        #: Requests a second that are allowed; None for no limit.
        self.rate: int | None = None
        self._second, self._requests = 0, 0

    def routes(self) -> list[web.RouteDef]:
        page = "/{version:v\\d+\\.\\d+}/{node}"
        table: list[tuple[str, str, Handler]] = [
            ("POST", f"{page}/messages", self._messages),
            ("POST", f"{page}/message_attachments", self._attachments),
            ("GET", f"{page}/subscribed_apps", self._subscribed),
            ("POST", f"{page}/subscribed_apps", self._subscribe),
            ("DELETE", f"{page}/subscribed_apps", self._unsubscribe),
            ("GET", f"{page}/conversations", self._conversations),
            ("POST", f"{page}/{{way:(pass|take|release|request)_thread_control}}", self._control),
            ("GET", page, self._node),
        ]
        return [web.route(method, path, self._answering(handler)) for method, path, handler in table]

    def _answering(self, handler: Handler) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answer(request: web.Request) -> web.Response:
            try:
                self._admit(request)
                return web.json_response(await handler(request))
            except Refusal as refusal:
                return web.json_response({"error": refusal.error}, status=refusal.status)

        return answer

    def _admit(self, request: web.Request) -> None:
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        token = bearer if scheme == "Bearer" else request.query.get("access_token", "")
        if not hmac.compare_digest(token.encode(), self._world.token.encode()):
            raise Refusal(190, None, "Invalid OAuth 2.0 Access Token", status=401)
        second = self._world.clock.now_ms() // 1000
        self._second, self._requests = second, self._requests + 1 if second == self._second else 1
        if self.rate is not None and self._requests > self.rate:
            raise Refusal(
                613, 2534040 if self._is_instagram else None, "(#613) Calls to this api have exceeded the limit"
            )

    @property
    def _is_instagram(self) -> bool:
        return self._world.channel == "instagram"

    def _own(self, request: web.Request) -> None:
        if request.match_info["node"] not in {"me", self._world.page_id}:
            raise Refusal(100, 33, "Unsupported request. Object does not exist or cannot be loaded")

    # ---------------------------------------------------------------- sending

    async def _messages(self, request: web.Request) -> Json:
        self._own(request)
        body = await _body(request)
        person = self._recipient(body)
        if "sender_action" in body:
            return self._acted(person, body)
        message = body.get("message")
        if not isinstance(message, dict):
            raise Refusal(100, None, "(#100) Param message is required")
        way = self._allowed(person, body)
        check_message(message, self._world.channel)
        self._check_files(message)
        quoted = self._quoted(person, body.get("reply_to"))
        said = self._world.say(person, message, app_id=self._world.app_id, way=way, reply_to=quoted)
        self._simulator.changed(person.id)
        await self._simulator.was_said(person, said)
        return {"recipient_id": person.id, "message_id": said.id}

    def _recipient(self, body: Json) -> Person:
        asked = body.get("recipient")
        person = self._world.people.get(str(asked.get("id"))) if isinstance(asked, dict) else None
        if person is None:
            raise Refusal(100, 2534014 if self._is_instagram else 2018001, "(#100) No matching user found")
        if person.blocked:
            raise Refusal(551, 1545041, "(#551) This person isn't available right now.")
        if person.holder not in {None, self._world.app_id}:
            code, subcode = (100, 2534037) if self._is_instagram else (2018300, None)
            raise Refusal(code, subcode, "(#2018300) Another app is controlling this thread now")
        return person

    def _acted(self, person: Person, body: Json) -> Json:
        action = body["sender_action"]
        if "message" in body or action not in {"typing_on", "typing_off", "mark_seen"}:
            raise Refusal(100, None, "(#100) A sender action is a request of its own")
        if action == "mark_seen":
            for said in person.said:
                said.read = said.read or said.by_customer
        else:
            person.typing_until_ms = self._world.clock.now_ms() + (20_000 if action == "typing_on" else 0)
        self._simulator.changed(person.id)
        return {"recipient_id": person.id}

    def _allowed(self, person: Person, body: Json) -> str:
        """Return what makes this message allowed. A refusal says why it is not."""
        kind, tag = body.get("messaging_type"), body.get("tag")
        if kind not in {"RESPONSE", "UPDATE", "MESSAGE_TAG"}:
            raise Refusal(100, None, "(#100) Param messaging_type is required")
        if kind == "MESSAGE_TAG":
            return self._tagged(person, tag)
        if tag is not None:
            raise Refusal(100, None, f"(#100) Param tag is only for MESSAGE_TAG, not {kind}")
        if not self._world.is_open(person):
            raise self._closed()
        return str(kind)

    def _tagged(self, person: Person, tag: Any) -> str:
        if tag != "HUMAN_AGENT":
            words = "is retired" if tag in _RETIRED else "is no tag for this message"
            raise Refusal(100, None, f"(#100) {tag} {words}")
        if not self._simulator.human_agent:
            raise Refusal(10, 2534077 if self._is_instagram else None, "(#10) The app was not granted Human Agent")
        if not self._world.is_open_for_people(person):
            raise self._closed()
        return "HUMAN_AGENT"

    def _closed(self) -> Refusal:
        subcode = 2534022 if self._is_instagram else 2018278
        return Refusal(10, subcode, "(#10) This message is sent outside of allowed window.")

    def _check_files(self, message: Json) -> None:
        for attachment in [*message.get("attachments", ()), message.get("attachment", {})]:
            payload = attachment.get("payload", {})
            if "attachment_id" in payload:
                kept = self._world.uploads.get(str(payload["attachment_id"]))
                if kept is None or self._world.clock.now_ms() - kept.at_ms >= _UPLOAD_LIFE_MS:
                    raise Refusal(100, 2018074, "(#100) Invalid Attachment ID")
                if kept.kind != attachment["type"]:
                    raise Refusal(100, 2018047, "(#100) The attachment has another type")
            elif "url" in payload and self._simulator.cannot_fetch:
                raise Refusal(100, 2018008, "(#100) Failed to fetch the file from the url.")

    def _quoted(self, person: Person, reply_to: Any) -> str | None:
        if reply_to is None:
            return None
        found = next((said for said in person.said if said.id == reply_to.get("mid")), None)
        if found is None or found.deleted:
            raise Refusal(9000001, None, "The message that is replied to was deleted")
        return found.id

    async def _attachments(self, request: web.Request) -> Json:
        self._own(request)
        if not request.content_type.startswith("multipart/"):
            raise Refusal(100, None, "(#100) This simulator takes files in forms only")
        form = await _form(request)
        attachment = json.loads(form["message"].content)["attachment"]
        if (form["platform"].content == b"instagram") != self._is_instagram:
            raise Refusal(100, None, "(#100) Param platform does not fit this account")
        file, kind = form["filedata"], attachment["type"]
        if file.name is None:
            raise Refusal(100, None, "(#100) Param filedata must be a file")
        check_file(kind, file.mime, len(file.content), self._world.channel)
        return {"attachment_id": self._world.keep(kind, file.content, file.mime, file.name)}

    # ---------------------------------------------------------------- who holds a conversation

    async def _control(self, request: web.Request) -> Json:
        self._own(request)
        body, way = await _body(request), request.match_info["way"].partition("_")[0]
        person = self._world.people.get(str((body.get("recipient") or {}).get("id")))
        if person is None:
            raise Refusal(100, 2018001, "(#100) No matching user found")
        if way == "take" and not self._simulator.may_take:
            raise Refusal(10, None, "(#10) Only the default app may take a conversation")
        held = {"take": self._world.app_id, "release": None, "pass": str(body.get("target_app_id"))}
        person.holder = held.get(way, person.holder)
        return {"success": True}

    # ---------------------------------------------------------------- the Page and its people

    async def _subscribed(self, request: web.Request) -> Json:
        self._own(request)
        fields = sorted(self._simulator.subscribed)
        app = {"id": self._world.app_id, "name": "Trunkline at the shop", "subscribed_fields": fields}
        return {"data": [app] if fields else []}

    async def _subscribe(self, request: web.Request) -> Json:
        self._own(request)
        fields = {field for field in request.query.get("subscribed_fields", "").split(",") if field}
        if not fields:
            raise Refusal(100, None, "(#100) Param subscribed_fields is required")
        self._simulator.subscribed |= fields
        return {"success": True}

    async def _unsubscribe(self, request: web.Request) -> Json:
        self._own(request)
        self._simulator.subscribed.clear()
        return {"success": True}

    async def _node(self, request: web.Request) -> Json:
        node = request.match_info["node"]
        if node in {"me", self._world.page_id}:
            return {"id": self._world.page_id, "name": "Simulated shop"}
        person = self._world.people.get(node)
        if person is None or person.blocked:
            raise Refusal(100, 33, "Unsupported get request. Object does not exist or cannot be loaded")
        if person.hidden:
            raise Refusal(100, 2018218, "(#100) No profile available for this user")
        known = self._about(person)
        asked = request.query.get("fields", "id").split(",")
        if wrong := [name for name in asked if name not in {"id", *_FIELDS[self._world.channel]}]:
            raise Refusal(100, None, f"(#100) Tried accessing nonexisting field ({wrong[0]})")
        return {"id": person.id, **{name: known[name] for name in asked if name in known}}

    def _about(self, person: Person) -> Json:
        first, _, last = person.name.partition(" ")
        names = {"first_name": first, "last_name": last, "name": person.name, "username": person.name.lower()}
        return {**names, "profile_pic": f"{self._simulator.url}/_sim/pictures/cup.jpg"}

    async def _conversations(self, request: web.Request) -> Json:
        self._own(request)
        person = self._world.people.get(request.query.get("user_id", ""))
        if person is None or not person.said:
            return {"data": []}
        people = [{"id": person.id, "name": person.name}, {"id": self._world.page_id, "name": "Simulated shop"}]
        return {"data": [{"id": f"t_{person.id}", "participants": {"data": people}}]}


class _Part(NamedTuple):
    content: bytes
    mime: str
    #: Of a file.
    name: str | None


async def _form(request: web.Request) -> defaultdict[str, _Part]:
    """Read a form whose bytes were read before, for the journal."""
    head = f"Content-Type: {request.headers['Content-Type']}\r\n\r\n".encode()
    form: defaultdict[str, _Part] = defaultdict(lambda: _Part(b"", "", None))
    for part in message_from_bytes(head + await request.read(), policy=HTTP).iter_parts():
        name, content = part.get_param("name", header="content-disposition"), part.get_payload(decode=True)
        form[str(name)] = _Part(cast("bytes", content), part.get_content_type(), part.get_filename())
    return form


async def _body(request: web.Request) -> Json:
    try:
        body = json.loads(await request.read())
    except ValueError:
        body = None
    if request.content_type != "application/json" or not isinstance(body, dict):
        raise Refusal(100, None, "(#100) The request body is no JSON object")
    return body
