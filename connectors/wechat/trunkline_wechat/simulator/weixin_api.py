"""The API of api.weixin.qq.com as far as an Official Account or a Mini Program speaks to it, with its refusals."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from aiohttp import web

from trunkline_wechat.config import OA
from trunkline_wechat.simulator.wire import Refused, answer, body_of, uploaded
from trunkline_wechat.simulator.world import Person, World

Json = dict[str, Any]

TEXT_BYTES = 2048
#: Lines of a menu: as customer service has it.
CHOICES = 10
#: What a customer of a Mini Program has said yes to beforehand: one notice.
CONSENTS = 1
#: Kind of upload → most bytes, and the beginnings (offset, bytes) that its files have.
UPLOADS: Mapping[str, tuple[int, tuple[tuple[int, bytes], ...]]] = {
    "image": (10 * 1024 * 1024, ((0, b"\xff\xd8\xff"), (0, b"\x89PNG"), (0, b"GIF8"))),
    "voice": (2 * 1024 * 1024, ((0, b"#!AMR"), (0, b"ID3"), (0, b"\xff\xfb"), (0, b"\xff\xf3"))),
    "video": (10 * 1024 * 1024, ((4, b"ftyp"),)),
    "thumb": (64 * 1024, ((0, b"\xff\xd8\xff"),)),
}
TEMPLATE = {
    "template_id": "TPL_ORDER", "title": "Order", "primary_industry": "IT", "deputy_industry": "Shop",
    "content": "{{first.DATA}}\nOrder: {{keyword1.DATA}}", "example": "Hello\nOrder: 42",
}  # fmt: skip
NOTICE = {"priTmplId": "TPL_NOTICE", "title": "Answer", "content": "Subject:{{thing1.DATA}}", "type": 2}


class PublicAccount(Protocol):
    """What the handlers need of the account behind them."""

    simulator: Any
    world: World
    channel: str
    app_id: str
    refuses_address: bool


class WeixinApi:
    """Handlers of the calls that need a token."""

    def __init__(self, surface: PublicAccount) -> None:
        self._surface, self._world = surface, surface.world
        self._is_oa = surface.channel == OA

    def calls(self) -> Mapping[tuple[str, str], Callable[[web.Request], Any]]:
        common = {
            ("POST", "/cgi-bin/message/custom/send"): self.send,
            ("POST", "/cgi-bin/media/upload"): self.upload,
            ("GET", "/cgi-bin/media/get"): self.download,
            ("GET", "/cgi-bin/getcallbackip"): self.callback_hosts,
            ("POST", "/cgi-bin/openapi/quota/get"): self.quota,
        }
        if self._is_oa:
            return common | {
                ("POST", "/cgi-bin/message/custom/typing"): self.typing,
                ("GET", "/cgi-bin/user/info"): self.user,
                ("POST", "/cgi-bin/message/template/send"): self.template,
                ("GET", "/cgi-bin/template/get_all_private_template"): self.templates,
                ("POST", "/cgi-bin/message/subscribe/bizsend"): self.notice,
                ("GET", "/wxaapi/newtmpl/gettemplate"): self.notices,
            }
        return common | {
            ("POST", "/cgi-bin/message/custom/business/send"): self.send,
            ("POST", "/cgi-bin/message/custom/business/typing"): self.typing,
            ("POST", "/cgi-bin/message/subscribe/send"): self.notice,
            ("GET", "/wxaapi/newtmpl/gettemplate"): self.notices,
        }

    # ---------------------------------------------------------------- tokens, without a token

    async def token(self, request: web.Request) -> web.Response:
        """The classic way: a second fetch ends the first token."""
        query = request.query
        return self._granted({"appid": query.get("appid"), "secret": query.get("secret")}, lambda: (True, None))

    async def stable_token(self, request: web.Request) -> web.Response:
        body = await body_of(request)
        return self._granted(body, lambda: (False, body.get("force_refresh")))

    def _granted(self, who: Json, how: Callable[[], tuple[bool, Any]]) -> web.Response:
        if self._surface.refuses_address:
            return answer(40164, "invalid ip 192.0.2.7, not in whitelist")
        if who.get("appid") != self._surface.app_id:
            return answer(40013, "invalid appid")
        if not hmac.compare_digest(str(who.get("secret")), self._world.secret):
            return answer(40125, "invalid appsecret")
        fresh, force = how()
        found = self._world.force() if force else self._world.token(fresh=fresh)
        if found is None:
            return answer(45009, "reach max api daily quota limit")
        return web.json_response({"access_token": found[0], "expires_in": found[1]})

    # ---------------------------------------------------------------- messages

    async def send(self, request: web.Request) -> web.Response:
        body = await body_of(request)
        person, kind = self._person(body), str(body.get("msgtype"))
        content = body.get(kind)
        check = (_OF_OA if self._is_oa else _OF_MINI).get(kind)
        if check is None:
            raise Refused(45162 if kind in _OF_OA else 40008, "invalid message type")
        if not isinstance(content, dict):
            raise Refused(47001, "data format error")
        check(self, content)
        self._spend(person)
        self._world.say(person, kind, content, mine=False)
        self._surface.simulator.changed(person.id)
        return answer()

    def _person(self, body: Json) -> Person:
        person = self._world.people.get(str(body.get("touser")))
        if person is None:
            raise Refused(40003, "invalid openid")
        return person

    def _open(self, person: Person) -> None:
        if not person.follows or self._world.now() >= person.open_until_ms:
            raise Refused(45015, "response out of time limit or subscription is canceled")

    def _spend(self, person: Person) -> None:
        self._open(person)
        if person.left <= 0:
            raise Refused(45047, "out of response count limit")
        person.left -= 1

    def check_text(self, content: Json) -> None:
        text = content.get("content")
        if not isinstance(text, str) or not text:
            raise Refused(44004, "empty content")
        if len(text.encode()) > TEXT_BYTES:
            raise Refused(45002, "content size out of limit")

    def check_file(self, content: Json, *, kind: str, field: str = "media_id") -> None:
        kept = self._world.file(content.get(field))
        if kept is None:
            raise Refused(40007, "invalid media_id")
        if kept.kind != kind:
            raise Refused(40004, "invalid media type")

    def check_video(self, content: Json) -> None:
        self.check_file(content, kind="video")
        self.check_file(content, kind="thumb", field="thumb_media_id")

    def check_news(self, content: Json) -> None:
        articles = content.get("articles")
        if not isinstance(articles, list) or len(articles) != 1:
            raise Refused(45008, "article size out of limit")
        self._check_link(articles[0])

    def check_link(self, content: Json) -> None:
        self._check_link(content)

    def _check_link(self, link: Any) -> None:
        if not isinstance(link, dict) or not link.get("title"):
            raise Refused(40035, "invalid parameter")

    def check_menu(self, content: Json) -> None:
        rows = content.get("list")
        if not isinstance(rows, list) or not 0 < len(rows) <= CHOICES:
            raise Refused(40035, "invalid parameter")
        if any(len(row["id"].encode()) > 64 or len(row["content"].encode()) > 128 for row in rows):
            raise Refused(40035, "invalid parameter")

    async def typing(self, request: web.Request) -> web.Response:
        """Shown for 15 s; only within half a minute after something was said."""
        body = await body_of(request)
        person, now = self._person(body), self._world.now()
        if body.get("command") not in {"Typing", "CancelTyping"}:
            raise Refused(45072, "invalid command")
        self._open(person)
        if not person.said or now - person.said[-1].at_ms > 30_000:
            raise Refused(45080, "no exchange in 30 seconds")
        if body["command"] == "Typing" and now < person.typing_until_ms:
            raise Refused(45081, "already typing")
        person.typing_until_ms = now + 15_000 if body["command"] == "Typing" else 0
        self._surface.simulator.changed(person.id)
        return answer()

    # ---------------------------------------------------------------- notices

    async def template(self, request: web.Request) -> web.Response:
        body = await body_of(request)
        person = self._person(body)
        if not person.follows:
            raise Refused(43004, "require subscribe")
        if body.get("template_id") != TEMPLATE["template_id"]:
            raise Refused(40037, "invalid template_id")
        known = person.more.setdefault("client_msg_ids", {})
        id_ = known.get(body.get("client_msg_id")) or self._world.number()
        if body.get("client_msg_id") not in known:
            known[body.get("client_msg_id")] = id_
            self._noticed(person, body, id_)
        return answer(msgid=id_)

    async def notice(self, request: web.Request) -> web.Response:
        """A subscription message: one for each consent. One of an Official Account opens an address of the web."""
        body = await body_of(request)
        person = self._person(body)
        if self._is_oa and not str(body.get("page", "https://")).startswith("http"):
            raise Refused(40035, "invalid parameter page")
        if body.get("template_id") != NOTICE["priTmplId"]:
            raise Refused(40037, "invalid template_id")
        left = person.more.get("consents", CONSENTS)
        if left <= 0:
            raise Refused(43101, "user refuse to accept the msg")
        person.more["consents"] = left - 1
        id_ = self._world.number()
        self._noticed(person, body, id_)
        return answer(msgid=id_)

    def _noticed(self, person: Person, body: Json, id_: int) -> None:
        self._world.say(person, "template", body, mine=False, id_=f"notice-{id_}")
        self._surface.simulator.changed(person.id)

    async def templates(self, request: web.Request) -> web.Response:
        return web.json_response({"template_list": [TEMPLATE]})

    async def notices(self, request: web.Request) -> web.Response:
        return answer(data=[NOTICE])

    # ---------------------------------------------------------------- files

    async def upload(self, request: web.Request) -> web.Response:
        content, mime, name = await uploaded(request)
        kind = request.query.get("type", "")
        if kind not in UPLOADS or (not self._is_oa and kind != "image"):
            raise Refused(40004, "invalid media type")
        most, beginnings = UPLOADS[kind]
        if len(content) > most:
            raise Refused(40006 if kind != "voice" else 40010, "invalid file size")
        if not any(content[at:].startswith(start) for at, start in beginnings):
            raise Refused(40005, "invalid file type")
        id_ = self._world.keep(kind, content, mime, name)
        field = "thumb_media_id" if kind == "thumb" else "media_id"
        return web.json_response({"type": kind, field: id_, "created_at": self._world.now() // 1000})

    async def download(self, request: web.Request) -> web.Response:
        kept = self._world.file(request.query.get("media_id"))
        if kept is None:
            raise Refused(40007, "invalid media_id")
        if kept.kind == "video":
            return web.json_response({"video_url": f"{self._surface.simulator.url}/files/{request.query['media_id']}"})
        headers = {"Content-Disposition": f'attachment; filename="{kept.name}"'}
        return web.Response(body=kept.content, content_type=kept.mime, headers=headers)

    # ---------------------------------------------------------------- about people and the account

    async def user(self, request: web.Request) -> web.Response:
        person = self._world.people.get(request.query.get("openid", ""))
        if person is None:
            raise Refused(40003, "invalid openid")
        if not person.follows:
            return web.json_response({"subscribe": 0, "openid": person.id})
        about = {
            "nickname": "",
            "headimgurl": "",
            "sex": 0,
            "language": "zh_CN",
            "remark": person.more.get("remark", ""),
        }
        return web.json_response({"subscribe": 1, "openid": person.id, **about})

    async def callback_hosts(self, request: web.Request) -> web.Response:
        return web.json_response({"ip_list": ["192.0.2.1", "192.0.2.2"]})

    async def quota(self, request: web.Request) -> web.Response:
        return answer(quota={"daily_limit": 500_000, "used": 100, "remain": 499_900})


_Check = Callable[[WeixinApi, Json], None]
_COMMON: dict[str, _Check] = {
    "text": WeixinApi.check_text,
    "image": lambda api, content: api.check_file(content, kind="image"),
}
_OF_OA: dict[str, _Check] = {
    **_COMMON,
    "voice": lambda api, content: api.check_file(content, kind="voice"),
    "video": WeixinApi.check_video,
    "news": WeixinApi.check_news,
    "msgmenu": WeixinApi.check_menu,
}
_OF_MINI: dict[str, _Check] = {**_COMMON, "link": WeixinApi.check_link}
