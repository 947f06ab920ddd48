"""What a message may hold, and files. What has its usual value is left out of an answer."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, RootModel

from trunkline_desk.api.models.words import Answer

__all__ = ["Content", "Media"]


class Media(Answer):
    """A file; its bytes are at /media/{id} once it is stored."""

    id: str
    state: Literal["pending", "stored", "failed", "refused", "removed"]
    mime: str | None
    size: int | None
    name: str | None
    width: int | None
    height: int | None
    duration_ms: int | None
    reason: str | None


class Mention(Answer):
    """A person named in a text; start and length count characters."""

    start: int
    length: int
    name: str | None = None
    us: bool = False
    everyone: bool = False
    external_id: str | None = None


class Emoji(Answer):
    """A platform's own emoji; its place in the text holds a readable word."""

    start: int
    length: int
    pack: str
    id: str


class TextContent(Answer):
    """Plain text."""

    type: Literal["text"]
    text: str
    mentions: list[Mention] = Field(default_factory=list)
    emojis: list[Emoji] = Field(default_factory=list)


class ImageContent(Answer):
    """A picture."""

    type: Literal["image"]
    media: Media
    caption: str | None = None


class VideoContent(Answer):
    """A film."""

    type: Literal["video"]
    media: Media
    caption: str | None = None


class AudioContent(Answer):
    """Sound."""

    type: Literal["audio"]
    media: Media
    voice: bool = False


class FileContent(Answer):
    """A document."""

    type: Literal["file"]
    media: Media
    caption: str | None = None


class LocationContent(Answer):
    """A place."""

    type: Literal["location"]
    latitude: float
    longitude: float
    title: str | None = None
    address: str | None = None


class StickerContent(Answer):
    """A sticker."""

    type: Literal["sticker"]
    package_id: str | None = None
    sticker_id: str | None = None
    text: str | None = None
    keywords: list[str] = Field(default_factory=list)
    media: Media | None = None


class ChoiceContent(Answer):
    """The customer pressed a button."""

    type: Literal["choice"]
    title: str | None = None
    data: str
    params: dict[str, Any] = Field(default_factory=dict)


class CardButton(Answer):
    """A button of a card."""

    title: str
    data: str | None = None
    url: str | None = None


class CardContent(Answer):
    """A titled picture with buttons."""

    type: Literal["card"]
    title: str
    text: str | None = None
    image: Media | None = None
    buttons: list[CardButton] = Field(default_factory=list)


class CarouselContent(Answer):
    """Cards side by side."""

    type: Literal["carousel"]
    cards: list[CardContent]


class LinkContent(Answer):
    """A link with its description."""

    type: Literal["link"]
    url: str
    title: str | None = None
    text: str | None = None
    image: Media | None = None


class Person(Answer):
    """One entry of a shared contact card."""

    name: str
    phones: list[str] = Field(default_factory=list)
    emails: list[str] = Field(default_factory=list)
    organization: str | None = None


class ContactsContent(Answer):
    """Shared contact cards."""

    type: Literal["contacts"]
    people: list[Person]


class TemplateContent(Answer):
    """A message approved by the platform beforehand."""

    type: Literal["template"]
    name: str
    language: str
    variables: dict[str, Any] = Field(default_factory=dict)


class UnsupportedContent(Answer):
    """Something the platform has and we cannot show."""

    type: Literal["unsupported"]
    platform_kind: str
    note: str | None = None


class Content(
    RootModel[
        Annotated[
            TextContent
            | ImageContent
            | VideoContent
            | AudioContent
            | FileContent
            | LocationContent
            | StickerContent
            | ChoiceContent
            | CardContent
            | CarouselContent
            | LinkContent
            | ContactsContent
            | TemplateContent
            | UnsupportedContent,
            Field(discriminator="type"),
        ]
    ]
):
    """One of the kinds of content, told by `type`."""
