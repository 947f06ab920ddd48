"""Packets of Official Accounts and Mini Programs → items, by tables.

Sources: https://developers.weixin.qq.com/doc/offiaccount/Message_Management/Receiving_event_pushes.html,
https://developers.weixin.qq.com/miniprogram/dev/framework/server-ability/message-push.html (read 2026-11-22)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from trunkline import contract
from trunkline.contract import Act, ContactActed, Ignored, Item, MessageReceived, ReceiptReceived
from trunkline.errors import PlatformAnswer
from trunkline.model import Choice, DeliveryState
from trunkline_wechat import packets
from trunkline_wechat.packets import MISFIT, Packet, word

#: What stands in every packet; the rest of an event is its details.
_HEAD = frozenset({"ToUserName", "FromUserName", "CreateTime", "MsgType", "Event", "Encrypt"})


def items_of(body: bytes, *, original_id: str | None = None) -> list[Item]:
    """Return the items of one packet. BodyUnreadable when it is none."""
    packet = packets.read(body)
    if original_id and packet.get("ToUserName") != original_id:
        details = {"destination": str(packet.get("ToUserName"))[:100]}
        fixed: Any = {"change": "foreign_destination", "severity": "error", "details": details}
        return [contract.AccountChanged(dedupe_key=packets.dedupe_key(packet), **fixed)]
    try:
        # Built by hand from a stranger's values: what does not fit the types is found here, not in the store.
        return [msgspec.convert(msgspec.to_builtins(item), type(item)) for item in _items(packet)]
    except (*MISFIT, msgspec.ValidationError):
        return [packets.unknown(packet)]


def _items(packet: Packet) -> Sequence[Item]:
    if packet["MsgType"] == "event":
        name = word(packet, "Event")
        return (_EVENTS.get(name) or _FOLDED[name.casefold()])(packet)
    content = packets.content_of(packet)
    act = Act.CLICK if isinstance(content, Choice) else Act.MESSAGE
    return [MessageReceived(**packets.head(packet), external_id=packets.message_id(packet), content=content, act=act)]


_Reader = Callable[[Packet], Sequence[Item]]


def _acted(act: Act, *, reachable: bool | None = None) -> _Reader:
    def read(packet: Packet) -> Sequence[Item]:
        details = {name: packet[name] for name in packet if name not in _HEAD}
        if word(packet, "EventKey", "").startswith("qrscene_"):
            details["scene"] = word(packet, "EventKey").removeprefix("qrscene_")
        return [ContactActed(**packets.head(packet), act=act, reachable=reachable, details=details)]

    return read


def _ignored(reason: str) -> _Reader:
    def read(packet: Packet) -> Sequence[Item]:
        common = packets.head(packet)
        kept = {name: common[name] for name in ("dedupe_key", "at_ms", "platform_kind")}
        return [Ignored(**kept, reason=reason)]

    return read


def _job_finished(packet: Packet) -> Sequence[Item]:
    """The result of a template message: "success", or "failed:" with a reason."""
    status = word(packet, "Status")
    answer = PlatformAnswer(code=status, text=status)
    return [_receipt(packet, word(packet, "MsgID"), fine=status == "success", answer=answer)]


def _notices_sent(packet: Packet) -> Sequence[Item]:
    """The results of subscription messages; one alone may come without its list."""
    rows = packets.several(packet["SubscribeMsgSentEvent"]["List"]) if "SubscribeMsgSentEvent" in packet else None
    found = []
    for row in packets.several(packet["List"]) if rows is None else rows:
        code = word(row, "ErrorCode")
        answer = PlatformAnswer(code=code, text=word(row, "ErrorStatus", ""))
        found.append(_receipt(packet, word(row, "MsgID"), fine=code == "0", answer=answer))
    if not found:
        raise ValueError("no result in an event about results")
    return found


def _receipt(packet: Packet, message_id: str, *, fine: bool, answer: PlatformAnswer) -> Item:
    state = DeliveryState.DELIVERED if fine else DeliveryState.FAILED
    return ReceiptReceived(
        dedupe_key=packets.digest(packets.dedupe_key(packet), message_id),
        at_ms=packets.at_ms(packet),
        platform_kind=packets.kind_of(packet),
        state=state,
        external_id=message_id,
        answer=None if fine else answer,
    )


_CONSOLE = _ignored("a session of the platform's own console")
_MENU = _ignored("a menu entry that opens no right to answer")
_EVENTS: dict[str, _Reader] = {
    "subscribe": _acted(Act.FOLLOW, reachable=True),
    "unsubscribe": _acted(Act.UNFOLLOW, reachable=False),
    "SCAN": _acted(Act.SCAN),
    "CLICK": _acted(Act.CLICK),
    "scancode_push": _acted(Act.CLICK),
    "scancode_waitmsg": _acted(Act.CLICK),
    "user_enter_tempsession": _acted(Act.ENTER),
    "subscribe_msg_popup_event": _acted(Act.CONSENT),
    "subscribe_msg_change_event": _acted(Act.CONSENT),
    "subscribe_msg_sent_event": _notices_sent,
    "TEMPLATESENDJOBFINISH": _job_finished,
    "LOCATION": _ignored("a position that the phone tells by itself"),
    **dict.fromkeys(
        ("VIEW", "view_miniprogram", "pic_sysphoto", "pic_photo_or_album", "pic_weixin", "location_select"), _MENU
    ),
    **dict.fromkeys(("kf_create_session", "kf_close_session", "kf_switch_session"), _CONSOLE),
}
_FOLDED = {name.casefold(): reader for name, reader in _EVENTS.items()}
