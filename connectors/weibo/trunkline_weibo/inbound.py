"""Callback packets → items, by tables. What does not fit the types of an item becomes `Unknown`.

Source: https://open.weibo.com/wiki/接收普通消息 and https://open.weibo.com/wiki/接收事件推送 (read 2026-11-22)
"""

from __future__ import annotations

import calendar
import hashlib
import math
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from trunkline import contract
from trunkline.contract import Act
from trunkline.errors import BodyUnreadable

Packet = dict[str, Any]
Reading = tuple[type[contract.Item], dict[str, Any]]

#: Weibo's subtype of an event → what the fan did, and whether that changes who can be reached.
_EVENTS: dict[str, tuple[Act, bool | None]] = {
    "follow": (Act.FOLLOW, True),
    "unfollow": (Act.UNFOLLOW, False),
    "subscribe": (Act.CONSENT, True),
    "unsubscribe": (Act.LEAVE, None),
    "scan": (Act.SCAN, None),
    "scan_follow": (Act.SCAN, True),
    "click": (Act.CLICK, None),
    # A link of the menu was opened: that it gives a right to answer is nowhere said.
    "view": (Act.WATCH, None),
}
#: English in every locale.
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_WHEN = re.compile(r"[A-Z][a-z]{2} ([A-Z][a-z]{2}) (\d{1,2}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d) (\d{4})")
#: What tells two packets apart; further fields are none of it.
_OF_PACKET = ("receiver_id", "sender_id", "created_at", "type", "text")
_OF_DATA = ("subtype", "key", "ticket", "vfid", "tovfid", "longitude", "latitude")
_MISFIT = (LookupError, TypeError, ValueError, AttributeError)
_XML = (
    "Weibo pushes WeChat-style XML to this account, and Trunkline reads Weibo's JSON: switch the format back with "
    "eps/push/set_format."
)


def items_of(body: bytes, *, uid: str) -> list[contract.Item]:
    """Return the one item of a packet. BodyUnreadable when it is no JSON object."""
    if body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        raise BodyUnreadable(_XML)
    try:
        packet = contract.read_json(body)
    except (ValueError, RecursionError) as error:
        raise BodyUnreadable(f"This body is no packet of Weibo: {type(error).__name__}.") from error
    if not isinstance(packet, dict):
        raise BodyUnreadable("This body is no packet of Weibo: it is no JSON object.")
    return [_item(packet, uid)]


def _item(packet: Packet, uid: str) -> contract.Item:
    try:
        return _foreign(packet, uid) or _known(packet)
    except _MISFIT:
        pass
    try:
        return msgspec.convert({**_common(packet), "raw": packet}, contract.Unknown)
    except _MISFIT:
        kind = packet.get("type")
        known = kind if isinstance(kind, str) else ""
        return contract.Unknown(dedupe_key=_digest(packet), at_ms=_at(packet), platform_kind=known, raw=packet)


def _known(packet: Packet) -> contract.Item:
    kind, fields = _READERS[packet["type"]](packet)
    return msgspec.convert({**_common(packet), **fields}, kind)


def _foreign(packet: Packet, uid: str) -> contract.Item | None:
    if (receiver := _id(packet["receiver_id"])) == uid:
        return None
    return contract.AccountChanged(
        dedupe_key=_digest(packet),
        at_ms=_at(packet),
        platform_kind=str(packet.get("type")),
        change="foreign_destination",
        severity="error",
        details={"receiver_id": receiver},
    )


def _message(packet: Packet, content: dict[str, Any], **more: Any) -> Reading:
    """Weibo gives messages no id: the key of the packet stands for it."""
    return contract.MessageReceived, {"external_id": _key(packet), "content": content, **more}


def _position(packet: Packet) -> Reading:
    latitude, longitude = (float(packet["data"][name]) for name in ("latitude", "longitude"))
    if not (math.isfinite(latitude) and abs(latitude) <= 90 and math.isfinite(longitude) and abs(longitude) <= 180):
        raise ValueError("no place on Earth")
    title = packet.get("text") or None
    return _message(packet, {"type": "location", "latitude": latitude, "longitude": longitude, "title": title})


def _media(packet: Packet, kind: str, **more: Any) -> Reading:
    """`tovfid` is the receiver's view of the file, `vfid` the sender's. The text is a stock phrase."""
    source = {"reference": _id(packet["data"]["tovfid"]), "extra": {"kind": kind}}
    return _message(packet, {"type": kind, "media": {"source": source}, **more})


def _event(packet: Packet) -> Reading:
    data = packet["data"]
    act, reachable = _EVENTS[data["subtype"]]
    details = {name: data[name] for name in ("subtype", "key", "ticket") if name in data}
    # A subscription by message carries its keyword here, other events a stock phrase.
    return contract.ContactActed, {
        "act": act,
        "reachable": reachable,
        "details": {**details, "text": packet.get("text") or ""},
    }


def _mention(packet: Packet) -> Reading:
    data = packet["data"]
    where = {"mentioned_in": data["subtype"], "key": _id(data["key"])}
    content = {"type": "text", "text": packet["text"]}
    return _message(packet, content, act=Act.MENTION, referral=where)


#: Weibo's type → item and its fields.
_READERS: dict[str, Callable[[Packet], Reading]] = {
    "text": lambda packet: _message(packet, {"type": "text", "text": packet["text"]}),
    "position": _position,
    "image": partial(_media, kind="image"),
    "voice": partial(_media, kind="audio", voice=True),
    "event": _event,
    "mention": _mention,
}


def _common(packet: Packet) -> dict[str, Any]:
    fan, kind, data = _id(packet["sender_id"]), packet["type"], packet.get("data")
    subtype = data.get("subtype") if isinstance(data, dict) else None
    return {
        "dedupe_key": _key(packet),
        "at_ms": _at(packet),
        "platform_kind": f"{kind}.{subtype}" if isinstance(subtype, str) else kind,
        "thread_key": fan,
        "contact": {"external_id": fan},
    }


def _id(value: Any) -> str:
    """Return an id as text: it may be larger than what other languages hold in a number."""
    if type(value) is int and value > 0:
        return str(value)
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        return value
    raise TypeError("no id")


def _at(packet: Packet) -> int:
    """Return ms since the epoch of "Wed Jul 03 18:00:00 +0800 2024", 0 for what is no time."""
    match = _WHEN.fullmatch(written) if isinstance(written := packet.get("created_at"), str) else None
    if match is None or match[1] not in _MONTHS:
        return 0
    month, day, hour, minute, second, sign, zone_h, zone_m, year = match.groups()
    if not (1 <= int(day) <= 31 and int(hour) < 24 and int(minute) < 60 and int(second) < 61 and int(year) >= 1970):
        return 0
    local = calendar.timegm((int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second)))
    ahead = (int(zone_h) * 60 + int(zone_m)) * 60 * (1 if sign == "+" else -1)
    return max(0, local - ahead) * 1000


def _key(packet: Packet) -> str:
    """Return a digest of what stays when a packet is pushed again."""
    data = packet.get("data")
    of_data = [data.get(name) for name in _OF_DATA] if isinstance(data, dict) else []
    return _digest([*(packet.get(name) for name in _OF_PACKET), *of_data])


def _digest(value: Any) -> str:
    return hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()
