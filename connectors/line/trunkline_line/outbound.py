"""Content → LINE's message objects. Pure; one part becomes one message, so that their ids stay in step.

Source: https://developers.line.biz/en/reference/messaging-api/#message-objects (read 2026-11-21)
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from trunkline import errors
from trunkline.contract import OutboundMessage, TextLimit, TextUnit, cut, measure
from trunkline.model import (
    Audio,
    AuthorKind,
    Card,
    Carousel,
    Content,
    Image,
    Link,
    Location,
    Media,
    Sticker,
    Text,
    Video,
    content_kind,
)  # fmt: skip

Json = dict[str, Any]
#: What a suggested answer may ask the phone for → LINE's action.
DEVICE_ACTIONS = {"location": "location", "camera": "camera", "photo": "cameraRoll"}
_utf16, _graphemes = (partial(TextLimit, unit=unit) for unit in (TextUnit.UTF16, TextUnit.GRAPHEMES))


def messages_of(message: OutboundMessage) -> list[Json]:
    """Return the `messages` of a request. Undeliverable when a part lacks what LINE needs."""
    messages = [_rendered(part) for part in message.parts]
    if message.author.kind is AuthorKind.AGENT and message.author.name:
        messages = [{**m, "sender": {"name": cut(message.author.name, _utf16(max=20))}} for m in messages]
    if message.quote and message.quote.token and messages[0]["type"] in {"text", "sticker"}:
        messages[0]["quoteToken"] = message.quote.token
    if message.quick_replies:
        actions = [_action(r.title, 20, data=r.data, device=r.kind) for r in message.quick_replies]
        messages[-1]["quickReply"] = {"items": [{"type": "action", "action": action} for action in actions]}
    return messages


def _rendered(part: Content) -> Json:
    kind = _KINDS.get(type(part))
    if kind is None or part == Carousel(cards=()):
        raise errors.Undeliverable(f"LINE cannot carry this {content_kind(part)}.", code="not_carried")
    return kind(part)


def _media(part: Image | Video) -> Json:
    """LINE's pictures and films need a preview and have no caption: with other ones a card carries both."""
    url, preview = _url(part.media), part.media.preview_url
    if preview and not part.caption:
        return {"type": str(content_kind(part)), "originalContentUrl": url, "previewImageUrl": preview}
    image = Media(url=preview) if preview else None
    return _link(Link(url=url, title=part.caption or part.media.name, image=image))


def _place(part: Location) -> Json:
    spot = f"{part.latitude:.5f}, {part.longitude:.5f}"
    title, address = (cut(words or spot, _utf16(max=100)) for words in (part.title, part.address))
    place = {"latitude": part.latitude, "longitude": part.longitude}
    return {"type": "location", "title": title, "address": address, **place}


def _sticker(part: Sticker) -> Json:
    if not (part.package_id and part.sticker_id):
        raise errors.Undeliverable("A sticker of LINE has a package and a number.", code="no_sticker")
    return {"type": "sticker", "packageId": part.package_id, "stickerId": part.sticker_id}


def _link(part: Link) -> Json:
    title, text = part.title or part.url, part.text or (part.url if part.title else None)
    return _flex(title, [_bubble(Card(title=title, text=text, image=part.image), part.url)])


def _url(media: Media) -> str:
    if media.url is None:
        raise errors.Undeliverable("The file has no public address.", code="no_public_address", whose="us")
    return media.url


def _cards(cards: tuple[Card, ...]) -> Json:
    """Return a template where that loses nothing, else a flex message."""
    alt, columns = ", ".join(card.title for card in cards), [_column(card) for card in cards]
    shape, one = (set(columns[0]), len(columns[0]["actions"])), len(cards) == 1
    alike = all((set(column), len(column["actions"])) == shape for column in columns)
    if one and shape == ({"text", "actions"}, 2) and _fits(columns[0], 2, 240):
        return _alt("template", alt, template={"type": "confirm", **columns[0]})
    if one and _fits(columns[0], 4, 160):
        return _alt("template", alt, template={"type": "buttons", **columns[0]})
    if alike and len(cards) <= 10 and all(_fits(column, 3, 120) for column in columns):
        return _alt("template", alt, template={"type": "carousel", "columns": columns})
    return _flex(alt, [_bubble(card) for card in cards])


def _column(card: Card) -> Json:
    words = {"title": card.title, "text": card.text} if card.text else {"text": card.title}
    picture = {"thumbnailImageUrl": _url(card.image)} if card.image else {}
    return {
        **words,
        **picture,
        "actions": [_action(b.title, 40, url=b.url, data=b.data) for b in card.buttons],
    }


def _fits(column: Json, actions: int, text: int) -> bool:
    """Whether a template holds a column uncut; with a title or a picture a text has 60 graphemes."""
    limits = {"title": 40, "text": 60 if len(column) > 2 else text}
    labels = [(action["label"], 20) for action in column["actions"]]
    texts = [(column[name], most) for name, most in limits.items() if name in column]
    return 1 <= len(labels) <= actions and all(
        measure(text, TextUnit.GRAPHEMES) <= most for text, most in (*texts, *labels)
    )


def _bubble(card: Card, url: str | None = None) -> Json:
    lines = [{"type": "text", "text": card.title, "weight": "bold", "wrap": True}]
    if card.text:
        lines.append({"type": "text", "text": card.text, "size": "sm", "wrap": True})
    bubble: Json = {"type": "bubble", "body": {"type": "box", "layout": "vertical", "contents": lines}}
    if card.image:
        bubble["hero"] = {"type": "image", "url": _url(card.image), "size": "full", "aspectMode": "fit"}
    if buttons := [_action(b.title, 40, url=b.url, data=b.data) for b in card.buttons]:
        rows = [{"type": "button", "action": action} for action in buttons]
        bubble["footer"] = {"type": "box", "layout": "vertical", "contents": rows}
    return {**bubble, "action": {"type": "uri", "uri": url}} if url else bubble


def _flex(alt: str, bubbles: list[Json]) -> Json:
    contents = bubbles[0] if len(bubbles) == 1 else {"type": "carousel", "contents": bubbles}
    return _alt("flex", alt, contents=contents)


def _alt(kind: str, alt: str, **contents: Json) -> Json:
    return {"type": kind, "altText": cut(alt, _utf16(max=1500)), **contents}


def _action(title: str, most: int, *, url: str | None = None, data: str | None = None, device: str = "") -> Json:
    label = cut(title, _graphemes(max=most))
    if device in DEVICE_ACTIONS:
        return {"type": DEVICE_ACTIONS[device], "label": label}
    if url:
        return {"type": "uri", "label": label, "uri": url}
    if data:
        return {"type": "postback", "label": label, "data": data, "displayText": cut(title, _graphemes(max=300))}
    return {"type": "message", "label": label, "text": cut(title, _graphemes(max=300))}


_KINDS: dict[type[Content], Callable[[Any], Json]] = {
    Text: lambda part: {"type": "text", "text": part.text},
    Image: _media,
    Video: _media,
    Audio: lambda part: {
        "type": "audio",
        "originalContentUrl": _url(part.media),
        "duration": part.media.duration_ms or 1000,
    },
    Location: _place,
    Sticker: _sticker,
    Link: _link,
    Card: lambda part: _cards((part,)),
    Carousel: lambda part: _cards(part.cards),
}
