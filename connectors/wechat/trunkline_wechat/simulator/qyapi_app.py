"""The simulated API of WeCom: what an app sends to members, and what it may ask.

Source: https://developer.work.weixin.qq.com/document/path/90236 (read 2026-11-22)
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from aiohttp import web

from trunkline_wechat.simulator.qyapi_rules import OF_AN_APP, check_upload
from trunkline_wechat.simulator.wire import Refused, answer, body_of, uploaded
from trunkline_wechat.simulator.world import DAY_MS, MINUTE_MS, Person, World

Json = dict[str, Any]
Handler = Callable[[web.Request], Awaitable[web.Response]]

#: Messages of an app to one member: the excess is dropped without a word.
_PER_MEMBER = ((30, MINUTE_MS), (1000, 60 * MINUTE_MS))

#: Bytes that one answer carries of a file.
PIECE = 20 * 1024 * 1024


class Company(Protocol):
    """What the handlers need of the company behind them."""

    simulator: Any
    world: World
    corp_id: str
    agent_id: int
    refuses_address: bool
    is_closed: bool
    without_licence: str

    def say(self, person: Person, kind: str, said: Json, msgid: str) -> None: ...


class App:
    """Handlers of the calls that both surfaces or WeCom alone have."""

    def __init__(self, surface: Company) -> None:
        self._surface, self._world = surface, surface.world
        self._sent: dict[str, tuple[int, str]] = {}
        self._tasks: set[str] = set()
        self._delivered: dict[str, list[int]] = {}

    def calls(self) -> Mapping[tuple[str, str], Handler]:
        return {
            ("POST", "/cgi-bin/media/upload"): self.upload,
            ("GET", "/cgi-bin/media/get"): self.download,
            ("POST", "/cgi-bin/message/send"): self.send,
            ("POST", "/cgi-bin/message/recall"): self.recall,
            ("GET", "/cgi-bin/user/get"): self.member,
            ("GET", "/cgi-bin/agent/get"): self.agent,
        }

    async def token(self, request: web.Request) -> web.Response:
        if self._surface.refuses_address:
            return answer(60020, "not allow to access from your ip")
        if request.query.get("corpid") != self._surface.corp_id:
            return answer(40013, "invalid corpid")
        if not hmac.compare_digest(request.query.get("corpsecret", "").encode(), self._world.secret.encode()):
            return answer(40001, "invalid credential")
        token, seconds = self._world.token()
        return answer(access_token=token, expires_in=seconds)

    # ---------------------------------------------------------------- files

    async def upload(self, request: web.Request) -> web.Response:
        content, mime, name = await uploaded(request)
        kind = request.query.get("type", "")
        check_upload(kind, content)
        media_id = self._world.keep(kind, content, mime, name)
        return answer(type=kind, media_id=media_id, created_at=str(self._world.now() // 1000))

    async def download(self, request: web.Request) -> web.Response:
        kept = self._world.file(request.query.get("media_id"))
        if kept is None:
            raise Refused(40007, "invalid media_id")
        headers = {"Content-Disposition": f'attachment; filename="{kept.name}"'}
        asked = kept.content[request.http_range]
        if len(asked) > PIECE:
            raise Refused(830002, "file size exceeds 20MB, use Range")
        if "Range" not in request.headers:
            return web.Response(body=asked, content_type=kept.mime, headers=headers)
        start = request.http_range.start or 0
        headers["Content-Range"] = f"bytes {start}-{start + len(asked) - 1}/{len(kept.content)}"
        return web.Response(status=206, body=asked, content_type=kept.mime, headers=headers)

    # ---------------------------------------------------------------- messages

    async def send(self, request: web.Request) -> web.Response:
        body = await given(request)
        if body.get("agentid") != self._surface.agent_id:
            raise Refused(301002, "no permission on this agentid")
        wanted = str(body.get("touser") or "").split("|")
        if wanted == [""]:
            raise Refused(82001, "touser, toparty and totag are empty")
        members = {id_.lower(): person for id_, person in self._world.people.items()}
        found = [members[id_.lower()] for id_ in wanted if id_.lower() in members]
        if not found:
            raise Refused(81013, "users, parties and tags all invalid")
        bad = [id_.lower() for id_ in wanted if id_.lower() not in members or _is_outside(members[id_.lower()])]
        msgid = self._repeated(body) or self._taken(body, found)
        return answer(msgid=msgid, invaliduser="|".join(bad), unlicenseduser=self._surface.without_licence.lower())

    def _taken(self, body: Json, found: list[Person]) -> str:
        kind, said = message_of(body, OF_AN_APP)
        OF_AN_APP[kind](self._world, said)
        if kind == "template_card" and said["task_id"] in self._tasks:
            raise Refused(40058, "task_id is used already")
        self._tasks.add(str(said.get("task_id")))
        msgid = f"app{self._world.number():08}"
        self._sent[_fingerprint(body)] = (self._world.now(), msgid)
        for person in found:
            if not _is_outside(person) and self._is_shown(person):
                self._surface.say(person, kind, said, msgid)
        return msgid

    def _repeated(self, body: Json) -> str | None:
        """Return the message that this one repeats, if the caller asked for that."""
        if not body.get("enable_duplicate_check"):
            return None
        at, msgid = self._sent.get(_fingerprint(body), (0, ""))
        interval = int(body.get("duplicate_check_interval", 1800)) * 1000
        return msgid if msgid and self._world.now() - at < interval else None

    def _is_shown(self, person: Person) -> bool:
        now, times = self._world.now(), self._delivered.setdefault(person.id, [])
        over = any(sum(now - at < span for at in times) >= most for most, span in _PER_MEMBER)
        if not over:
            times.append(now)
        return not over

    async def recall(self, request: web.Request) -> web.Response:
        wanted = (await given(request)).get("msgid")
        for person in self._world.people.values():
            for said in person.said:
                if said.id == wanted and not said.mine and self._world.now() - said.at_ms < DAY_MS:
                    said.recalled = True
                    self._surface.simulator.changed(person.id)
                    return answer()
        raise Refused(40035, "invalid msgid, or older than a day")

    # ---------------------------------------------------------------- who and what

    async def member(self, request: web.Request) -> web.Response:
        person = self._world.people.get(request.query.get("userid", ""))
        if person is None:
            raise Refused(60111, "userid not found")
        return answer(userid=person.id, name=person.name, department=[1])

    async def agent(self, request: web.Request) -> web.Response:
        if request.query.get("agentid") != str(self._surface.agent_id):
            raise Refused(301002, "no permission on this agentid")
        return answer(agentid=self._surface.agent_id, name="Shop", close=int(self._surface.is_closed), home_url="")


def _is_outside(person: Person) -> bool:
    """Whether a member is outside of the app's visible range: then errcode is 0, and the id in `invaliduser`."""
    return bool(person.more.get("outside"))


def _fingerprint(body: Json) -> str:
    return json.dumps([body.get("touser"), body.get(str(body.get("msgtype")))], sort_keys=True)


async def given(request: web.Request) -> Json:
    """Return the JSON of a call; escapes are refused here."""
    if b"\\u" in await request.read():
        raise Refused(40033, "invalid \\uxxxx request character")
    return await body_of(request)


def message_of(body: Json, kinds: Mapping[str, Any]) -> tuple[str, Json]:
    """Return kind and body of a message. Refused if there is none of these kinds."""
    kind = str(body.get("msgtype"))
    if kind not in kinds:
        raise Refused(40008, "invalid message type")
    said = body.get(kind)
    if not isinstance(said, dict):
        raise Refused(40058, f"missing {kind}")
    return kind, said
