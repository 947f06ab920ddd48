"""Content → the method of the Bot API and its fields. Pure; a file is named here and uploaded by `api`.

Source: https://core.telegram.org/bots/api#available-methods (read 2026-11-22)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trunkline.contract import OutboundMessage, TextLimit, TextUnit, cut, measure
from trunkline.errors import Undeliverable
from trunkline.model import (
    Audio,
    Button,
    Card,
    Content,
    File,
    Image,
    Location,
    Media,
    QuickReply,
    Text,
    Video,
    content_kind,
)

from trunkline_telegram.capabilities import CAPTION_MAX, DATA_MAX

Json = dict[str, Any]
#: Method, its fields, and the file with the field that it goes into.
Call = tuple[str, Json, tuple[str, Media] | None]


def call_of(message: OutboundMessage) -> Call:
    """Return one call. Undeliverable when Telegram has nothing of this kind."""
    (part,) = message.parts
    method, fields, file = _call(part)
    fields["chat_id"] = message.to.external_id
    if message.quote:
        fields["reply_parameters"] = {"message_id": int(message.quote.external_id.rpartition(":")[2])}
    if message.quick_replies:
        fields["reply_markup"] = _keyboard(message.quick_replies)
    return method, fields, file


def _call(part: Content) -> Call:
    match part:
        case Text(text=text):
            return "sendMessage", {"text": text}, None
        case Image(media=media):
            return "sendPhoto", _caption(part), ("photo", media)
        case Video(media=media):
            return "sendVideo", _caption(part), ("video", media)
        case Audio(media=media) if part.voice and media.mime == "audio/ogg":
            return "sendVoice", {}, ("voice", media)
        case Audio(media=media):
            return "sendAudio", {}, ("audio", media)
        case File(media=media):
            return "sendDocument", _caption(part), ("document", media)
        case Location() if part.title and part.address:
            return "sendVenue", {**_place(part), "title": part.title, "address": part.address}, None
        case Location():
            return "sendLocation", _place(part), None
        case Card():
            text = "\n".join(filter(None, (part.title, part.text)))
            bold = {"type": "bold", "offset": 0, "length": measure(part.title, TextUnit.UTF16)}
            return "sendMessage", {"text": text, "entities": [bold], "reply_markup": _keyboard(part.buttons)}, None
        case _:
            raise Undeliverable(f"Telegram cannot carry this {content_kind(part)}.", code="not_carried")


def _caption(part: Image | Video | File) -> Json:
    limit = TextLimit(max=CAPTION_MAX, unit=TextUnit.UTF16)
    return {"caption": cut(part.caption, limit)} if part.caption else {}


def _place(part: Location) -> Json:
    return {"latitude": part.latitude, "longitude": part.longitude}


def _keyboard(buttons: Sequence[Button | QuickReply]) -> Json:
    """Return an inline keyboard, one button a row; what is pressed comes back as a callback query."""
    return {"inline_keyboard": [[_button(button)] for button in buttons]}


def _button(button: Button | QuickReply) -> Json:
    if isinstance(button, Button) and button.url:
        return {"text": button.title, "url": button.url}
    data = cut(button.data or button.title, TextLimit(max=DATA_MAX, unit=TextUnit.UTF8))
    return {"text": button.title, "callback_data": data}
