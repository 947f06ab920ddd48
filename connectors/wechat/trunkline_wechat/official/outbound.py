"""Content → bodies of custom messages and notices. Pure: what has to be uploaded is named, not done.

Sources: https://developers.weixin.qq.com/doc/offiaccount/Message_Management/Service_Center_messages.html,
https://developers.weixin.qq.com/doc/offiaccount/Message_Management/Template_Message_Interface.html (read 2026-11-22)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from trunkline.contract import TextLimit, TextUnit, cut
from trunkline.errors import Undeliverable
from trunkline.model import (
    Audio,
    Button,
    Card,
    Content,
    Image,
    Link,
    Media,
    QuickReply,
    Template,
    Text,
    Video,
    content_kind,
)
from trunkline_wechat.config import OA

Json = dict[str, Any]
#: Before the id of a subscription notice of an Official Account, which has ids of two kinds.
SUBSCRIPTION = "subscribe:"
#: Of a line that is pressed.
_ID = TextLimit(max=64, unit=TextUnit.UTF8)
#: Languages that a Mini Program's notice may name.
_LANGUAGES = frozenset({"zh_CN", "en_US", "zh_HK", "zh_TW"})


class Shape(msgspec.Struct, frozen=True):
    """One custom message: `fields`, to which each upload adds its media id under its name."""

    msgtype: str
    fields: Json
    #: Field → (kind of upload, file); None stands for the neutral picture of a film.
    uploads: dict[str, tuple[str, Media | None]] = {}

    def body(self, to: str, ids: dict[str, str]) -> Json:
        return {"touser": to, "msgtype": self.msgtype, self.msgtype: {**self.fields, **ids}}


def shape_of(part: Content, quick_replies: Sequence[QuickReply], *, surface: str) -> Shape:
    """Return the message that carries a part on this surface. Undeliverable if none does."""
    if quick_replies:
        return _with_choices(part, quick_replies)
    shape = (_OF_OA if surface == OA else _OF_MINI).get(type(part))
    if shape is None:
        raise Undeliverable(f"WeChat cannot carry this {content_kind(part)} here.", code="not_carried")
    return shape(part)


def _with_choices(part: Content, quick_replies: Sequence[QuickReply]) -> Shape:
    if not isinstance(part, Text):
        words = "WeChat shows suggested answers under a text only: send the text after the picture."
        raise Undeliverable(words, code="choices_need_text")
    return _menu(part.text, quick_replies)


def _menu(head: str, choices: Sequence[QuickReply | Button], tail: str = "") -> Shape:
    rows = [{"id": one.data or cut(one.title, _ID, mark=""), "content": one.title} for one in choices]
    return Shape("msgmenu", {"head_content": head, "list": rows, "tail_content": tail})


def _card(part: Card) -> Shape:
    """A card with choices is a menu, one with a link an article, one with several links a text."""
    links = [one for one in part.buttons if one.url]
    head, tail = _lines(part.title, part.text), _lines(*(f"{one.title}: {one.url}" for one in links))
    if choices := [one for one in part.buttons if not one.url]:
        return _menu(head, choices, tail)
    if len(links) == 1:
        return _article(Link(url=str(links[0].url), title=part.title, text=part.text, image=part.image))
    return Shape("text", {"content": _lines(head, tail)})


def _lines(*lines: str | None) -> str:
    return "\n".join(line for line in lines if line)


def _article(part: Link) -> Shape:
    article = {"title": part.title or part.url, "description": part.text or "", "url": part.url}
    if part.image and part.image.url:
        article["picurl"] = part.image.url
    return Shape("news", {"articles": [article]})


def _link(part: Link) -> Shape:
    picture = part.image.url if part.image else None
    return Shape(
        "link",
        {"title": part.title or part.url, "description": part.text or "", "url": part.url, "thumb_url": picture or ""},
    )


def _image(part: Image, link: Callable[[Link], Shape]) -> Shape:
    """A picture of WeChat has no caption: with one it becomes a card that opens it."""
    if part.caption:
        return link(Link(url=_url(part.media), title=part.caption, image=part.media))
    return Shape("image", {}, {"media_id": ("image", part.media)})


def _video(part: Video) -> Shape:
    title = part.media.name or part.caption or ""
    words = {"title": title, "description": part.caption or ""}
    return Shape("video", words, {"media_id": ("video", part.media), "thumb_media_id": ("thumb", None)})


def _url(media: Media) -> str:
    if media.url is None:
        raise Undeliverable("The file has no public address.", code="no_public_address", whose="us")
    return media.url


_TEXT: dict[type[Content], Callable[[Any], Shape]] = {Text: lambda part: Shape("text", {"content": part.text})}
_OF_OA: dict[type[Content], Callable[[Any], Shape]] = {
    **_TEXT,
    Image: lambda part: _image(part, _article),
    Video: _video,
    Audio: lambda part: Shape("voice", {}, {"media_id": ("voice", part.media)}),
    Link: _article,
    Card: _card,
}
_OF_MINI: dict[type[Content], Callable[[Any], Shape]] = {
    **_TEXT,
    Image: lambda part: _image(part, _link),
    Link: _link,
}


class Notice(msgspec.Struct, frozen=True):
    """One notice and the call that takes it."""

    path: str
    body: Json


def notice_of(part: Template, to: str, key: str, *, surface: str) -> Notice:
    """Return a template message, or a subscription message of either surface.

    The variables "url" and "page" say what a tap opens; all others are blanks of the template.
    """
    opens = {name: str(part.variables[name]) for name in ("url", "page") if part.variables.get(name)}
    blanks = {name: value for name, value in part.variables.items() if name not in {"url", "page"}}
    data = {name: value if isinstance(value, dict) else {"value": str(value)} for name, value in blanks.items()}
    body: Json = {"touser": to, "template_id": part.name.removeprefix(SUBSCRIPTION), "data": data}
    if surface == OA and part.name.startswith(SUBSCRIPTION):
        page = {"page": opens["url"]} if "url" in opens else {}
        return Notice("/cgi-bin/message/subscribe/bizsend", body | page)
    if surface == OA:
        opens.pop("page", None)
        # For ten minutes the platform sends nothing twice under this name.
        return Notice("/cgi-bin/message/template/send", body | opens | {"client_msg_id": key.replace("-", "")[:32]})
    opens.pop("url", None)
    language = {"lang": part.language} if part.language in _LANGUAGES else {}
    return Notice("/cgi-bin/message/subscribe/send", body | opens | language)
