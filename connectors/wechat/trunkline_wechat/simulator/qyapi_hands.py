"""What members of a company and customers of a desk do on their phones: action → what goes over the wire. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from trunkline.model import ContentKind
from trunkline.testing.phones import Action
from trunkline.testing.pictures import picture
from trunkline_wechat.simulator.world import World

Json = dict[str, Any]
#: (kind of message, its body)
Written = tuple[str, Json]
Hand = Callable[[World, Action], Written]

VOICE, FILM = b"#!AMR\n" + b"\x3c" * 64, b"\0\0\0\x18ftypmp42" + b"\0" * 64
PAPER = b"%PDF-1.4\n%%EOF\n"


def _kept(kind: str, mime: str, name: str, content: bytes = b"") -> Callable[[World, Action], str]:
    def keep(world: World, action: Action) -> str:
        return world.keep(kind, content or picture(action.picture), mime, name)

    return keep


_FILES = {
    "image": _kept("image", "image/jpeg", "picture.jpg"),
    "voice": _kept("voice", "audio/amr", "voice.amr", VOICE),
    "video": _kept("video", "video/mp4", "film.mp4", FILM),
    "file": _kept("file", "application/pdf", "invoice.pdf", PAPER),
}


def _medium(kind: str) -> Hand:
    return lambda world, action: (kind, {"media_id": _FILES[kind](world, action)})


def _place(_world: World, action: Action) -> Written:
    where = {"latitude": action.latitude, "longitude": action.longitude}
    return "location", {**where, "name": action.text or "Tower", "address": "1 Example Street"}


def _link(_world: World, action: Action) -> Written:
    page = {"title": action.text or "A page", "desc": "It is worth reading", "url": "https://shop.example/page"}
    return "link", {**page, "pic_url": "https://shop.example/page.png"}


def _product(_world: World, action: Action) -> Written:
    about = {"product_id": "p1", "title": action.text or "A bell", "sales_price": "1250", "shop_nickname": "Shop"}
    return "channels_shop_product", {**about, "head_image": "https://shop.example/bell.png"}


#: What a customer of a desk can send, in the words of `sync_msg`.
OF_A_CUSTOMER: Mapping[str, Hand] = {
    "text": lambda world, action: ("text", {"content": action.text}),
    "choose": lambda world, action: ("text", {"content": action.text, "menu_id": action.press}),
    **{kind: _medium(kind) for kind in _FILES},
    "audio": _medium("voice"),
    "location": _place,
    "link": _link,
    "contacts": lambda world, action: ("business_card", {"userid": action.text or "staff1"}),
    "product": _product,
}


def _member_medium(kind: str, **more: Any) -> Hand:
    return lambda world, action: (kind, {"MediaId": _FILES[kind](world, action), **more})


def _member_place(_world: World, action: Action) -> Written:
    where = {"Location_X": action.latitude, "Location_Y": action.longitude}
    return "location", {**where, "Scale": 16, "Label": action.text or "Tower", "AppType": "wxwork"}


def _member_link(_world: World, action: Action) -> Written:
    page = {"Title": action.text or "A page", "Description": "It is worth reading"}
    return "link", {**page, "Url": "https://shop.example/page", "PicUrl": "https://shop.example/page.png"}


#: What a member can send to an app, in the words of the packet.
OF_A_MEMBER: Mapping[str, Hand] = {
    "text": lambda world, action: ("text", {"Content": action.text}),
    "image": _member_medium("image", PicUrl="https://shop.example/picture.jpg"),
    "voice": _member_medium("voice", Format="amr"),
    "audio": _member_medium("voice", Format="amr"),
    "video": _member_medium("video", ThumbMediaId="t3"),
    "location": _member_place,
    "link": _member_link,
}
#: Acts of a member that are no messages.
EVENTS_OF_A_MEMBER: Mapping[str, Callable[[Action], Json]] = {
    "follow": lambda action: {"Event": "subscribe", "EventKey": ""},
    "unfollow": lambda action: {"Event": "unsubscribe", "EventKey": ""},
    "enter": lambda action: {"Event": "enter_agent", "EventKey": ""},
    "click": lambda action: {"Event": "click", "EventKey": action.press or "MENU_A"},
    "choose": lambda action: {
        "Event": "template_card_event",
        "EventKey": action.press,
        "TaskId": "task-of-before",
        "CardType": "button_interaction",
        "ResponseCode": "R",
    },
}

_BOTH = {
    ContentKind.TEXT: Action(kind="text", text="hello"),
    ContentKind.IMAGE: Action(kind="image"),
    ContentKind.AUDIO: Action(kind="voice"),
    ContentKind.VIDEO: Action(kind="video"),
    ContentKind.LOCATION: Action(kind="location"),
    ContentKind.LINK: Action(kind="link"),
    ContentKind.CHOICE: Action(kind="choose", text="Yes", press="yes"),
}
WRITES_OF_A_MEMBER: Mapping[ContentKind, Action] = _BOTH
WRITES_OF_A_CUSTOMER: Mapping[ContentKind, Action] = {
    **_BOTH,
    ContentKind.FILE: Action(kind="file"),
    ContentKind.CONTACTS: Action(kind="contacts"),
    ContentKind.CARD: Action(kind="product"),
}
