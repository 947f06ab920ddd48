"""What somebody wants to say, and the contents that it becomes once its files are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from trunkline.model import (
    Audio,
    Card,
    Carousel,
    Content,
    File,
    Image,
    Link,
    Media,
    QuickReply,
    Template,
    Text,
    Video,
    media_of,
)
from trunkline.service.refusals import ReplyRefused

__all__ = ["Draft", "Look", "contents_of", "files_of", "medium_of"]

#: Id of a stored file → the file with its public addresses. Raises ReplyRefused when there is none.
Look = Callable[[str], Media]


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants to say: each attachment becomes a message of its own, then the text, then `contents`.

    A picture of a card, and a medium in a template's variable (`{"media": {"id": …}}`), need only their ids; a
    connector gets the latter as `{"media": …, "link": its public address, "name": …}`.
    """

    text: str | None = None
    #: Ids of stored media.
    attachments: tuple[str, ...] = ()
    quick_replies: tuple[QuickReply, ...] = ()
    #: Our id of the message that is answered.
    reply_to: str | None = None
    contents: tuple[Content, ...] = ()
    #: The request that asks for it.
    request_id: str | None = None


def contents_of(draft: Draft, look: Look) -> list[Content]:
    """Return the contents in the order in which they are sent.

    Raises:
        ReplyRefused: there is nothing to send, or a file is unknown.
    """
    contents: list[Content] = [_attachment(look(media_id)) for media_id in draft.attachments]
    if draft.text is not None and draft.text.strip():
        contents.append(Text(text=draft.text))
    contents.extend(_with_files(content, look) for content in draft.contents)
    if not contents:
        raise ReplyRefused("There is nothing to send.", code="empty_reply", field="text")
    return contents


#: First half of the MIME type → content kind.
_BY_FAMILY: dict[str, Any] = {"image": Image, "video": Video, "audio": Audio}


def _attachment(media: Media) -> Content:
    kind = _BY_FAMILY.get((media.mime or "").split("/", 1)[0], File)
    content: Content = kind(media=media)
    return content


def medium_of(row: Any, url: str | None, preview_url: str | None) -> Media:
    """Return a row of the table of media as what a message carries.

    Raises:
        ReplyRefused: there is no such file.
    """
    if row is None or row.state != "stored":
        raise ReplyRefused("There is no such attachment.", code="attachment_not_found", field="attachments", status=404)
    return Media(
        id=row.id,
        mime=row.mime,
        size=row.size,
        name=row.name,
        width=row.width,
        height=row.height,
        duration_ms=row.duration_ms,
        url=url,
        preview_url=preview_url,
    )


def _with_files(content: Content, look: Look) -> Content:
    match content:
        case Card() | Link():
            return msgspec.structs.replace(content, image=_picture(content.image, look))
        case Carousel(cards=cards):
            return Carousel(
                cards=tuple(msgspec.structs.replace(card, image=_picture(card.image, look)) for card in cards)
            )
        case Template(variables=variables):
            filled = {name: _variable(value, look) for name, value in variables.items()}
            return msgspec.structs.replace(content, variables=filled)
        case _:
            return content


def _picture(image: Media | None, look: Look) -> Media | None:
    return image if image is None or image.id is None or image.url is not None else look(image.id)


def _variable(value: Any, look: Look) -> Any:
    media_id = _named(value)
    if media_id is None:
        return value
    medium = look(media_id)
    return {"media": msgspec.to_builtins(medium), "link": medium.url, "name": medium.name}


def _named(value: Any) -> str | None:
    """Return the id of the file that the value of a template's variable names."""
    medium = value.get("media") if isinstance(value, dict) else None
    return medium.get("id") if isinstance(medium, dict) else None


def files_of(content: Content) -> Sequence[str]:
    """Return the ids of the files that a content carries."""
    named = [medium.id for medium in media_of(content)]
    if isinstance(content, Template):
        named += [_named(value) for value in content.variables.values()]
    return [media_id for media_id in named if media_id]
