"""What a channel will carry of a message: fallbacks, splitting, and the requests it takes.

The result is the truth that the composer shows and the outbox sends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatch
from typing import Any

import msgspec

from trunkline.contract import Capabilities, ContentRule, MediaLimit, TextLimit, TextUnit, measure, split
from trunkline.model import (
    Audio,
    Card,
    Carousel,
    Contacts,
    Content,
    ContentKind,
    File,
    Image,
    Level,
    Link,
    Location,
    Media,
    QuickReply,
    Sticker,
    Text,
    Video,
    content_kind,
    media_of,
)
from trunkline.service.cards import check_cards
from trunkline.service.choices import make_room, with_choices
from trunkline.service.refusals import ReplyRefused

__all__ = ["Plan", "ReplyRefused", "Request", "plan_for", "text_of"]


class Request(msgspec.Struct, frozen=True):
    """What one request to the platform carries."""

    parts: tuple[Content, ...]
    quick_replies: tuple[QuickReply, ...] = ()


class Plan(msgspec.Struct, frozen=True):
    """How one message goes out."""

    requests: tuple[Request, ...]
    #: The worst level among its parts.
    level: Level
    #: What the agent should know, in English.
    notes: tuple[str, ...] = ()


def plan_for(content: Content, quick_replies: Sequence[QuickReply], capabilities: Capabilities) -> Plan:
    """Return what will be sent.

    Raises:
        ReplyRefused: the channel cannot carry it in any form.
    """
    rendered, level, notes = _render(content, capabilities, depth=0)
    rendered, choices, choice_level = with_choices(rendered, quick_replies, capabilities)
    parts = [part for item in rendered for part in _split(item, capabilities)]
    parts = make_room(parts, capabilities.quick_replies) if choices else parts
    size = capabilities.sending.items_per_request
    groups = [tuple(parts[start : start + size]) for start in range(0, len(parts), size)]
    last = len(groups) - 1
    requests = tuple(Request(group, choices if index == last else ()) for index, group in enumerate(groups))
    return Plan(requests, _worse(level, choice_level), notes)


_ORDER = (Level.FULL, Level.PARTIAL, Level.FALLBACK, Level.DROPPED, Level.REJECTED)


def _worse(one: Level, other: Level) -> Level:
    return max(one, other, key=_ORDER.index)


def _render(
    content: Content, capabilities: Capabilities, *, depth: int
) -> tuple[list[Content], Level, tuple[str, ...]]:
    """Turn a content value into values that the channel carries at level full or partial."""
    kind = content_kind(content)
    rule = capabilities.rule(kind)
    notes = (rule.note,) if rule.note else ()
    if rule.level in {Level.FULL, Level.PARTIAL}:
        _check_media(content, rule)
        _check_addresses(content, rule)
        if isinstance(content, Link) and rule.text and measure(text_of(content), rule.text.unit) > rule.text.max:
            return _in_texts(content), Level.FALLBACK, notes
        if rule.card is not None and isinstance(content, Card | Carousel):
            check_cards(content, rule.card)
        return [content], rule.level, notes
    if rule.level is not Level.FALLBACK or rule.becomes is None or depth > len(ContentKind):
        words = rule.note or "This channel has no such content."
        raise ReplyRefused(f"A message of kind {kind.value} cannot be sent here: {words}", code="content_unsupported")
    fallen: list[Content] = []
    for one in _fallback(content, rule.becomes):
        rendered, _, more = _render(one, capabilities, depth=depth + 1)
        fallen += rendered
        notes = tuple(dict.fromkeys((*notes, *more)))
    return fallen, Level.FALLBACK, notes


def _check_media(content: Content, rule: ContentRule) -> None:
    for medium in media_of(content):
        limit = _limit_for(medium, rule)
        if rule.media and limit is None:
            allowed = ", ".join(mime for row in rule.media for mime in row.mimes)
            words = f"This channel does not take {medium.mime or 'files of unknown type'}; it takes {allowed}."
            raise ReplyRefused(words, code="attachment_refused", field="attachments")
        if limit is not None and (medium.size or 0) > limit.max_bytes:
            words = f"The file has {medium.size} bytes; this channel takes at most {limit.max_bytes}."
            raise ReplyRefused(words, code="attachment_too_large", field="attachments")
        if limit is not None and limit.max_duration_s and (medium.duration_ms or 0) > limit.max_duration_s * 1000:
            words = f"The recording is longer than the {limit.max_duration_s} seconds that this channel takes."
            raise ReplyRefused(words, code="attachment_too_long", field="attachments")


def _in_texts(link: Link) -> list[Content]:
    """Return the words of a link, and its address apart, which must not be broken in two."""
    words = _lines(link.title if link.title != link.url else None, link.text)
    return [*([Text(text=words)] if words else ()), Text(text=link.url)]


def _check_addresses(content: Content, rule: ContentRule) -> None:
    """Refuse an address that is longer than the platform takes."""
    for number, url in enumerate(_addresses_of(content)):
        if rule.url_max is not None and measure(url, TextUnit.UTF8) > rule.url_max:
            words = f"Address {number + 1} has {len(url.encode())} bytes; this channel takes at most {rule.url_max}."
            raise ReplyRefused(words, code="link_too_long", field="content")


def _addresses_of(content: Content) -> list[str]:
    cards = content.cards if isinstance(content, Carousel) else [content] if isinstance(content, Card) else []
    buttons = [button.url for card in cards for button in card.buttons if button.url]
    return [content.url] if isinstance(content, Link) else buttons


def _limit_for(medium: Media, rule: ContentRule) -> MediaLimit | None:
    mime = medium.mime or ""
    return next((row for row in rule.media if any(fnmatch(mime, pattern) for pattern in row.mimes)), None)


def _fallback(content: Content, becomes: ContentKind) -> Sequence[Content]:
    if becomes is ContentKind.TEXT:
        return [Text(text=text_of(content))]
    if becomes is ContentKind.LINK:
        return [_as_link(content)]
    if becomes is ContentKind.FILE and media_of(content):
        return [File(media=media_of(content)[0])]
    if becomes is ContentKind.CARD and isinstance(content, Carousel):
        return content.cards
    raise ReplyRefused(
        f"A message of kind {content_kind(content).value} has no form as {becomes.value}.",
        code="content_unsupported",
    )


def _as_link(content: Content) -> Link:
    media = media_of(content)
    if not media or media[0].url is None:
        raise ReplyRefused(
            "The file has no public address: set server.public_url so that customers can open it.",
            code="attachment_refused",
            field="attachments",
        )
    caption = getattr(content, "caption", None)
    return Link(url=media[0].url, title=media[0].name or caption or media[0].url, text=caption)


def _lines(*lines: str | None) -> str:
    return "\n".join(line for line in lines if line)


def _card_text(card: Card) -> str:
    buttons = [f"{button.title}: {button.url}" if button.url else f"- {button.title}" for button in card.buttons]
    return _lines(card.title, card.text, *buttons)


#: Content → the words that stand for it where a channel carries only text.
_TEXTS: dict[type, Callable[[Any], str]] = {
    Link: lambda it: _lines(it.title if it.title != it.url else None, it.text, it.url),
    Card: _card_text,
    Carousel: lambda it: "\n\n".join(map(_card_text, it.cards)),
    Location: lambda it: _lines(it.title, it.address, f"{it.latitude:.6f}, {it.longitude:.6f}"),
    Sticker: lambda it: it.text or (it.keywords[0] if it.keywords else "[sticker]"),
    Contacts: lambda it: "\n".join(_lines(one.name, *one.phones, *one.emails) for one in it.people),
}
for _kind in (Image, Video, Audio, File):
    _TEXTS[_kind] = lambda it: _TEXTS[Link](_as_link(it))


def text_of(content: Content) -> str:
    """Return what stands for a content where only text is carried. ReplyRefused where nothing does."""
    words = _TEXTS.get(type(content))
    text = "" if words is None else words(content)
    if not text.strip():
        kind = content_kind(content).value
        raise ReplyRefused(f"A message of kind {kind} has no form as text.", code="content_unsupported")
    return text


def _split(content: Content, capabilities: Capabilities) -> Iterator[Content]:
    limit: TextLimit | None = capabilities.rule(content_kind(content)).text
    if limit is None or not isinstance(content, Text) or measure(content.text, limit.unit) <= limit.max:
        yield content
        return
    for piece in split(content.text, limit):
        yield Text(text=piece)
