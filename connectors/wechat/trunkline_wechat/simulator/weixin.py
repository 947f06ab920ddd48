"""Official Account and Mini Program: what their customers do, and the packets that follow from it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from aiohttp import web

from trunkline.contract import WebhookRequest
from trunkline.model import ContentKind, DeliveryState
from trunkline.testing.phones import Action, Bubble
from trunkline.testing.pictures import picture
from trunkline_wechat.config import OA
from trunkline_wechat.simulator import wire
from trunkline_wechat.simulator.surface import Surface
from trunkline_wechat.simulator.weixin_api import CONSENTS, WeixinApi
from trunkline_wechat.simulator.weixin_bubbles import bubble_of
from trunkline_wechat.simulator.world import Person, Said

if TYPE_CHECKING:
    from trunkline_wechat.simulator import Simulator

Json = dict[str, Any]

TWO_DAYS_S, MINUTE_S = 48 * 3600, 60
#: What customers read when our server answers with something that is no reply.
FAULT = {True: "该公众号提供的服务出现故障，请稍后再试", False: "该小程序客服暂时无法提供服务，请稍后再试"}
VOICE, FILM = b"#!AMR\n" + b"\x3c" * 64, b"\0\0\0\x18ftypmp42" + b"\0" * 64


class Weixin(Surface):
    """One Official Account or one Mini Program. `mode` and `speaks_json` are switches of the console."""

    def __init__(self, simulator: Simulator) -> None:
        super().__init__(simulator)
        self.channel = simulator.channel
        self.app_id, self.original_id = "wx00aa11bb22cc33dd", "gh_omni000001"
        self.mode = "secure"
        self.speaks_json = self.channel != OA
        #: True when our server's address is missing in the allow-list.
        self.refuses_address = False
        self._api = WeixinApi(self)
        self._calls = self._api.calls()

    # ---------------------------------------------------------------- the account

    @property
    def writes(self) -> Mapping[ContentKind, Action]:
        common = {
            ContentKind.TEXT: Action(kind="text", text="hello"),
            ContentKind.IMAGE: Action(kind="image"),
            ContentKind.LINK: Action(kind="link", text="A parcel"),
        }
        if self.channel != OA:
            return common
        return common | {
            ContentKind.AUDIO: Action(kind="voice"),
            ContentKind.VIDEO: Action(kind="video"),
            ContentKind.LOCATION: Action(kind="location"),
            ContentKind.CHOICE: Action(kind="choose", text="Yes", press="yes"),
        }

    def settings(self) -> Json:
        keys = {} if self.mode == "plain" else {"encoding_aes_key": self.world.aes_key}
        return {"app_id": self.app_id, "app_secret": self.world.secret, "mode": self.mode, **keys}

    def calls(self) -> Mapping[tuple[str, str], Any]:
        return self._calls

    def open_calls(self) -> Iterable[web.RouteDef]:
        return [
            web.get("/cgi-bin/token", self._api.token),
            web.post("/cgi-bin/stable_token", self._api.stable_token),
        ]

    def webhook(self, body: bytes) -> WebhookRequest:
        if self.mode == "plain":
            return wire.plain(self.world, body)
        outer = {"ToUserName": self.original_id}
        return wire.sealed(self.world, body, self.app_id, outer=outer, keeps_twin=self.mode == "compatible")

    def challenge(self) -> tuple[WebhookRequest, bytes]:
        """The echo is never encrypted here, whatever the mode."""
        return wire.challenge(self.world, "847 + 3=="), b"847 + 3=="

    async def tell(self, person: Person, state: DeliveryState) -> bool:
        """Only of notices it is told whether they arrived."""
        ours = [said for said in person.said if not said.mine]
        if not ours or ours[-1].kind != "template" or state is DeliveryState.READ:
            return False
        await self.finish(
            ours[-1], person, status="success" if state is DeliveryState.DELIVERED else "failed:user block"
        )
        return True

    async def packet(self, person: Person, **fields: Any) -> None:
        """Send one packet of a person, in XML or JSON. An answer that is no reply is shown to the customer."""
        head = {"ToUserName": self.original_id, "FromUserName": person.id, "CreateTime": self.world.now() // 1000}
        await self.simulator.send_webhook(self.written({**head, **fields}))
        words = self.simulator.webhooks[-1].words
        if words not in {"", "success"} and not words.startswith("<xml>"):
            self.world.say(person, "note", {"content": FAULT[self.channel == OA]}, mine=False)

    def written(self, packet: Json) -> bytes:
        return wire.json_of(packet) if self.speaks_json else wire.xml_of(packet)

    # ---------------------------------------------------------------- customers

    async def act(self, person: Person, action: Action) -> None:
        hands = _OF_OA if self.channel == OA else _OF_MINI
        hand = hands.get(action.kind)
        if hand is None:
            raise ValueError(f"Customers cannot {action.kind} here.")
        await hand(self, person, action)

    async def write(self, person: Person, kind: str, **own: Any) -> None:
        """Send a message of any kind, also one that nobody knows yet."""
        said = self.world.say(person, kind, own, mine=True, id_=str(self.world.number() + 10**16))
        seconds, messages = (MINUTE_S, 3) if "bizmsgmenuid" in own else (TWO_DAYS_S, 5)
        person.opens(self.world.now(), seconds=seconds, messages=messages)
        await self.packet(person, MsgType=kind, **own, MsgId=int(said.id))

    async def happens(self, person: Person, event: str, *, opens: int = 0, **own: Any) -> None:
        """Send an event; `opens` messages may answer it within a minute."""
        if opens:
            person.opens(self.world.now(), seconds=MINUTE_S, messages=opens)
        await self.packet(person, MsgType="event", Event=event, **own)

    async def choose(self, person: Person, title: str, id_: str) -> None:
        """Tap a line of a menu inside a message: it comes as a text and counts as a click."""
        await self.write(person, "text", Content=title, bizmsgmenuid=id_)

    async def press(self, person: Person, press: str) -> None:
        said_id, _, place = press.rpartition(":")
        rows = self.world.find(said_id).message.get("list", ())
        if not place.isdecimal() or int(place) >= len(rows):
            raise ValueError("There is no such choice.")
        await self.choose(person, rows[int(place)]["content"], rows[int(place)]["id"])

    async def follow(self, person: Person, *, scene: str = "") -> None:
        person.follows = True
        code = {"EventKey": f"qrscene_{scene}", "Ticket": "T"} if scene else {}
        await self.happens(person, "subscribe", opens=3, **code)

    async def unfollow(self, person: Person) -> None:
        person.follows, person.open_until_ms, person.left = False, 0, 0
        await self.happens(person, "unsubscribe")

    async def consent(self, person: Person, *, accepts: bool = True) -> None:
        """Answer a Mini Program's question for consent: each yes is good for one notice."""
        if accepts:
            person.more["consents"] = person.more.get("consents", CONSENTS) + 1
        row = {
            "TemplateId": "TPL_NOTICE",
            "SubscribeStatusString": "accept" if accepts else "reject",
            "PopupScene": "1",
        }
        await self.happens(person, "subscribe_msg_popup_event", **self._listed("SubscribeMsgPopupEvent", row))

    async def finish(self, said: Said, person: Person, *, status: str = "success") -> None:
        """Tell what became of a notice."""
        number = said.id.removeprefix("notice-")
        if self.channel == OA:
            await self.happens(person, "TEMPLATESENDJOBFINISH", MsgID=int(number), Status=status)
            return
        code = "0" if status == "success" else "43101"
        row = {"TemplateId": "TPL_NOTICE", "MsgID": number, "ErrorCode": code, "ErrorStatus": status}
        await self.happens(person, "subscribe_msg_sent_event", **self._listed("SubscribeMsgSentEvent", row))

    def _listed(self, name: str, row: Json) -> Json:
        """In JSON the list stands alone and one entry without its list; in XML it has a name of its own."""
        return {"List": row} if self.speaks_json else {name: {"List": row}}

    def strange(self, person: Person) -> bytes:
        fields = {"FromUserName": person.id, "CreateTime": self.world.now() // 1000, "MsgType": "hologram", "MsgId": 7}
        return self.written({"ToUserName": self.original_id, **fields})

    # ---------------------------------------------------------------- phones

    def bubble(self, said: Said) -> Bubble:
        return bubble_of(said, f"{self.simulator.url}/files/")

    def link_to(self, media_id: str) -> str:
        return f"{self.simulator.url}/files/{media_id}"


# ---------------------------------------------------------------- what customers can do


async def _text(surface: Weixin, person: Person, action: Action) -> None:
    await surface.write(person, "text", Content=action.text)


async def _image(surface: Weixin, person: Person, action: Action) -> None:
    id_ = surface.world.keep("image", picture(action.picture), "image/jpeg")
    await surface.write(person, "image", PicUrl=surface.link_to(id_), MediaId=id_)


async def _voice(surface: Weixin, person: Person, action: Action) -> None:
    heard = {"Recognition": action.text} if action.text else {}
    await surface.write(person, "voice", MediaId=surface.world.keep("voice", VOICE, "audio/amr"), Format="amr", **heard)


async def _video(surface: Weixin, person: Person, _action: Action) -> None:
    ids = {"MediaId": surface.world.keep("video", FILM, "video/mp4")}
    await surface.write(person, "video", **ids, ThumbMediaId="t3")


async def _location(surface: Weixin, person: Person, action: Action) -> None:
    place = {"Location_X": action.latitude, "Location_Y": action.longitude}
    await surface.write(person, "location", **place, Scale=16, Label=action.text or "Tower")


async def _link(surface: Weixin, person: Person, action: Action) -> None:
    title = action.text or "A page"
    if surface.channel == OA:
        await surface.write(person, "link", Title=title, Description="d", Url="https://shop.example/a")
        return
    card = {"AppId": surface.app_id, "PagePath": "pages/i?a=1", "ThumbUrl": "https://shop.example/t.png"}
    await surface.write(person, "miniprogrampage", Title=title, **card, ThumbMediaId="t7")


async def _press(surface: Weixin, person: Person, action: Action) -> None:
    await surface.press(person, action.press)


async def _choose(surface: Weixin, person: Person, action: Action) -> None:
    await surface.choose(person, action.text, action.press)


async def _follow(surface: Weixin, person: Person, _action: Action) -> None:
    await surface.follow(person)


async def _unfollow(surface: Weixin, person: Person, _action: Action) -> None:
    await surface.unfollow(person)


async def _click(surface: Weixin, person: Person, action: Action) -> None:
    await surface.happens(person, "CLICK", opens=3, EventKey=action.press or "MENU_A")


async def _scan(surface: Weixin, person: Person, action: Action) -> None:
    await surface.happens(person, "SCAN", opens=3, EventKey=action.press or "42", Ticket="T")


async def _enter(surface: Weixin, person: Person, action: Action) -> None:
    await surface.happens(person, "user_enter_tempsession", opens=2, SessionFrom=action.text or "sku=42")


_Hand = Callable[[Weixin, Person, Action], Awaitable[None]]
_OF_OA: dict[str, _Hand] = {
    "text": _text,
    "image": _image,
    "voice": _voice,
    "audio": _voice,
    "video": _video,
    "location": _location,
    "link": _link,
    "press": _press,
    "choose": _choose,
    "follow": _follow,
    "unfollow": _unfollow,
    "click": _click,
    "scan": _scan,
}
_OF_MINI: dict[str, _Hand] = {"text": _text, "image": _image, "link": _link, "enter": _enter}
