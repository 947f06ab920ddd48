"""Pushed packets, JSON or XML → items. What does not fit the types of an item becomes `Unknown`.

Source: https://smartprogram.baidu.com/docs/develop/serverapi/contact_api/ (read 2026-11-22)
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any
from xml.etree.ElementTree import ParseError

import msgspec
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from trunkline import contract
from trunkline.errors import BodyUnreadable

Packet = dict[str, Any]

_MISFIT = (LookupError, TypeError, ValueError, AttributeError)
_ENCRYPTED = (
    "Baidu encrypts what it pushes to this account, and how is not documented: set 消息加解密方式 to 明文模式 (plain) "
    "in the console, and read this again afterwards."
)


def items_of(body: bytes, *, app_id: str) -> list[contract.Item]:
    """Return the one item of a packet. BodyUnreadable when it is no packet, or an encrypted one."""
    packet = _from_xml(body) if body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") else _from_json(body)
    if "Encrypt" in packet and "MsgType" not in packet:
        raise BodyUnreadable(_ENCRYPTED)
    return [_item(packet, app_id)]


def _from_json(body: bytes) -> Packet:
    try:
        packet = contract.read_json(body)
    except (ValueError, RecursionError) as error:
        raise BodyUnreadable(f"This body is no packet of Baidu: {type(error).__name__}.") from error
    if not isinstance(packet, dict):
        raise BodyUnreadable("This body is no packet of Baidu: it is no JSON object.")
    return packet


def _from_xml(body: bytes) -> Packet:
    """Read a flat document; one with a DOCTYPE is refused before it is read."""
    if b"\0" in body or b"<!DOCTYPE" in body.upper():
        raise BodyUnreadable("This XML has a DOCTYPE or is no UTF-8: Baidu sends neither.")
    try:
        root = fromstring(body.decode(), forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise BodyUnreadable(f"This body is no packet of Baidu: {type(error).__name__}.") from error
    return {child.tag: child.text or "" for child in root}


def _item(packet: Packet, app_id: str) -> contract.Item:
    try:
        return _foreign(packet, app_id) or _message(packet)
    except _MISFIT:
        pass
    try:
        return msgspec.convert({**_common(packet), "raw": packet}, contract.Unknown)
    except _MISFIT:
        return contract.Unknown(dedupe_key=_digest(packet), at_ms=_at(packet), raw=packet)


def _foreign(packet: Packet, app_id: str) -> contract.Item | None:
    if (receiver := str(packet["ToUserName"])) == app_id:
        return None
    return contract.AccountChanged(
        dedupe_key=_digest(packet),
        at_ms=_at(packet),
        platform_kind=str(packet.get("MsgType")),
        change="foreign_destination",
        severity="error",
        details={"to_user_name": receiver[:64]},
    )


def _message(packet: Packet) -> contract.Item:
    content = _CONTENTS[packet["MsgType"]](packet)
    fields = {**_common(packet), "external_id": str(_whole(packet["MsgId"])), "content": content}
    return msgspec.convert(fields, contract.MessageReceived)


def _image(packet: Packet) -> dict[str, Any]:
    """There is no id of the file, only its address, which the connector fetches from Baidu's hosts alone."""
    url = packet["PicUrl"]
    if not url.startswith(("https://", "http://")):
        raise ValueError("no address")
    return {"type": "image", "media": {"source": {"reference": url}}}


#: Baidu's MsgType → content.
_CONTENTS: dict[str, Callable[[Packet], dict[str, Any]]] = {
    "text": lambda packet: {"type": "text", "text": packet["Content"]},
    "image": _image,
}


def _common(packet: Packet) -> dict[str, Any]:
    who = packet["FromUserName"]
    if not who:
        raise ValueError("from nobody")
    return {
        "dedupe_key": _key(packet),
        "at_ms": _at(packet),
        "platform_kind": packet["MsgType"],
        "thread_key": who,
        "contact": {"external_id": who},
    }


def _at(packet: Packet) -> int:
    try:
        at = _whole(packet["CreateTime"])
    except _MISFIT:
        return 0
    return at * 1000 if 0 < at < 1 << 40 else 0


def _whole(value: Any) -> int:
    """Return a number that JSON writes as one and XML as text."""
    if type(value) is int and value >= 0:
        return value
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 20:
        return int(value)
    raise TypeError("no number")


def _key(packet: Packet) -> str:
    """Return Baidu's id of a message; an event has none, and is known by who, when and what."""
    if "MsgId" in packet:
        return f"m:{_whole(packet['MsgId'])}"
    return _digest([packet.get(name) for name in ("FromUserName", "CreateTime", "MsgType", "Event")])


def _digest(value: Any) -> str:
    return hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()
