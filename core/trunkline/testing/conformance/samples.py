"""What the suite sends: one content of each kind, and texts that are exactly as long as a platform allows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from trunkline.contract import Capabilities, CardLimit, TemplateInfo, TextLimit, measure
from trunkline.model import (
    Audio,
    Button,
    Card,
    Carousel,
    Choice,
    Contacts,
    Content,
    ContentKind,
    File,
    Image,
    Link,
    Location,
    Media,
    Person,
    Sticker,
    Template,
    Text,
    Video,
)
from trunkline.testing.pictures import picture
from trunkline.testing.services import MemoryMedia

__all__ = ["EMOJI", "FAMILY", "MARKED", "SHOWN", "filled", "largest_card", "media_for", "sample", "template_of"]

#: Two UTF-16 units, four bytes, one character.
EMOJI = "🦊"
#: One grapheme, seven characters, eleven UTF-16 units.
FAMILY = "👨‍👩‍👧‍👦"
#: A letter with two marks on it: one grapheme, three characters.
MARKED = "e\u0301\u0323"

#: Content → how a customer may see it, where it is carried in full.
SHOWN: Mapping[ContentKind, frozenset[str]] = {
    ContentKind.TEXT: frozenset({"text"}),
    ContentKind.IMAGE: frozenset({"image", "cards"}),
    ContentKind.VIDEO: frozenset({"video", "cards"}),
    ContentKind.AUDIO: frozenset({"audio"}),
    ContentKind.FILE: frozenset({"file"}),
    ContentKind.LOCATION: frozenset({"location"}),
    ContentKind.STICKER: frozenset({"sticker"}),
    ContentKind.CARD: frozenset({"cards", "text"}),
    ContentKind.CAROUSEL: frozenset({"cards", "text"}),
    ContentKind.LINK: frozenset({"cards", "text"}),
}

#: Kind of media → MIME types that are tried in this order, with the beginning of such a file.
_FILES: Mapping[ContentKind, tuple[tuple[str, str, bytes], ...]] = {
    ContentKind.IMAGE: (("image/jpeg", "cup.jpg", b""), ("image/png", "cup.png", b"\x89PNG\r\n\x1a\n")),
    ContentKind.VIDEO: (("video/mp4", "film.mp4", b"\0\0\0\x18ftypmp42" + bytes(64)),),
    ContentKind.AUDIO: (
        ("audio/mp4", "voice.m4a", b"\0\0\0\x18ftypM4A " + bytes(64)),
        ("audio/mpeg", "voice.mp3", b"ID3" + bytes(64)),
        ("audio/amr", "voice.amr", b"#!AMR\n" + bytes(64)),
        ("audio/ogg", "voice.ogg", b"OggS" + bytes(64)),
        ("audio/aac", "voice.aac", b"\xff\xf1" + bytes(64)),
    ),
    ContentKind.STICKER: (("image/webp", "fox.webp", b"RIFF\x1a\0\0\0WEBPVP8L" + bytes(14)),),
    ContentKind.FILE: (("application/pdf", "invoice.pdf", b"%PDF-1.4\n%%EOF\n"),),
}


def media_for(kind: ContentKind, capabilities: Capabilities, kept: MemoryMedia) -> Media:
    """Return a small file that the channel declares to take."""
    rows = capabilities.rule(kind).media
    choices = _FILES[kind]
    allowed = [one for one in choices if any(_fits(one[0], mime) for row in rows for mime in row.mimes)]
    mime, name, content = (allowed or list(choices))[0]
    media = kept.keep(content or picture("cup"), mime, name)
    preview = f"{media.url}-preview.jpg" if kind in {ContentKind.IMAGE, ContentKind.VIDEO} else None
    sound = 1500 if kind in {ContentKind.VIDEO, ContentKind.AUDIO} else None
    return Media(
        id=media.id, mime=mime, size=media.size, name=name, url=media.url, preview_url=preview, duration_ms=sound
    )


def _fits(mime: str, pattern: str) -> bool:
    return pattern in {mime, "*/*"} or (pattern.endswith("/*") and mime.startswith(pattern[:-1]))


def sample(kind: ContentKind, words: str, capabilities: Capabilities, kept: MemoryMedia) -> Content:
    """Return a content of this kind in which `words` stand wherever it has words."""

    def media(of: ContentKind) -> Media:
        return media_for(of, capabilities, kept)

    makers: dict[ContentKind, Callable[[], Content]] = {
        ContentKind.TEXT: lambda: Text(text=words),
        ContentKind.IMAGE: lambda: Image(media=media(ContentKind.IMAGE)),
        ContentKind.VIDEO: lambda: Video(media=media(ContentKind.VIDEO)),
        ContentKind.AUDIO: lambda: Audio(media=media(ContentKind.AUDIO)),
        ContentKind.FILE: lambda: File(media=media(ContentKind.FILE)),
        ContentKind.LOCATION: lambda: Location(
            latitude=52.2297, longitude=21.0122, title=words, address="1 Long Street"
        ),
        ContentKind.STICKER: lambda: Sticker(
            package_id="446", sticker_id="1988", text=words, media=_picture_of_sticker(capabilities, kept)
        ),
        ContentKind.CHOICE: lambda: Choice(data="answer=1", title=words),
        ContentKind.CARD: lambda: _card(words),
        ContentKind.CAROUSEL: lambda: Carousel(cards=(_card(words), _card("Saddle"))),
        ContentKind.LINK: lambda: Link(url="https://shop.example/bell", title=words, text="Ring it"),
        ContentKind.CONTACTS: lambda: Contacts(people=(Person(name=words, phones=("+48600100200",)),)),
        ContentKind.TEMPLATE: lambda: Template(name="there_is_none", language="en"),
    }
    return makers[kind]()


def _picture_of_sticker(capabilities: Capabilities, kept: MemoryMedia) -> Media | None:
    """Return a file where stickers are files, None where they are numbers."""
    if not capabilities.rule(ContentKind.STICKER).media:
        return None
    return media_for(ContentKind.STICKER, capabilities, kept)


def _card(title: str) -> Card:
    return Card(title=title[:20], text="It rings", buttons=(Button(title="Take it", data="take=1"),))


def filled(limit: TextLimit, piece: str) -> str:
    """Return a text of exactly `limit.max` units, made of as many `piece`s as fit and then of letters."""
    text = piece * (limit.max // measure(piece, limit.unit))
    return text + "x" * (limit.max - measure(text, limit.unit))


def largest_card(limit: CardLimit, words: str) -> Card:
    """Return one card whose every part is as long as declared; `words` begin its title."""

    def part(most: int, begin: str = "") -> str:
        return begin + filled(TextLimit(max=most - measure(begin, limit.unit), unit=limit.unit), "y")

    buttons = tuple(
        Button(title=part(limit.button_title_max, str(number)), data=part(limit.button_data_max, str(number)))
        for number in range(limit.buttons_max)
    )
    text = part(limit.text_max) if limit.text_max else None
    return Card(title=part(limit.title_max, words[: limit.title_max]), text=text, buttons=buttons)


def template_of(info: TemplateInfo) -> Template:
    """Return a template with its blanks filled as the platform's own examples have it."""
    values: dict[str, Any] = {one.name: one.example or "7" for one in info.variables}
    return Template(name=info.name, language=info.language, variables=values)
