"""The simulated Messaging API: every call that the connector makes, with LINE's rules and words.

Source: https://developers.line.biz/en/reference/messaging-api/ (read 2026-11-21)
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from aiohttp import web

from trunkline_line.simulator.rules import problems_of
from trunkline_line.simulator.world import AcceptedKey, Kept, World

Json = dict[str, Any]
Handler = Callable[[web.Request], Awaitable[web.Response]]

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_NOT_ADMITTED = (
    "Authentication failed due to the following reason: invalid token. "
    "Confirm that the access token in the authorization header is valid."
)
_QUOTA = "You have reached your monthly limit."
_RATE = "The API rate limit has been exceeded. Try again later."


class Refusal(Exception):
    """An answer of LINE that is no success."""

    def __init__(self, status: int, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status, self.body = status, {"message": message, **more}


class Account(Protocol):
    """What the handlers need of the simulator that they belong to."""

    world: World
    webhook_url: str | None
    active: bool
    chat_mode: str

    @property
    def url(self) -> str: ...

    def changed(self, customer: str) -> None: ...

    async def post_events(self, events: list[Json]) -> int: ...


class Platform:
    """The handlers. One object per simulator."""

    def __init__(self, simulator: Account) -> None:
        self._simulator, self._world = simulator, simulator.world
        #: Requests a second that LINE allows; None for no limit.
        self.rate: int | None = None
        self._second, self._requests = 0, 0

    def routes(self) -> list[web.RouteDef]:
        bot, chat = "/v2/bot", "/v2/bot/{kind:group|room}/{id}"
        table: list[tuple[str, str, Handler]] = [
            ("POST", f"{bot}/message/reply", self._reply),
            ("POST", f"{bot}/message/push", self._push),
            ("POST", f"{bot}/message/validate/{{kind}}", self._validate),
            ("POST", f"{bot}/chat/loading/start", self._loading),
            ("POST", f"{bot}/chat/markAsRead", self._mark_as_read),
            ("GET", f"{bot}/message/{{id}}/content", self._content),
            ("GET", f"{bot}/message/{{id}}/content/transcoding", self._transcoding),
            ("GET", f"{bot}/message/{{id}}/content/preview", self._preview),
            ("GET", f"{bot}/profile/{{user}}", self._profile),
            ("GET", f"{bot}/group/{{id}}/summary", self._summary),
            ("GET", f"{chat}/member/{{user}}", self._member),
            ("GET", f"{chat}/members/count", self._members_count),
            ("GET", f"{chat}/members/ids", self._not_for_you),
            ("GET", f"{bot}/followers/ids", self._not_for_you),
            ("GET", f"{bot}/info", self._info),
            ("GET", f"{bot}/message/quota", self._quota),
            ("GET", f"{bot}/message/quota/consumption", self._consumption),
            ("GET", f"{bot}/channel/webhook/endpoint", self._get_endpoint),
            ("PUT", f"{bot}/channel/webhook/endpoint", self._put_endpoint),
            ("POST", f"{bot}/channel/webhook/test", self._test_endpoint),
        ]
        free: list[tuple[str, str, Handler]] = [
            ("POST", "/oauth2/v3/token", self._stateless),
            ("POST", "/oauth2/v2.1/token", self._assertion),
            ("GET", "/oauth2/v2.1/verify", self._verify),
            ("POST", "/v2/oauth/verify", self._verify),
        ]
        return [web.route(method, path, self._answering(handler, bearer=True)) for method, path, handler in table] + [
            web.route(method, path, self._answering(handler, bearer=False)) for method, path, handler in free
        ]

    def _answering(self, handler: Handler, *, bearer: bool) -> Handler:
        async def answer(request: web.Request) -> web.Response:
            request_id = secrets.token_hex(16)
            try:
                if bearer:
                    self._admit(request)
                response = await handler(request)
            except Refusal as refusal:
                response = web.json_response(refusal.body, status=refusal.status)
            response.headers.setdefault("x-line-request-id", request_id)
            return response

        return answer

    def _admit(self, request: web.Request) -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not self._world.knows(token):
            raise Refusal(401, _NOT_ADMITTED)
        second = self._world.clock.now_ms() // 1000
        self._second, self._requests = second, self._requests + 1 if second == self._second else 1
        if self.rate is not None and self._requests > self.rate:
            raise Refusal(429, _RATE)

    # ---------------------------------------------------------------- sending

    async def _reply(self, request: web.Request) -> web.Response:
        if "X-Line-Retry-Key" in request.headers:
            raise Refusal(400, "The X-Line-Retry-Key header is not supported by this endpoint")
        body = await self._sendable(request)
        token = body.get("replyToken")
        kept = self._world.replies.get(token) if isinstance(token, str) else None
        self._check_quotes(body["messages"], kept.chat if kept else None)
        chat = self._world.use_reply(token)
        if chat is None:
            raise Refusal(400, "Invalid reply token")
        return self._sent(chat, body["messages"])

    async def _push(self, request: web.Request) -> web.Response:
        key = request.headers.get("X-Line-Retry-Key")
        if key is not None and not _UUID.fullmatch(key):
            raise Refusal(400, "The retry key must be a UUID")
        if key and (accepted := self._world.accepted(key)):
            answer = {"message": "The retry key is already accepted", **accepted.answer}
            return web.json_response(answer, status=409, headers={"x-line-accepted-request-id": accepted.request_id})
        body = await self._sendable(request)
        chat = str(body.get("to"))
        if chat not in self._world.chats:
            raise Refusal(400, "Failed to send messages")
        self._check_quotes(body["messages"], chat)
        price = self._world.price(chat)
        if self._world.quota is not None and self._world.used + price > self._world.quota:
            raise Refusal(429, _QUOTA)
        self._world.used += price
        response = self._sent(chat, body["messages"])
        if key:
            answer = json.loads(response.text or "{}")
            request_id = response.headers["x-line-request-id"] = secrets.token_hex(16)
            self._world.keys[key] = AcceptedKey(self._world.clock.now_ms(), request_id, answer)
        return response

    async def _validate(self, request: web.Request) -> web.Response:
        await self._sendable(request)
        return web.json_response({})

    async def _sendable(self, request: web.Request) -> Json:
        if len(await request.read()) > 2 * 1024 * 1024:
            raise Refusal(413, "Request Entity Too Large")
        body = await self._body(request)
        if problems := problems_of(body.get("messages")):
            raise Refusal(400, f"The request body has {len(problems)} error(s)", details=problems)
        return body

    async def _body(self, request: web.Request) -> Json:
        if request.content_type != "application/json":
            raise Refusal(400, f"The content type, '{request.content_type}', is not supported")
        try:
            body = json.loads(await request.read())
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise Refusal(400, "The request body could not be parsed as JSON")
        return body

    def _check_quotes(self, messages: list[Json], chat: str | None) -> None:
        for at, message in enumerate(messages):
            token = message.get("quoteToken")
            if token and chat and self._world.quoted(chat, token) is None:
                raise Refusal(400, f"The property, 'messages[{at}].quoteToken', in the request body is invalid")

    def _sent(self, chat: str, messages: list[Json]) -> web.Response:
        sent = self._world.send(chat, messages)
        self._simulator.changed(chat)
        return web.json_response({"sentMessages": sent})

    # ---------------------------------------------------------------- signals

    async def _loading(self, request: web.Request) -> web.Response:
        body = await self._body(request)
        seconds, chat = body.get("loadingSeconds", 20), self._world.chats.get(str(body.get("chatId")))
        if chat is None or chat.kind != "user":
            raise Refusal(400, "The property, 'chatId', in the request body is invalid")
        if seconds not in range(5, 61, 5):
            raise Refusal(400, "The property, 'loadingSeconds', in the request body is invalid")
        chat.typing_until_ms = self._world.clock.now_ms() + seconds * 1000
        self._simulator.changed(chat.id)
        return web.json_response({}, status=202)

    async def _mark_as_read(self, request: web.Request) -> web.Response:
        said = self._world.read_tokens.get(str((await self._body(request)).get("markAsReadToken")))
        if said is None:
            raise Refusal(400, "The property, 'markAsReadToken', in the request body is invalid")
        chat, _ = self._world.said(said.id)
        for one in chat.said[: chat.said.index(said) + 1]:
            one.read = True
        self._simulator.changed(chat.id)
        return web.json_response({})

    # ---------------------------------------------------------------- content

    def _kept(self, request: web.Request) -> Kept:
        id_ = request.match_info["id"]
        if id_ not in self._world.content:
            raise Refusal(404, "not found")
        if self._world.said(id_)[1].unsent:
            raise Refusal(410, "gone")
        return self._world.content[id_]

    async def _content(self, request: web.Request) -> web.Response:
        kept = self._kept(request)
        if kept.polls:
            return web.Response(status=202)
        return web.Response(body=kept.body, content_type=kept.mime)

    async def _transcoding(self, request: web.Request) -> web.Response:
        kept = self._kept(request)
        if kept.kind not in {"video", "audio"}:
            raise Refusal(400, "Not a video or audio message")
        if kept.polls:
            kept.polls -= 1
            return web.json_response({"status": "processing"})
        return web.json_response({"status": "failed" if kept.failed else "succeeded"})

    async def _preview(self, request: web.Request) -> web.Response:
        kept = self._kept(request)
        if kept.kind != "image":
            raise Refusal(400, "There is no preview")
        return web.Response(body=kept.body, content_type=kept.mime)

    # ---------------------------------------------------------------- people

    async def _profile(self, request: web.Request) -> web.Response:
        person = self._world.people.get(request.match_info["user"])
        if person is None or person.blocked or not (person.friend or person.wrote):
            raise Refusal(404, "Not found")
        return web.json_response({**self._person(person.id), "statusMessage": "hello", "language": person.language})

    async def _member(self, request: web.Request) -> web.Response:
        chat, user = self._world.chats.get(request.match_info["id"]), request.match_info["user"]
        if chat is None or user not in chat.members:
            raise Refusal(404, "Not found")
        return web.json_response(self._person(user))

    def _person(self, id_: str) -> Json:
        return {
            "userId": id_,
            "displayName": self._world.people[id_].name,
            "pictureUrl": f"{self._simulator.url}/_sim/pictures/cup.jpg",
        }

    async def _summary(self, request: web.Request) -> web.Response:
        chat = self._world.chats.get(request.match_info["id"])
        if chat is None:
            raise Refusal(404, "Not found")
        return web.json_response({"groupId": chat.id, "groupName": chat.name})

    async def _members_count(self, request: web.Request) -> web.Response:
        chat = self._world.chats.get(request.match_info["id"])
        if chat is None:
            raise Refusal(404, "Not found")
        return web.json_response({"count": len(chat.members)})

    async def _not_for_you(self, request: web.Request) -> web.Response:
        raise Refusal(403, "Access to this API is not available for your account")

    # ---------------------------------------------------------------- the account

    async def _info(self, request: web.Request) -> web.Response:
        switches = {"chatMode": self._simulator.chat_mode, "markAsReadMode": "manual"}
        names = {"basicId": "@000aaaaa", "displayName": "Simulated shop"}
        return web.json_response({"userId": self._world.bot, **names, **switches})

    async def _quota(self, request: web.Request) -> web.Response:
        quota = self._world.quota
        return web.json_response({"type": "none"} if quota is None else {"type": "limited", "value": quota})

    async def _consumption(self, request: web.Request) -> web.Response:
        return web.json_response({"totalUsage": self._world.used})

    async def _get_endpoint(self, request: web.Request) -> web.Response:
        if self._simulator.webhook_url is None:
            raise Refusal(404, "Not found")
        return web.json_response({"endpoint": self._simulator.webhook_url, "active": self._simulator.active})

    async def _put_endpoint(self, request: web.Request) -> web.Response:
        endpoint = str((await self._body(request)).get("endpoint", ""))
        if not endpoint.startswith(("https://", "http://127.0.0.1")) or len(endpoint) > 500:
            raise Refusal(400, "Invalid webhook endpoint URL")
        self._simulator.webhook_url = endpoint
        return web.json_response({})

    async def _test_endpoint(self, request: web.Request) -> web.Response:
        status = await self._simulator.post_events([])
        good = 200 <= status < 300
        reason = "OK" if good else "ERROR_STATUS_CODE" if status else "COULD_NOT_CONNECT"
        return web.json_response(
            {"success": good, "statusCode": status, "reason": reason, "detail": str(status or "no answer")}
        )

    # ---------------------------------------------------------------- tokens

    async def _stateless(self, request: web.Request) -> web.Response:
        form = await request.post()
        if "client_assertion" in form:
            if self._world.prove(str(form["client_assertion"])) is None:
                return _oauth_refusal("invalid_client", "Invalid client_assertion")
        elif form.get("client_id") != self._world.channel_id or not hmac.compare_digest(
            str(form.get("client_secret", "")), self._world.channel_secret
        ):
            return _oauth_refusal("invalid_client", "invalid client_id or client_secret")
        token = self._world.issue(seconds=900)
        return web.json_response({"token_type": "Bearer", "access_token": token, "expires_in": 899})

    async def _assertion(self, request: web.Request) -> web.Response:
        form = await request.post()
        claims = self._world.prove(str(form.get("client_assertion", "")))
        if claims is None:
            return _oauth_refusal("invalid_client", "Invalid client_assertion")
        seconds = min(int(claims["token_exp"]), 30 * 86_400)
        token = self._world.issue(seconds=seconds)
        answer = {
            "token_type": "Bearer",
            "access_token": token,
            "expires_in": seconds,
            "key_id": secrets.token_hex(8),
        }
        return web.json_response(answer)

    async def _verify(self, request: web.Request) -> web.Response:
        form = await request.post()
        token = request.query.get("access_token") or str(form.get("access_token", ""))
        if not self._world.knows(token):
            return _oauth_refusal("invalid_request", "access token expired")
        return web.json_response({"client_id": self._world.channel_id, "expires_in": 800, "scope": ""})


def _oauth_refusal(error: str, description: str) -> web.Response:
    return web.json_response({"error": error, "error_description": description}, status=400)
