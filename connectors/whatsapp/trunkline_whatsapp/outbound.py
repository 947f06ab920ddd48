"""Content → the body of a request. Pure: files are given as WhatsApp refers to them, by id or by link.

Source: https://developers.facebook.com/docs/whatsapp/cloud-api/reference/messages (read 2026-11-22)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from trunkline.contract import OutboundMessage
from trunkline.errors import Undeliverable
from trunkline.model import (
    Address,
    AddressKind,
    Audio,
    Card,
    Contacts,
    Content,
    File,
    Image,
    Link,
    Location,
    QuickReply,
    Sticker,
    Template,
    Text,
    Video,
    content_kind,
)
from trunkline_whatsapp.templates import components_of

Json = dict[str, Any]

_PHONE = re.compile(r"\+?[0-9]{5,15}")
_PARENT = re.compile(r"[A-Z]{2}\.ENT\.")
#: Most characters of a text above buttons, of one above a list, under a picture, and of a title.
_ABOVE_BUTTONS, _ABOVE_LIST, CAPTION, _HEADER = 1024, 4096, 1024, 60


def recipient_of(to: Address) -> Json:
    """Return who is meant: a group; the phone that is known best; else the BSUID, which has a field of its own."""
    ids = (to.external_id, *to.aliases)
    if to.kind is not AddressKind.PERSON:
        return {"recipient_type": "group", "to": to.external_id}
    if phone := next(filter(_PHONE.fullmatch, ids), None):
        # Without the plus WhatsApp would put the country code of the business before it.
        return {"recipient_type": "individual", "to": f"+{phone.removeprefix('+')}"}
    own = (id_ for id_ in ids if not _PARENT.match(id_))
    return {"recipient_type": "individual", "recipient": next(own, to.external_id)}


def body_of(message: OutboundMessage, part: Content, file: Json | None, *, list_button: str) -> Json:
    """Return the body of a send; `file` is the one of its part. Undeliverable when something does not fit."""
    quote = {"context": {"message_id": message.quote.external_id}} if message.quote else {}
    common = {**recipient_of(message.to), **quote, "biz_opaque_callback_data": message.delivery_id}
    return {"messaging_product": "whatsapp", **common, **_payload(part, message.quick_replies, file, list_button)}


def _payload(part: Content, choices: Sequence[QuickReply], file: Json | None, list_button: str) -> Json:
    if isinstance(part, Card):
        return _card(part, file, list_button)
    if choices and isinstance(part, Text | Link):
        return _asked(_words(part), choices, None, list_button)
    if choices:
        words = f"WhatsApp has quick replies under texts, not under a {content_kind(part)}."
        raise Undeliverable(words, code="quick_replies_not_carried")
    render = _KINDS.get(type(part))
    if render is None:
        raise Undeliverable(f"WhatsApp cannot carry this {content_kind(part)}.", code="not_carried")
    return render(part, file)


def _kind(kind: str, **fields: Any) -> Json:
    return {"type": kind, kind: {name: value for name, value in fields.items() if value is not None}}


# ---------------------------------------------------------------- plain kinds


def _text(text: str) -> Json:
    return _kind("text", body=text, preview_url="://" in text)


def _words(part: Text | Link) -> str:
    if isinstance(part, Text):
        return part.text
    return "\n".join(filter(None, (part.title if part.title != part.url else None, part.text, part.url)))


def _captioned(part: Image | Video | File, file: Json | None) -> Json:
    if len(part.caption or "") > CAPTION:
        raise Undeliverable(f"WhatsApp carries at most {CAPTION} characters under a file.", code="caption_too_long")
    name = {"filename": part.media.name or "file"} if isinstance(part, File) else {}
    return _kind(_MEDIA[type(part)], **_referred(file), **name, caption=part.caption or None)


def _audio(part: Audio, file: Json | None) -> Json:
    """A recording is a voice note only as OGG; as any other sound it is a file to play."""
    is_note = part.voice and (part.media.mime or "").startswith("audio/ogg")
    return _kind("audio", **_referred(file), voice=True if is_note else None)


def _sticker(part: Sticker, file: Json | None) -> Json:
    """A sticker is a file here; one that other platforms know by a number is sent as its words."""
    words = part.text or ", ".join(part.keywords)
    return _text(words) if words and file is None else _kind("sticker", **_referred(file))


def _referred(file: Json | None) -> Json:
    if file is None:
        raise Undeliverable("The message has no file to show.", code="no_file", whose="us")
    return file


def _place(part: Location, _file: Json | None) -> Json:
    spot = {"latitude": str(part.latitude), "longitude": str(part.longitude)}
    return _kind("location", **spot, name=part.title, address=part.address)


def _people(part: Contacts, _file: Json | None) -> Json:
    cards = []
    for one in part.people:
        card: Json = {"name": {"formatted_name": one.name, "first_name": one.name}}
        card |= {"phones": [{"phone": phone} for phone in one.phones]} if one.phones else {}
        card |= {"emails": [{"email": email} for email in one.emails]} if one.emails else {}
        cards.append(card | ({"org": {"company": one.organization}} if one.organization else {}))
    return {"type": "contacts", "contacts": cards}


def _template(part: Template, _file: Json | None) -> Json:
    components = components_of(part.variables)
    return _kind("template", name=part.name, language={"code": part.language}, components=components or None)


_MEDIA: dict[type, str] = {Image: "image", Video: "video", File: "document"}
_KINDS: dict[type, Callable[[Any, Json | None], Json]] = {
    Text: lambda part, _: _text(part.text),
    Link: lambda part, _: _text(_words(part)),
    **dict.fromkeys(_MEDIA, _captioned),
    Audio: _audio,
    Sticker: _sticker,
    Location: _place,
    Contacts: _people,
    Template: _template,
}


# ---------------------------------------------------------------- what can be pressed


def _asked(text: str, choices: Sequence[QuickReply], header: Json | None, list_button: str) -> Json:
    """Return a text with its choices: up to three as buttons, more as a list, else written under it."""
    if len(choices) == 1 and choices[0].kind == "location" and len(text) <= _ABOVE_BUTTONS:
        return _interactive("location_request_message", text, {"name": "send_location"}, None)
    options = [{"id": one.data or one.title, "title": one.title} for one in choices]
    if _fits(text, options, most=3, above=_ABOVE_BUTTONS, title=20, id_=256):
        buttons = [{"type": "reply", "reply": option} for option in options]
        return _interactive("button", text, {"buttons": buttons}, header)
    is_plain = header is None or header["type"] == "text"
    if is_plain and _fits(text, options, most=10, above=_ABOVE_LIST, title=24, id_=200):
        return _interactive("list", text, {"button": list_button, "sections": [{"rows": options}]}, header)
    return _text(_listed(text, choices))


def _fits(text: str, options: list[Json], *, most: int, above: int, title: int, id_: int) -> bool:
    """Whether a shape of WhatsApp holds all of it uncut; it refuses two options of one name."""
    names, ids = ([option[key] for option in options] for key in ("title", "id"))
    distinct = len({*names}) == len({*ids}) == len(options) <= most
    short = all(0 < len(name) <= title for name in names) and all(len(one) <= id_ for one in ids)
    return distinct and short and 0 < len(text) <= above


def _listed(text: str, choices: Sequence[QuickReply]) -> str:
    written = "\n".join(f"{number}. {one.title}" for number, one in enumerate(choices, 1))
    if len(text) + len(written) > _ABOVE_LIST - 2:
        raise Undeliverable("The text is too long to write its quick replies under it.", code="text_too_long")
    return f"{text}\n\n{written}".strip()


def _interactive(kind: str, text: str, action: Json, header: Json | None) -> Json:
    return _kind("interactive", type=kind, header=header, body={"text": text}, action=action)


def _card(card: Card, file: Json | None, list_button: str) -> Json:
    """Return a card: one link as a link button, else buttons or a list; links beside those are written out."""
    links = [button for button in card.buttons if button.url]
    written = [f"{one.title}: {one.url}" for one in links]
    presses = [QuickReply(title=one.title, data=one.data or one.title) for one in card.buttons if not one.url]
    if len(links) == 1 and not presses:
        parameters = {"display_text": links[0].title, "url": links[0].url}
        header, words = _face(card, file, ())
        if len(words) <= _ABOVE_BUTTONS and 0 < len(links[0].title) <= 20:
            return _interactive("cta_url", words, {"name": "cta_url", "parameters": parameters}, header)
    for shown in (file, None) if presses else ():
        header, words = _face(card, shown, written)
        asked = _asked(words, presses, header, list_button)
        if asked["type"] == "interactive":
            return asked
    words = "\n".join(filter(None, (card.title, card.text, *written)))
    if presses:
        return _text(_listed(words, presses))
    return _kind("image", **file, caption=words) if file and len(words) <= CAPTION else _text(words)


def _face(card: Card, file: Json | None, written: Sequence[str]) -> tuple[Json | None, str]:
    """Return the header of a card, its picture or its title, and the words below."""
    below = "\n".join(filter(None, (card.text, *written)))
    if file is None and below and len(card.title) <= _HEADER:
        return {"type": "text", "text": card.title}, below
    header = {"type": "image", "image": file} if file else None
    return header, "\n".join(filter(None, (card.title, below)))
