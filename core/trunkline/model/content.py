"""What a message may hold: one tagged value per kind, written to JSON with the tag `type`."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any

import msgspec

__all__ = [
    "Audio",
    "Button",
    "Card",
    "Carousel",
    "Choice",
    "Contacts",
    "Content",
    "ContentKind",
    "Emoji",
    "File",
    "Image",
    "Link",
    "Location",
    "Media",
    "MediaSource",
    "Mention",
    "Person",
    "QuickReply",
    "Sticker",
    "Template",
    "Text",
    "Unsupported",
    "Video",
    "content_kind",
    "media_of",
    "summary",
]


class ContentKind(StrEnum):
    """The kinds of content; also the `type` tag in JSON and the key of a capability rule."""

    TEXT = "text"
    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"
    FILE = "file"
    LOCATION = "location"
    STICKER = "sticker"
    CHOICE = "choice"
    CARD = "card"
    CAROUSEL = "carousel"
    LINK = "link"
    CONTACTS = "contacts"
    TEMPLATE = "template"
    UNSUPPORTED = "unsupported"


class Value(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of the plain values in this module."""


class Part(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type"):
    """Base of the content kinds: written with their tag, defaults left out."""


class MediaSource(Value, frozen=True):
    """Where the platform keeps the bytes of an inbound medium."""

    #: What `Connector.fetch` needs: a media id, or an https URL when `external` is true.
    reference: str
    #: True when `reference` is a URL outside the platform: fetched by the guarded client, without credentials.
    external: bool = False
    #: Further facts the connector needs to fetch, e.g. the message kind.
    extra: dict[str, Any] = {}


class Media(Value, frozen=True):
    """One file. In an outbound message `url` and `preview_url` are public and long-lived."""

    id: str | None = None
    #: MIME type by content once stored, as announced by the platform before.
    mime: str | None = None
    #: Bytes.
    size: int | None = None
    name: str | None = None
    width: int | None = None
    height: int | None = None
    duration_ms: int | None = None
    source: MediaSource | None = None
    url: str | None = None
    #: A JPEG of at most 1 MB; None for kinds without a picture.
    preview_url: str | None = None


class Mention(Value, frozen=True):
    """A person named in a text; `start` and `length` count characters (code points)."""

    start: int
    length: int
    external_id: str | None = None
    name: str | None = None
    #: True when our own account is addressed.
    us: bool = False
    everyone: bool = False


class Emoji(Value, frozen=True):
    """A platform's own emoji; its place in the text holds a readable word."""

    start: int
    length: int
    pack: str
    id: str


class QuickReply(Value, frozen=True):
    """A suggested answer shown with a message. `kind` other than "text" asks the device for something."""

    title: str
    data: str = ""
    kind: str = "text"


class Button(Value, frozen=True):
    """A button of a card: `data` comes back as a Choice, `url` opens a page."""

    title: str
    data: str | None = None
    url: str | None = None


class Person(Value, frozen=True):
    """One entry of a shared contact card."""

    name: str
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    organization: str | None = None


class Text(Part, frozen=True, tag="text"):
    """Plain text, never markup."""

    text: str
    mentions: tuple[Mention, ...] = ()
    emojis: tuple[Emoji, ...] = ()


class Image(Part, frozen=True, tag="image"):
    """A picture."""

    media: Media
    caption: str | None = None


class Video(Part, frozen=True, tag="video"):
    """A film."""

    media: Media
    caption: str | None = None


class Audio(Part, frozen=True, tag="audio"):
    """Sound; `voice` is true for a recorded voice note."""

    media: Media
    voice: bool = False


class File(Part, frozen=True, tag="file"):
    """A document."""

    media: Media
    caption: str | None = None


class Location(Part, frozen=True, tag="location"):
    """A place; degrees in WGS 84 as the platform gave them."""

    latitude: float
    longitude: float
    title: str | None = None
    address: str | None = None


class Sticker(Part, frozen=True, tag="sticker"):
    """A sticker. Show `text`, else the keywords, else the word for sticker."""

    package_id: str | None = None
    sticker_id: str | None = None
    text: str | None = None
    keywords: tuple[str, ...] = ()
    media: Media | None = None


class Choice(Part, frozen=True, tag="choice"):
    """The customer pressed a button, a quick reply or a menu entry."""

    data: str
    title: str | None = None
    params: dict[str, Any] = {}


class Card(Part, frozen=True, tag="card"):
    """A titled picture with buttons."""

    title: str
    text: str | None = None
    image: Media | None = None
    buttons: tuple[Button, ...] = ()


class Carousel(Part, frozen=True, tag="carousel"):
    """Cards side by side."""

    cards: tuple[Card, ...]


class Link(Part, frozen=True, tag="link"):
    """A link with its description."""

    url: str
    title: str | None = None
    text: str | None = None
    image: Media | None = None


class Contacts(Part, frozen=True, tag="contacts"):
    """Shared contact cards."""

    people: tuple[Person, ...]


class Template(Part, frozen=True, tag="template"):
    """A message approved by the platform beforehand."""

    name: str
    language: str
    variables: dict[str, Any] = {}


class Unsupported(Part, frozen=True, tag="unsupported"):
    """Something the platform has and we cannot show; `platform_kind` is its name there."""

    platform_kind: str
    note: str | None = None
    raw: dict[str, Any] = {}


#: Everything that a message may hold.
Content = (
    Text
    | Image
    | Video
    | Audio
    | File
    | Location
    | Sticker
    | Choice
    | Card
    | Carousel
    | Link
    | Contacts
    | Template
    | Unsupported
)


def content_kind(content: Content) -> ContentKind:
    """Return the kind of a content value."""
    return ContentKind(str(content.__struct_config__.tag))


def media_of(content: Content) -> tuple[Media, ...]:
    """Return the media a content value refers to, in order."""
    if type(content) is Text:
        return ()
    match content:
        case Image(media=media) | Video(media=media) | Audio(media=media) | File(media=media):
            return (media,)
        case Sticker(media=Media() as media) | Card(image=Media() as media) | Link(image=Media() as media):
            return (media,)
        case Carousel(cards=cards):
            return tuple(card.image for card in cards if card.image is not None)
        case _:
            return ()


def _sticker_words(sticker: Sticker) -> str:
    return sticker.text or ", ".join(sticker.keywords)


#: Content → the words that stand for it in a preview or the search.
_WORDS: dict[type, Callable[[Any], str | None]] = {
    Text: lambda it: it.text,
    Image: lambda it: it.caption,
    Video: lambda it: it.caption,
    File: lambda it: it.caption or it.media.name,
    Location: lambda it: it.title or it.address,
    Sticker: _sticker_words,
    Choice: lambda it: it.title or it.data,
    Card: lambda it: it.title,
    Carousel: lambda it: ", ".join(card.title for card in it.cards),
    Link: lambda it: it.title or it.url,
    Contacts: lambda it: ", ".join(person.name for person in it.people),
    Template: lambda it: it.name,
    Unsupported: lambda it: it.note,
}


def summary(content: Content) -> str:
    """Return the words of a content value for a preview or the search, "" when it has none."""
    words = _WORDS.get(type(content))
    return (words(content) or "") if words else ""
