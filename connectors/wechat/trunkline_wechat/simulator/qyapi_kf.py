"""The simulated API of WeChat KF: pulling, sending from a desk, sessions, customers.

Sources: https://developer.work.weixin.qq.com/document/path/94670, …/94677, …/94669 (read 2026-11-22)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from aiohttp import web

from trunkline_wechat.simulator.qyapi_app import Company, given, message_of
from trunkline_wechat.simulator.qyapi_desks import BUDGET, WINDOW_MS, Desk, Desks, Talk
from trunkline_wechat.simulator.qyapi_rules import OF_A_DESK
from trunkline_wechat.simulator.wire import Refused, answer
from trunkline_wechat.simulator.world import MINUTE_MS

Json = dict[str, Any]
Handler = Callable[[web.Request], Awaitable[web.Response]]

#: `service_state` → where it may be changed to.
_TRANSITIONS = {0: {1, 2, 3, 4}, 1: {2, 3, 4}, 2: {3, 4}, 3: {3, 4}, 4: set[int]()}
_MAY_SEND = {0, 1}
_PAGE = 1000
#: Pulls of one desk without a callback's token that WeChat lets pass in a minute.
_UNASKED = 60


class Service(Company, Protocol):
    """A company that has desks."""

    desks: Desks


class Kf:
    """Handlers of the calls about desks."""

    def __init__(self, surface: Service) -> None:
        self._surface, self._world, self._desks = surface, surface.world, surface.desks
        #: Items of a page, and how many of the next pages are empty though there is more.
        self.page_size, self.empty_pages = _PAGE, 0

    def calls(self) -> Mapping[tuple[str, str], Handler]:
        return {
            ("POST", "/cgi-bin/kf/sync_msg"): self.sync,
            ("POST", "/cgi-bin/kf/send_msg"): self.send,
            ("POST", "/cgi-bin/kf/send_msg_on_event"): self.answer_event,
            ("POST", "/cgi-bin/kf/service_state/get"): self.state,
            ("POST", "/cgi-bin/kf/service_state/trans"): self.change_state,
            ("POST", "/cgi-bin/kf/customer/batchget"): self.customers,
            ("POST", "/cgi-bin/kf/account/list"): self.accounts,
            ("GET", "/cgi-bin/kf/servicer/list"): self.servicers,
        }

    # ---------------------------------------------------------------- what comes

    async def sync(self, request: web.Request) -> web.Response:
        body = await given(request)
        desk = self._desks.desk(body.get("open_kfid"))
        self._check_pull(desk, body.get("token"))
        cursor = str(body.get("cursor") or "")
        start = int(cursor.split("_")[1]) if cursor.startswith("c_") else self._desks.oldest(desk)
        if self.empty_pages:
            self.empty_pages -= 1
            return answer(next_cursor=f"c_{start}_{self._world.number()}", has_more=1, msg_list=[])
        end = min(start + min(int(body.get("limit", _PAGE)), self.page_size), len(desk.items))
        page = [item for _, item in desk.items[start:end]]
        return answer(next_cursor=f"c_{end}", has_more=int(end < len(desk.items)), msg_list=page)

    def _check_pull(self, desk: Desk, token: Any) -> None:
        now = self._world.now()
        if token:
            if desk.tokens.get(str(token), 0) <= now:
                raise Refused(95007, "invalid msgtoken")
            return
        desk.unasked = [at for at in desk.unasked if now - at < MINUTE_MS]
        if len(desk.unasked) >= _UNASKED:
            raise Refused(45009, "api freq out of limit")
        desk.unasked.append(now)

    # ---------------------------------------------------------------- what goes

    async def send(self, request: web.Request) -> web.Response:
        body = await given(request)
        desk, talk = self._desks.talk(body, "touser")
        msgid = self._free_id(desk, body)
        if talk.state not in _MAY_SEND:
            raise Refused(95018, "send msg session status invalid")
        if self._world.now() - talk.last_ms >= WINDOW_MS:
            raise Refused(95002, "send msg time limit")
        if talk.left <= 0:
            raise Refused(95001, "send msg count limit")
        kind, said = message_of(body, OF_A_DESK)
        OF_A_DESK[kind](self._world, said)
        talk.left -= 1
        return self._said(desk, talk, kind, said, msgid)

    async def answer_event(self, request: web.Request) -> web.Response:
        body = await given(request)
        code = self._desks.codes.get(str(body.get("code")))
        if code is None:
            raise Refused(40035, "invalid code")
        msgid = self._free_id(code.desk, body)
        if code.used or self._world.now() >= code.ends_ms:
            raise Refused(40035, "the code is used or over")
        kind, said = message_of(body, {name: OF_A_DESK[name] for name in ("text", "msgmenu")})
        OF_A_DESK[kind](self._world, said)
        code.used = True
        return self._said(code.desk, code.talk, kind, said, msgid)

    def _free_id(self, desk: Desk, body: Json) -> str:
        """Return the caller's id, or one of ours; one that was used tells that its message is here."""
        msgid = str(body.get("msgid") or f"own{self._world.number():08}")
        if len(msgid) > 32 or not all(one.isascii() and (one.isalnum() or one in "_-") for one in msgid):
            raise Refused(40058, "invalid msgid")
        if msgid in desk.ids:
            raise Refused(40058, "msgid is used already")
        return msgid

    def _said(self, desk: Desk, talk: Talk, kind: str, said: Json, msgid: str) -> web.Response:
        desk.ids.add(msgid)
        self._surface.say(talk.person, kind, {**said, "open_kfid": desk.id}, msgid)
        return answer(msgid=msgid)

    # ---------------------------------------------------------------- sessions

    async def state(self, request: web.Request) -> web.Response:
        _, talk = self._desks.talk(await given(request))
        return answer(service_state=talk.state, servicer_userid=talk.servicer)

    async def change_state(self, request: web.Request) -> web.Response:
        body = await given(request)
        desk, talk = self._desks.talk(body)
        wanted, who = body.get("service_state"), str(body.get("servicer_userid") or "")
        if talk.state == 4:
            raise Refused(95013, "conversation is ended")
        if wanted not in _TRANSITIONS[talk.state]:
            raise Refused(95016, "not allow to change to this state")
        if wanted == 3 and desk.staff.get(who) != 0:
            raise Refused(95019, "servicer is not on duty")
        talk.state, talk.servicer = int(wanted), who if wanted == 3 else ""
        return answer()

    def heard(self, talk: Talk) -> None:
        """Let a customer's message begin a session or carry it on: five more answers, for 48 hours."""
        if talk.is_over(self._world.now()):
            talk.state, talk.servicer = 0, ""
        talk.last_ms, talk.left = self._world.now(), BUDGET

    # ---------------------------------------------------------------- people and desks

    async def customers(self, request: web.Request) -> web.Response:
        wanted = (await given(request)).get("external_userid_list") or []
        known, people = [], []
        for id_ in wanted:
            if id_ in self._world.people:
                known.append(id_)
                people.append({"external_userid": id_, "nickname": self._world.people[id_].name, "gender": 0})
        return answer(customer_list=people, invalid_external_userid=[id_ for id_ in wanted if id_ not in known])

    async def accounts(self, request: web.Request) -> web.Response:
        body = await given(request)
        desks, start = list(self._desks.all.values()), int(body.get("offset", 0))
        page = desks[start : start + int(body.get("limit", 100))]
        return answer(account_list=[{"open_kfid": desk.id, "name": desk.name, "avatar": ""} for desk in page])

    async def servicers(self, request: web.Request) -> web.Response:
        desk = self._desks.desk(request.query.get("open_kfid"))
        return answer(servicer_list=[{"userid": id_, "status": status} for id_, status in desk.staff.items()])
