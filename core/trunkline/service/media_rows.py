"""The files of a message from outside: a row of ours for every one, to be fetched in the background."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from trunkline.model import Media

__all__ = ["media_row", "replace_media", "source_text"]

_encode = msgspec.json.Encoder().encode


def media_row(medium: Media, message_id: str, thread: tuple[str, str], now: int) -> tuple[Any, ...]:
    """Return the values of `arrivals.MEDIA_COLUMNS`; `thread` is (account, id), the medium has its id already."""
    known = (medium.mime, medium.size, medium.name, medium.duration_ms)
    return (medium.id, *thread, message_id, "pending", *known, source_text(medium), 0, now, now)


def source_text(medium: Media) -> str:
    """Return where the platform has it, as the row keeps it."""
    return _encode(medium.source).decode()


def replace_media(content: Any, adopted: Mapping[int, Media]) -> Any:
    """Return the content with its media (known by identity) exchanged, at any depth."""
    if isinstance(content, Media):
        return adopted.get(id(content), content)
    if isinstance(content, tuple):
        return tuple(replace_media(item, adopted) for item in content)
    if isinstance(content, msgspec.Struct):
        changes = {name: replace_media(getattr(content, name), adopted) for name in content.__struct_fields__}
        return msgspec.structs.replace(content, **changes)
    return content
