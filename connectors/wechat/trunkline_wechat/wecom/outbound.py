"""Content → what a WeCom app sends. Pure; a caption under a file is a message of its own.

Source: https://developer.work.weixin.qq.com/document/path/90236 (read 2026-11-22)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trunkline.contract import OutboundMessage, TextLimit, cut
from trunkline.model import Audio, Card, Content, File, Image, Link, QuickReply, Text, Video
from trunkline_wechat.enterprise import (
    Draft,
    Json,
    bytes_of,
    checked,
    file_drafts,
    one_of,
    own_id,
    refuse,
    text,
)

#: Characters that a card shows, as WeCom recommends.
_TITLE, _WORDS, _BUTTON = (TextLimit(max=most) for most in (26, 112, 10))


def drafts_of(message: OutboundMessage) -> list[Draft]:
    """Return what is sent, in order. Undeliverable when the part cannot be carried."""
    part, task = one_of(message), own_id(message.key, 0)
    if isinstance(part, Text) and message.quick_replies:
        return [_buttons(task, cut(part.text, _TITLE), part.text, [_choice(reply) for reply in message.quick_replies])]
    kind = _KINDS.get(type(part))
    if kind is None:
        raise refuse(part)
    drafts: list[Draft] = kind(part, task)
    return drafts


def _buttons(task: str, title: str, words: str, entries: list[Json]) -> Draft:
    """Return a card with buttons; `task` makes it unlike all others of the app."""
    body: Json = {"card_type": "button_interaction", "main_title": {"title": title}, "task_id": task}
    if words not in {"", title}:
        body["sub_title_text"] = words
    return Draft(kind="template_card", body={**body, "button_list": entries})


def _choice(reply: QuickReply) -> Json:
    return {"text": cut(reply.title, _BUTTON), "style": 1, "key": checked(reply.data or reply.title, 1024, "A key")}


def _card(card: Card, task: str) -> list[Draft]:
    """Only a card that answers has buttons; one that opens a page is an article or a text card."""
    title, words = card.title, card.text or ""
    links = [button for button in card.buttons if button.url]
    if not card.buttons:
        return [text("\n".join(line for line in (title, words) if line))]
    if len(card.buttons) == len(links) == 1:
        url = links[0].url or ""
        return _article(Link(url=url, title=title, text=words or None, image=card.image), links[0].title)
    entries = [
        {"type": 1, "text": cut(b.title, _BUTTON), "url": b.url}
        if b.url
        else _choice(QuickReply(title=b.title, data=b.data or ""))
        for b in card.buttons
    ]
    return [_buttons(task, cut(title, _TITLE), cut(words, _WORDS), entries)]


def _article(link: Link, button: str = "") -> list[Draft]:
    """With a picture it is news, else a text card."""
    picture = link.image and (link.image.preview_url or link.image.url)
    url = checked(link.url, 2048, "The address of a link")
    body: Json = {"title": bytes_of(link.title or link.url, 128), "url": url}
    words = bytes_of(link.text or "", 512)
    if picture:
        return [Draft(kind="news", body={"articles": [{**body, "description": words, "picurl": picture}]})]
    shown = {"btntxt": cut(button, TextLimit(max=4))} if button else {}
    return [Draft(kind="textcard", body={**body, "description": words or bytes_of(link.url, 512), **shown})]


_KINDS: dict[type[Content], Callable[[Any, str], list[Draft]]] = {
    Text: lambda part, _: [text(part.text)],
    **dict.fromkeys((Image, Audio, Video, File), lambda part, _: file_drafts(part)),
    Link: lambda part, _: _article(part),
    Card: _card,
}
