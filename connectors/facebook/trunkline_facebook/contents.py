"""What a message holds → contents, each as plain values for `msgspec.convert`. Pure; nothing here raises for one part.

Source: https://developers.facebook.com/docs/messenger-platform/reference/webhook-events/messages (read 2026-11-22)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from trunkline.model import Content

Json = dict[str, Any]

#: What reading an attachment raises that is not as it should be.
_MISFIT = (LookupError, TypeError, ValueError, AttributeError, OverflowError)
_MEDIA = ("image", "video", "audio", "file")
_POSTS = {"post", "reel", "ig_post", "ig_reel"}
_LINKS = ("fallback", "share", *_POSTS)


def contents_of(message: Json) -> list[Json]:
    """Return the contents of a message, its text first; there is always one."""
    contents = [_text(message)] if message.get("text") else []
    if message.get("is_unsupported"):
        contents.append(_unsupported("unsupported", "The platform does not hand this message to other programs."))
    attachments = message.get("attachments")
    contents += [_attachment(one) for one in _distinct(attachments if isinstance(attachments, list) else [])]
    return contents or [_unsupported("empty", "A message without text and attachments.", message)]


def _text(message: Json) -> Json:
    pressed = message.get("quick_reply")
    if isinstance(pressed, dict):
        return {"type": "choice", "data": pressed["payload"], "title": message["text"]}
    return {"type": "text", "text": message["text"]}


def _distinct(attachments: list[Any]) -> Iterator[Any]:
    """Leave out what the platform says twice while it changes a name: stickers, and shared posts."""
    shares = any(_kind(one) in _POSTS for one in attachments)
    stickers: set[str] = set()
    for one in attachments:
        payload = one.get("payload") if isinstance(one, dict) else None
        sticker = str(payload.get("sticker_id", "")) if isinstance(payload, dict) else ""
        if sticker not in stickers and not (shares and _kind(one) == "share"):
            yield one
        stickers |= {sticker} - {""}


def _kind(one: Any) -> str:
    return str(one.get("type")) if isinstance(one, dict) else ""


def _attachment(one: Any) -> Json:
    """Return the content of an attachment; what cannot be shown stands there as unsupported."""
    try:
        # Title and address may stand beside the payload, and the payload may be null.
        about = {**one, **{name: value for name, value in (one.get("payload") or {}).items() if value is not None}}
        content = _sticker(about) if "sticker_id" in about else _READERS[one["type"]](about)
        msgspec.convert(content, Content)
    except _MISFIT:
        raw = one if isinstance(one, dict) else {"attachment": one}
        return _unsupported(str(raw.get("type") or "attachment"), None, raw)
    return content


def _unsupported(kind: str, note: str | None, raw: Json | None = None) -> Json:
    return {"type": "unsupported", "platform_kind": kind, "note": note, "raw": raw or {}}


def _file(url: str) -> Json:
    """There is no name in the webhook: the address may end with one."""
    name = unquote(urlsplit(url).path.rpartition("/")[2])
    return {"name": name if "." in name else None, "source": {"reference": url, "external": True}}


def _sticker(about: Json) -> Json:
    media = _file(about["url"]) if "url" in about else None
    return {"type": "sticker", "sticker_id": str(about["sticker_id"]), "media": media}


def _place(about: Json) -> Json:
    spot = about["coordinates"]
    return {"type": "location", "latitude": spot["lat"], "longitude": spot["long"], "title": about.get("title")}


def _template(about: Json) -> Json:
    elements = about.get("product", about).get("elements") or [{**about, "title": about["text"]}]
    cards = [_card(element) for element in elements]
    return {**cards[0], "type": "card"} if len(cards) == 1 else {"type": "carousel", "cards": cards}


def _card(element: Json) -> Json:
    buttons = [
        {"title": button["title"], "url": button.get("url"), "data": button.get("payload")}
        for button in element.get("buttons") or ()
    ]
    image = _file(element["image_url"]) if element.get("image_url") else None
    return {"title": element["title"], "text": element.get("subtitle"), "image": image, "buttons": buttons}


def _appointment(about: Json) -> Json:
    start, end = (datetime.fromtimestamp(about[name], UTC) for name in ("start_time", "end_time"))
    text = f"{start:%Y-%m-%d %H:%M}–{end:%H:%M} UTC; the customer's time zone: {about.get('timezone', 'unknown')}"
    return {"type": "card", "title": f"Appointment {about['status']}", "text": text}


#: The platform's kind of an attachment → what reads it. Links are web pages, which are never loaded for anybody; what
#: mentions us in a story is a picture or a film, which the address does not tell.
_READERS: dict[str, Callable[[Json], Json]] = {
    **dict.fromkeys(_MEDIA, lambda about: {"type": about["type"], "media": _file(about["url"])}),
    **dict.fromkeys(_LINKS, lambda about: {"type": "link", "url": about["url"], "title": about.get("title")}),
    "location": _place,
    "template": _template,
    "appointment_booking": _appointment,
    "story_mention": lambda about: {
        "type": "file",
        "media": _file(about["url"]),
        "caption": "Mentioned you in a story",
    },
    "like_heart": lambda _: {"type": "sticker", "text": "❤️"},
    "ephemeral": lambda _: _unsupported("ephemeral", "Something that can be seen once, on the phone only."),
}


def order_of(order: Json) -> Json:
    """Return a cart that was sent, as a card."""
    lines = [
        f"{product['quantity']} × {product['name']}, {product['unit_price']} {product['currency']}"
        for product in order["products"]
    ]
    return {"type": "card", "title": "Order", "text": "\n".join([*lines, *filter(None, [order.get("note")])])}
