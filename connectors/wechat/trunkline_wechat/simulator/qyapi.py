"""WeCom and WeChat KF: one company, its app and its desks, and what people do on their phones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from trunkline.contract import WebhookRequest
from trunkline.model import ContentKind, DeliveryState
from trunkline.testing.phones import Action, Bubble
from trunkline_wechat.config import KF
from trunkline_wechat.simulator import wire
from trunkline_wechat.simulator.qyapi_app import App
from trunkline_wechat.simulator.qyapi_bubbles import bubble_of, buttons_of
from trunkline_wechat.simulator.qyapi_desks import WINDOW_MS, Desk, Desks, Talk
from trunkline_wechat.simulator.qyapi_hands import (
    EVENTS_OF_A_MEMBER,
    OF_A_CUSTOMER,
    OF_A_MEMBER,
    WRITES_OF_A_CUSTOMER,
    WRITES_OF_A_MEMBER,
)
from trunkline_wechat.simulator.qyapi_kf import Kf
from trunkline_wechat.simulator.surface import Surface
from trunkline_wechat.simulator.world import Person, Said

if TYPE_CHECKING:
    from trunkline_wechat.simulator import Simulator

Json = dict[str, Any]

_DESKS = ("wkOMNI0001", "wkOMNI0002")
_CUSTOMER, _SYSTEM, _STAFF = 3, 4, 5


class Qyapi(Surface):
    """One company: an app of WeCom, or desks of WeChat KF."""

    def __init__(self, simulator: Simulator) -> None:
        super().__init__(simulator)
        self.is_kf = simulator.channel == KF
        self.corp_id, self.agent_id = "ww99ee88dd77cc66bb", 1000002
        self.desks = Desks(self.world, _DESKS)
        self.app, self.kf = App(self), Kf(self)
        #: Switches of the console: our address is not trusted; the app is disabled; a member without a licence.
        self.refuses_address = self.is_closed = False
        self.without_licence = ""
        #: True when a new session goes to a colleague on duty.
        self.routes_to_staff = False

    # ---------------------------------------------------------------- the account

    @property
    def writes(self) -> Mapping[ContentKind, Action]:
        return WRITES_OF_A_CUSTOMER if self.is_kf else WRITES_OF_A_MEMBER

    def settings(self) -> Json:
        own = {"open_kfid": list(self.desks.all)} if self.is_kf else {"agent_id": self.agent_id}
        keys = {"corp_secret": self.world.secret, "encoding_aes_key": self.world.aes_key}
        return {"corp_id": self.corp_id, **keys, **own}

    def calls(self) -> Mapping[tuple[str, str], Any]:
        return {**self.app.calls(), **self.kf.calls()}

    def open_calls(self) -> Iterable[web.RouteDef]:
        return [web.get("/cgi-bin/gettoken", self.app.token)]

    def webhook(self, body: bytes) -> WebhookRequest:
        outer = {"ToUserName": self.corp_id, "AgentID": "" if self.is_kf else str(self.agent_id)}
        sealed = wire.sealed(self.world, body, self.corp_id, outer=outer)
        query = {name: sealed.query[name] for name in ("msg_signature", "timestamp", "nonce")}
        return msgspec.structs.replace(sealed, query=query)

    def challenge(self) -> tuple[WebhookRequest, bytes]:
        echo = str(self.world.number() + 5550001112223334444)
        return wire.challenge(self.world, echo, receive_id=self.corp_id), echo.encode()

    # ---------------------------------------------------------------- people

    async def act(self, person: Person, action: Action) -> None:
        if action.kind == "press":
            await self.press(person, action.press)
        elif self.is_kf:
            await self._act_at_desk(person, action)
        elif action.kind in EVENTS_OF_A_MEMBER:
            await self.packet(person, MsgType="event", **EVENTS_OF_A_MEMBER[action.kind](action))
        elif action.kind in OF_A_MEMBER:
            kind, body = OF_A_MEMBER[action.kind](self.world, action)
            await self.write_to_app(person, kind, body)
        else:
            raise ValueError(f"Members cannot {action.kind} here.")

    async def press(self, person: Person, press: str) -> None:
        """Press a line of a menu, or a button of a card ("message id:place")."""
        said_id, _, place = press.rpartition(":")
        said = self.world.find(said_id)
        rows = buttons_of(said)
        if not place.isdecimal() or int(place) >= len(rows):
            raise ValueError("There is no such button.")
        row = rows[int(place)]
        if row.get("url") or row.get("type") == "view":
            raise ValueError("This button opens a page.")
        if self.is_kf:
            click = row["click"]
            await self.write(person, "text", {"content": click["content"], **_menu_id(click)})
            return
        card = {"TaskId": said.message["task_id"], "CardType": said.message["card_type"]}
        card["ResponseCode"] = f"R{self.world.number()}"
        await self.packet(person, MsgType="event", Event="template_card_event", EventKey=row["key"], **card)

    def bubble(self, said: Said) -> Bubble:
        return bubble_of(said, f"{self.simulator.url}/files/")

    def say(self, person: Person, kind: str, said: Json, msgid: str) -> None:
        """Show a message of ours to somebody."""
        self.world.say(person, kind, said, mine=False, id_=msgid)
        self.simulator.changed(person.id)

    # ---------------------------------------------------------------- the app

    async def write_to_app(self, person: Person, kind: str, body: Json) -> None:
        number = self.world.number() + 7 * 10**18
        self.world.say(person, kind, body, mine=True, id_=str(number))
        await self.packet(person, MsgType=kind, **body, MsgId=number)

    async def packet(self, person: Person, **fields: Any) -> None:
        """Send one packet of a member to the app."""
        await self.simulator.send_webhook(wire.xml_of(self._packet(person.id, **fields)))

    def _packet(self, sender: str, **fields: Any) -> Json:
        head = {"ToUserName": self.corp_id, "FromUserName": sender, "CreateTime": self.world.now() // 1000}
        return {**head, **fields, "AgentID": self.agent_id}

    def strange(self, person: Person) -> bytes:
        if not self.is_kf:
            return wire.xml_of(self._packet(person.id, MsgType="hologram", MsgId=7))
        desk, talk = self.place(person)
        item = {"msgtype": "hologram", "hologram": {"depth": 3}}
        return _page([_full(desk, talk, item, self.world.now(), f"k{self.world.number():06}")])

    # ---------------------------------------------------------------- a desk: the customer

    def place(self, person: Person, desk: str | None = None) -> tuple[Desk, Talk]:
        """Return where a customer talks: at the desk that is named, else where they were last."""
        found = self.desks.desk(desk or person.more.get("desk") or _DESKS[0])
        person.more["desk"] = found.id
        return found, found.talks.setdefault(person.id, Talk(person))

    async def _act_at_desk(self, person: Person, action: Action) -> None:
        if action.kind == "enter":
            await self.enter(person)
        elif action.kind == "recall":
            await self.recall(person, action.bubble)
        elif action.kind in OF_A_CUSTOMER:
            await self.write(person, *OF_A_CUSTOMER[action.kind](self.world, action))
        else:
            raise ValueError(f"Customers cannot {action.kind} here.")

    async def write(self, person: Person, kind: str, body: Json, *, desk: str | None = None) -> Json:
        """Send any message to a desk, also one of a kind that nobody knows yet; who is not in the chat enters first."""
        at, talk = self.place(person, desk)
        if self.world.now() - max(talk.entered_ms, talk.last_ms) >= WINDOW_MS or not talk.entered_ms:
            self._enters(at, talk)
        begins = talk.is_over(self.world.now())
        self.kf.heard(talk)
        if begins and self.routes_to_staff:
            talk.servicer = next((who for who, status in at.staff.items() if status == 0), "")
            talk.state = 3 if talk.servicer else talk.state
        item = self.desks.tell(at, person, {"msgtype": kind, kind: body}, origin=_CUSTOMER)
        self.world.say(person, kind, {**body, "open_kfid": at.id}, mine=True, id_=item["msgid"])
        await self.notify(at)
        return item

    async def enter(self, person: Person, *, desk: str | None = None, **more: Any) -> None:
        at, talk = self.place(person, desk)
        self._enters(at, talk, **more)
        await self.notify(at)

    def _enters(self, desk: Desk, talk: Talk, **more: Any) -> None:
        """A welcome code comes with the first visit in 48 hours."""
        now = self.world.now()
        is_new = all(not at or now - at >= WINDOW_MS for at in (talk.entered_ms, talk.last_ms))
        code = {"welcome_code": self.desks.welcome(desk, talk)} if is_new else {}
        talk.entered_ms = now
        event = {"event_type": "enter_session", "scene": "123", "scene_param": "from_page", **code, **more}
        self.desks.tell(desk, talk.person, {"msgtype": "event", "event": event}, origin=_SYSTEM)

    async def recall(self, person: Person, said_id: str) -> None:
        said = self.world.find(said_id)
        if not said.mine:
            raise ValueError("One takes back one's own messages only.")
        said.recalled = True
        await self.happens(person, "user_recall_msg", recall_msgid=said.id)

    # ---------------------------------------------------------------- a desk: staff and the platform

    async def happens(self, person: Person, event: str, *, desk: str | None = None, **own: Any) -> None:
        """Put any event into a desk's history and say that there is news."""
        at, _ = self.place(person, desk)
        self.desks.tell(at, person, {"msgtype": "event", "event": {"event_type": event, **own}}, origin=_SYSTEM)
        await self.notify(at)

    async def staff_says(self, person: Person, who: str, text: str) -> None:
        """Let a colleague write in WeCom: the session is theirs from then on."""
        desk, talk = self.place(person)
        talk.state, talk.servicer = 3, who
        item = {"msgtype": "text", "text": {"content": text}, "servicer_userid": who}
        told = self.desks.tell(desk, person, item, origin=_STAFF)
        self.world.say(person, "text", {"content": text, "servicer": who}, mine=False, id_=told["msgid"])
        await self.notify(desk)

    async def staff_takes(self, person: Person, who: str) -> None:
        _, talk = self.place(person)
        talk.state, talk.servicer = 3, who
        await self.happens(person, "session_status_change", change_type=1, new_servicer_userid=who, msg_code="C")

    async def ends(self, person: Person) -> None:
        """Let a colleague end the session."""
        _, talk = self.place(person)
        who, talk.state, talk.servicer = talk.servicer, 4, ""
        await self.happens(person, "session_status_change", change_type=3, old_servicer_userid=who, msg_code="C")

    async def fail_late(self, person: Person, fail_type: int) -> None:
        """Let our newest message to a customer fail after its yes."""
        said = next(one for one in reversed(person.said) if not one.mine)
        person.said.remove(said)
        desk = said.message["open_kfid"]
        await self.happens(person, "msg_send_fail", desk=desk, fail_msgid=said.id, fail_type=fail_type)
        self.simulator.changed(person.id)

    async def tell(self, person: Person, state: DeliveryState) -> bool:
        if not self.is_kf or state is not DeliveryState.FAILED:
            return False
        await self.fail_late(person, 10)
        return True

    async def notify(self, desk: Desk) -> None:
        """Say that a desk has news, and nothing of what."""
        head = {"ToUserName": self.corp_id, "CreateTime": self.world.now() // 1000, "MsgType": "event"}
        news = {"Event": "kf_msg_or_event", "Token": self.desks.token(desk), "OpenKfId": desk.id}
        await self.simulator.send_webhook(wire.xml_of({**head, **news}))

    def joined(self, bodies: Sequence[bytes]) -> bytes | None:
        """Pages hold many items, packets one."""
        if not self.is_kf:
            return None
        return _page([item for body in bodies for item in msgspec.json.decode(body)["msg_list"]])


def _menu_id(click: Json) -> Json:
    return {"menu_id": click["id"]} if click.get("id") else {}


def _page(items: list[Json]) -> bytes:
    answer = {"errcode": 0, "errmsg": "ok", "next_cursor": "c_0", "has_more": 0, "msg_list": items}
    return wire.json_of(answer)


def _full(desk: Desk, talk: Talk, item: Json, now: int, msgid: str) -> Json:
    place = {"open_kfid": desk.id, "external_userid": talk.person.id}
    return {"msgid": msgid, **place, "send_time": now // 1000, "origin": _CUSTOMER, **item}
