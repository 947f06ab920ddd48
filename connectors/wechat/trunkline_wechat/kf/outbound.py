"""Content → what WeChat KF sends. Pure; a caption under a file is a message of its own.

Source: https://developer.work.weixin.qq.com/document/path/94677 (read 2026-11-22)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from trunkline.contract import OutboundMessage, TextUnit, in_characters
from trunkline.model import Audio, Card, Content, File, Image, Link, Location, QuickReply, Text, Video
from trunkline_wechat.enterprise import (
    Draft,
    Json,
    bytes_of,
    checked,
    file_drafts,
    link_text,
    one_of,
    refuse,
    text,
)

_HEAD = 1024
_THUMBS = {"image/jpeg", "image/png"}


def drafts_of(message: OutboundMessage) -> list[Draft]:
    """Return what is sent, in order. Undeliverable when the part cannot be carried."""
    part = one_of(message)
    if isinstance(part, Text) and message.quick_replies:
        return [_menu(part.text, [_choice(reply) for reply in message.quick_replies])]
    kind = _KINDS.get(type(part))
    if kind is None:
        raise refuse(part)
    drafts: list[Draft] = kind(part)
    return drafts


def _menu(words: str, entries: Sequence[Json]) -> Draft:
    """Return a menu: words that are too long for its head go on under it."""
    end = in_characters(words, _HEAD, TextUnit.UTF8)
    body: Json = {"list": list(entries)}
    for name, some in (("head_content", words[:end]), ("tail_content", words[end:])):
        if some:
            body[name] = checked(some, _HEAD, "The text over suggested answers")
    return Draft(kind="msgmenu", body=body)


def _choice(reply: QuickReply) -> Json:
    return _click(reply.title, reply.data)


def _click(title: str, data: str | None) -> Json:
    """Return a line; without an id its press comes back as a plain text."""
    id_ = {"id": checked(data, 64, "The data of a button")} if data else {}
    return {"type": "click", "click": {**id_, "content": bytes_of(title, 128)}}


def _card(card: Card) -> list[Draft]:
    entries = [
        {"type": "view", "view": {"url": b.url, "content": bytes_of(b.title, 128)}}
        if b.url
        else _click(b.title, b.data)
        for b in card.buttons
    ]
    words = "\n".join(line for line in (card.title, card.text) if line)
    return [_menu(words, entries)] if entries else [text(words)]


def _link(link: Link) -> list[Draft]:
    """A link of WeChat must have a picture; one without it is text."""
    if link.image is None or link.image.mime not in _THUMBS:
        return [link_text(link)]
    body = {"title": bytes_of(link.title or link.url, 128), "url": checked(link.url, 2048, "The address of a link")}
    if link.text:
        body["desc"] = bytes_of(link.text, 512)
    return [Draft(kind="link", body=body, media=link.image, upload="image", field="thumb_media_id")]


def _place(place: Location) -> list[Draft]:
    where = {"latitude": place.latitude, "longitude": place.longitude}
    named = {"name": place.title or place.address or "", "address": place.address or ""}
    return [Draft(kind="location", body={**where, **named})]


_KINDS: dict[type[Content], Callable[[Any], list[Draft]]] = {
    Text: lambda part: [text(part.text)],
    **dict.fromkeys((Image, Audio, Video, File), file_drafts),
    Location: _place,
    Link: _link,
    Card: _card,
}
