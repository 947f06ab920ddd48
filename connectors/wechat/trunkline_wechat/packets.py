"""Packets: safe XML and JSON as one kind of dictionary, and what the surfaces share in reading them.

Source: https://developers.weixin.qq.com/doc/offiaccount/Message_Management/Receiving_standard_messages.html
(read 2026-11-22)
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from trunkline.contract import Unknown, read_json
from trunkline.errors import BodyUnreadable
from trunkline.model import Address, Audio, Choice, Content, Image, Link, Location, Media, MediaSource, Text, Video

#: Names as the platform writes them → text, a packet, or a list of either. JSON may hold numbers.
Packet = dict[str, Any]

_DEEPEST = 12
#: What reading a value raises that is not as it should be.
MISFIT = (LookupError, TypeError, ValueError, AttributeError, OverflowError)


def read(body: bytes) -> Packet:
    """Return a packet in XML or JSON, told apart by the first byte. Any DOCTYPE is refused.

    Raises:
        BodyUnreadable: it is neither, or not a packet.
    """
    try:
        packet = _from_xml(body) if body.lstrip()[:1] == b"<" else read_json(body)
    except (ParseError, DefusedXmlException, ValueError, RecursionError) as error:
        raise BodyUnreadable(f"This body is neither XML nor JSON of WeChat: {type(error).__name__}") from error
    if not isinstance(packet, dict):
        raise BodyUnreadable("This body is no packet of WeChat.")
    return packet


def _from_xml(body: bytes) -> Any:
    return _value(fromstring(body, forbid_dtd=True), 0)


def _value(element: Element, depth: int) -> Any:
    """Return the text of an element, or its children by name; a name that repeats has a list."""
    if depth > _DEEPEST:
        raise ValueError("nested too deeply")
    if len(element) == 0:
        return (element.text or "") if depth else {}
    found: Packet = {}
    for child in element:
        value = _value(child, depth + 1)
        if child.tag in found:
            earlier = found[child.tag]
            found[child.tag] = [*earlier, value] if isinstance(earlier, list) else [earlier, value]
        else:
            found[child.tag] = value
    return found


def word(packet: Packet, name: str, default: str | None = None) -> str:
    """Return a value as text: JSON has numbers where XML has text. KeyError or TypeError if there is none."""
    value = packet[name] if default is None else packet.get(name, default)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError(f"{name} is no text")
    return str(value)


def several(value: Any) -> list[Packet]:
    """Return a list of packets that may have come as one alone."""
    found = value if isinstance(value, list) else [value]
    return [one for one in found if isinstance(one, dict)]


# ---------------------------------------------------------------- what all packets share


def at_ms(packet: Packet) -> int:
    """Return `CreateTime` in milliseconds, 0 if it is none."""
    try:
        seconds = int(word(packet, "CreateTime", "0"))
    except (TypeError, ValueError):
        return 0
    return seconds * 1000 if 0 <= seconds < 1 << 43 else 0


def digest(*parts: Any) -> str:
    """Return a key of bounded length for any values; equal values have equal keys."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


#: What tells two packets apart. `MsgId` alone repeats across senders, sender and second alone across events.
_TELLING = ("FromUserName", "CreateTime", "MsgType", "MsgId", "AgentID", "Event", "EventKey", "MsgID")


def dedupe_key(packet: Packet) -> str:
    """Return the key of a message or an event, the same in XML and JSON."""
    told = [None if packet.get(name) is None else str(packet[name]) for name in _TELLING]
    if not any(told):
        return digest(packet)
    return digest(*told)


def head(packet: Packet) -> dict[str, Any]:
    """Return the fields that items with a thread share. KeyError or TypeError for a packet without a sender."""
    sender = word(packet, "FromUserName")
    if not sender:
        raise ValueError("a packet without a sender")
    return {
        "dedupe_key": dedupe_key(packet),
        "at_ms": at_ms(packet),
        "platform_kind": kind_of(packet),
        "thread_key": sender,
        "contact": Address(external_id=sender),
    }


def kind_of(packet: Packet) -> str:
    """Return the platform's word: the event's, else the message's."""
    kind = packet.get("MsgType")
    if kind == "event":
        kind = packet.get("Event")
    return kind if isinstance(kind, str) else ""


def unknown(packet: Packet) -> Unknown:
    """Return the placeholder of a packet that nobody can read, in its thread if it names a sender."""
    try:
        return Unknown(**head(packet), raw=packet)
    except MISFIT:
        return Unknown(dedupe_key=dedupe_key(packet), at_ms=at_ms(packet), platform_kind=kind_of(packet), raw=packet)


# ---------------------------------------------------------------- messages


def message_id(packet: Packet) -> str:
    """Return our name of a message: the platform repeats `MsgId` across senders."""
    return f"{word(packet, 'FromUserName')}:{word(packet, 'MsgId')}"


def content_of(packet: Packet) -> Content:
    """Return the content of a message of any surface. KeyError for an unknown `MsgType`, MISFIT for a broken one."""
    return _CONTENTS[packet["MsgType"]](packet)


def _text(packet: Packet) -> Content:
    """A click on a menu inside a message comes as a text."""
    text = word(packet, "Content")
    chosen = word(packet, "bizmsgmenuid", "")
    return Choice(data=chosen, title=text) if chosen else Text(text=text)


def _media(packet: Packet, **more: Any) -> Media:
    """`more` goes to `fetch`; a picture names a copy in case that the platform has lost the file."""
    if packet.get("PicUrl"):
        more["copy"] = word(packet, "PicUrl")
    return Media(source=MediaSource(reference=word(packet, "MediaId"), extra={"kind": packet["MsgType"], **more}))


def _voice(packet: Packet) -> Content:
    said = word(packet, "Recognition", "")
    return Audio(media=_media(packet, **({"recognition": said} if said else {})), voice=True)


def _location(packet: Packet) -> Content:
    """X is the latitude."""
    latitude, longitude = float(packet["Location_X"]), float(packet["Location_Y"])
    if not (abs(latitude) <= 90 and abs(longitude) <= 180):
        raise ValueError("no place on Earth")
    return Location(latitude=latitude, longitude=longitude, address=word(packet, "Label", "") or None)


def _link(packet: Packet) -> Content:
    title, text = word(packet, "Title", "") or None, word(packet, "Description", "") or None
    picture = word(packet, "PicUrl", "")
    image = Media(source=MediaSource(reference=picture, external=True)) if picture else None
    return Link(url=word(packet, "Url"), title=title, text=text, image=image)


def _page(packet: Packet) -> Content:
    """A card of a Mini Program; its address means something inside WeChat only."""
    app, path = word(packet, "AppId", ""), word(packet, "PagePath", "")
    return Link(url=f"weixin://miniprogram/{app}/{path}", title=word(packet, "Title", "") or None)


_CONTENTS: dict[str, Callable[[Packet], Content]] = {
    "text": _text,
    "image": lambda packet: Image(media=_media(packet)),
    "voice": _voice,
    "video": lambda packet: Video(media=_media(packet)),
    "shortvideo": lambda packet: Video(media=_media(packet)),
    "location": _location,
    "link": _link,
    "miniprogrampage": _page,
}
