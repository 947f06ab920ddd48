"""The simulated interface: every call that the connector makes, with Weibo's rules and words.

Source: https://open.weibo.com/wiki/发送客服消息 and https://open.weibo.com/wiki/Error_code (read 2026-11-22)
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from aiohttp import web

from trunkline_weibo.simulator.world import Fan, Said, World

Json = dict[str, Any]
Handler = Callable[[web.Request], Awaitable[web.Response]]

_ARTICLE = ("display_name", "summary", "image", "url")


class Refusal(Exception):
    """An answer of Weibo that is no success."""

    def __init__(self, code: int, words: str, *, status: int = 400) -> None:
        super().__init__(words)
        self.code, self.words, self.status = code, words, status


class Account(Protocol):
    """What the handlers need of the simulator that they belong to."""

    world: World

    def changed(self, customer: str) -> None: ...


class Platform:
    """The handlers. One object per simulator."""

    def __init__(self, simulator: Account) -> None:
        self._simulator, self._world = simulator, simulator.world
        #: Whether the account has the right to look fans up in the fan service.
        self.may_look_up = True
        #: The replies accepted: (fan, type, data, form).
        self.replies: list[tuple[str, str, Json, Json]] = []

    def routes(self) -> list[web.RouteDef]:
        table: list[tuple[str, str, Handler]] = [
            ("POST", "/2/messages/reply.json", self._reply),
            ("POST", "/2/messages/reply/biz.json", self._reply),
            ("GET", "/2/eps/user/info.json", self._info),
            ("GET", "/2/users/show.json", self._show),
            ("GET", "/2/mss/msget", self._file),
            ("POST", "/oauth2/get_token_info", self._token_info),
        ]
        return [web.route(method, path, self._answering(handler)) for method, path, handler in table]

    def _answering(self, handler: Handler) -> Handler:
        async def answer(request: web.Request) -> web.Response:
            given = request.query if request.method == "GET" else await request.post()
            try:
                self._admit(str(given.get("access_token", "")))
                return await handler(request)
            except Refusal as refusal:
                body = {"request": request.path, "error_code": refusal.code, "error": refusal.words}
                return web.json_response(body, status=refusal.status)

        return answer

    def _admit(self, token: str) -> None:
        if not hmac.compare_digest(token.encode(), self._world.token.encode()):
            raise Refusal(21332, "access_token is invalid", status=401)
        if self._world.clock.now_ms() >= self._world.token_ends_ms:
            raise Refusal(21327, "expired_token", status=401)

    # ---------------------------------------------------------------- replies

    async def _reply(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        fan = self._world.fans.get(form.get("receiver_id", ""))
        if fan is None:
            raise Refusal(20003, "User does not exists!")
        kind, data = form.get("type", ""), _data(form)
        if kind not in _CHECKS:
            raise Refusal(10017, f"parameter (type)'s value invalid, expect (text,articles,position), but get ({kind})")
        said = _CHECKS[kind](self._world, data)
        if (code := self._world.spend(fan)) is not None:
            raise Refusal(code, "No permission to send direct message to this user now!")
        self._say(fan, said)
        self.replies.append((fan.id, kind, data, form))
        answer = {"result": True, "receiver_id": int(fan.id), "sender_id": int(self._world.uid), "type": kind}
        return web.json_response({**answer, "data": form["data"]})

    def _say(self, fan: Fan, said: Said) -> None:
        fan.said.append(said)
        self._simulator.changed(fan.id)

    # ---------------------------------------------------------------- looking up

    async def _info(self, request: web.Request) -> web.Response:
        if not self.may_look_up:
            raise Refusal(10014, "Insufficient app permissions!", status=403)
        fan = self._known(request)
        return web.json_response({"subscribe": int(fan.follows), "uid": fan.id, "nickname": fan.name})

    async def _show(self, request: web.Request) -> web.Response:
        if request.query.get("uid") == self._world.uid:
            return web.json_response({"id": int(self._world.uid), "screen_name": "Shop", "verified": True})
        fan = self._known(request)
        return web.json_response({"id": int(fan.id), "idstr": fan.id, "screen_name": fan.name})

    def _known(self, request: web.Request) -> Fan:
        fan = self._world.fans.get(request.query.get("uid", ""))
        if fan is None:
            raise Refusal(20003, "User does not exists!")
        return fan

    async def _file(self, request: web.Request) -> web.Response:
        """Errors are JSON, and the status says nothing of them."""
        kept = self._world.files.get(request.query.get("fid", ""))
        if kept is None:
            raise Refusal(20101, "file does not exist", status=200)
        return web.Response(body=kept.body, content_type=kept.mime)

    async def _token_info(self, request: web.Request) -> web.Response:
        left = (self._world.token_ends_ms - self._world.clock.now_ms()) // 1000
        info = {"uid": int(self._world.uid), "appkey": self._world.app_key, "scope": None, "expire_in": left}
        return web.json_response(info)


def _data(form: Json) -> Json:
    """Return the data of a reply: JSON, encoded once by the form. What was encoded twice begins with %7B."""
    try:
        data = json.loads(form.get("data", ""))
    except ValueError:
        data = None
    if not isinstance(data, dict):
        raise Refusal(10017, f"parameter (data)'s value invalid, expect (json), but get ({form.get('data', '')[:20]})")
    return data


def _check_text(world: World, data: Json) -> Said:
    text = data.get("text")
    if not isinstance(text, str) or not text:
        raise Refusal(10016, "miss required parameter (text)")
    if len(text) >= 300:
        raise Refusal(20012, "text too long, please input text less than 300 characters!")
    return _said(world, "text", text=text)


def _check_articles(world: World, data: Json) -> Said:
    articles = data.get("articles")
    if not isinstance(articles, list) or not 1 <= len(articles) <= 8:
        raise Refusal(10017, "parameter (articles)'s value invalid, expect (1~8)")
    for article in articles:
        if set(article) != set(_ARTICLE) or not all(isinstance(value, str) for value in article.values()):
            raise Refusal(10016, "miss required parameter (display_name, summary, image, url)")
    return _said(world, "cards", articles=articles)


def _check_position(world: World, data: Json) -> Said:
    try:
        longitude, latitude = float(data["longitude"]), float(data["latitude"])
    except (KeyError, TypeError, ValueError):
        raise Refusal(10017, "parameter (longitude, latitude)'s value invalid") from None
    if not (isinstance(data["longitude"], str) and abs(longitude) <= 180 and abs(latitude) <= 90):
        raise Refusal(10017, "parameter (longitude, latitude)'s value invalid")
    return _said(world, "location", text=f"{latitude}, {longitude}")


def _said(world: World, kind: str, **what: Any) -> Said:
    return Said(str(world.number()), world.clock.now_ms(), mine=False, kind=kind, **what)


_CHECKS: dict[str, Callable[[World, Json], Said]] = {
    "text": _check_text,
    "articles": _check_articles,
    "position": _check_position,
}
