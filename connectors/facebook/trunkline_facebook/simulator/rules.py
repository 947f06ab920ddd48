"""What the platform accepts as a message: its limits in its own units, its refusals by code. Pure.

Source: https://developers.facebook.com/docs/messenger-platform/reference/send-api (read 2026-11-22)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

Json = dict[str, Any]

ATTACHMENT_MAX = 25_000_000
LINKED_IMAGE_MAX = 8_000_000
#: Types of an attachment on Instagram → what a file of that type may be.
_INSTAGRAM_FILES = {
    "image": ("image/png", "image/jpeg", "image/gif"),
    "audio": ("audio/aac", "audio/mp4", "audio/x-m4a", "audio/wav", "audio/x-wav"),
    "video": ("video/mp4", "video/ogg", "video/x-msvideo", "video/quicktime", "video/webm"),
    "file": ("application/pdf",),
}
_ASKS = {"text", "user_phone_number", "user_email"}


class Refusal(Exception):
    """An answer of the Graph API that is an error."""

    def __init__(self, code: int, subcode: int | None, words: str, *, status: int = 400) -> None:
        super().__init__(words)
        self.status = status
        kind = "OAuthException" if code in {1, 2, 4, 10, 100, 190, 200} else "GraphMethodException"
        self.error: Json = {"message": words, "type": kind, "code": code, "fbtrace_id": "A" + "b" * 10}
        if subcode is not None:
            self.error["error_subcode"] = subcode


def check_message(message: Json, channel: str) -> None:
    """Raise the Refusal of the first thing that is wrong."""
    for words in _problems(message, channel):
        raise Refusal(100, 2534015 if channel == "instagram" else None, f"(#100) {words}")


def check_file(kind: str, mime: str, size: int, channel: str) -> None:
    """Raise a Refusal unless a file may be uploaded as an attachment of this type."""
    most = LINKED_IMAGE_MAX if channel == "instagram" and kind == "image" else ATTACHMENT_MAX
    if size > most:
        raise Refusal(100, 2018109, "(#100) Attachment size exceeds allowable limit")
    right = mime in _INSTAGRAM_FILES.get(kind, ()) if channel == "instagram" else kind == "file" or _is_a(mime, kind)
    if not right:
        raise Refusal(100, 2018047, f"(#100) Upload attachment failure: {mime} is no {kind}")


def actions_of(message: Json) -> list[Json]:
    """Return the quick replies and buttons of a message, in the order in which they are shown."""
    payload = message.get("attachment", {}).get("payload", {})
    cards = payload.get("elements", [payload])
    return [*message.get("quick_replies", ()), *(button for card in cards for button in card.get("buttons", ()))]


def _is_a(mime: str, kind: str) -> bool:
    return mime.startswith(f"{kind}/")


def _problems(message: Json, channel: str) -> Iterator[str]:
    kinds = [name for name in _KINDS if message.get(name)]
    if len(kinds) != 1:
        yield f"Message must have exactly one of text and attachment, it has {kinds}"
        return
    yield from _KINDS[kinds[0]](message[kinds[0]], channel)
    if len(message.get("metadata", "")) >= 1000:
        yield "Length of param message[metadata] must be less than 1000"
    yield from _quick_replies(message.get("quick_replies", []), channel)


def _text(text: Any, channel: str) -> Iterator[str]:
    if channel == "instagram":
        if len(text.encode()) > 1000:
            yield "Length of param message[text] must be less than or equal to 1000 bytes"
    elif len(text) >= 2000:
        yield "Length of param message[text] must be less than 2000"


def _sticker(sticker: Any, channel: str) -> Iterator[str]:
    if channel == "instagram" or not isinstance(sticker, int):
        yield "Param message[sticker_id] must be a sticker"


def _images(images: list[Json], channel: str) -> Iterator[str]:
    if not 1 <= len(images) <= 30 or any(one.get("type") != "image" for one in images):
        yield "Param message[attachments] must be 1 to 30 images"
    for one in images:
        yield from _attachment(one, channel)


def _attachment(attachment: Json, _channel: str) -> Iterator[str]:
    kind, payload = attachment.get("type"), attachment.get("payload") or {}
    if kind == "template":
        yield from _template(payload)
    elif kind not in _INSTAGRAM_FILES:
        yield f"Param message[attachment][type] must be one of image, audio, video, file, template, not {kind}"
    elif "attachment_id" not in payload:
        yield from _address("message[attachment][payload][url]", payload.get("url"))


_KINDS: dict[str, Callable[[Any, str], Iterator[str]]] = {
    "text": _text,
    "sticker_id": _sticker,
    "attachments": _images,
    "attachment": _attachment,
}


def _template(payload: Json) -> Iterator[str]:
    kind = payload.get("template_type")
    if kind == "button":
        yield from _words("text", payload.get("text"), 640)
        yield from _buttons(payload.get("buttons"), least=1)
    elif kind == "generic":
        elements = payload.get("elements") or []
        if not 1 <= len(elements) <= 10:
            yield "Param elements must have 1 to 10 elements"
        for element in elements:
            yield from _element(element)
    else:
        yield f"Param template_type must be a known template, not {kind}"


def _element(element: Json) -> Iterator[str]:
    yield from _words("title", element.get("title"), 80)
    if element.keys() <= {"title"}:
        yield "Element needs at least one property beside its title"
    if "subtitle" in element:
        yield from _words("subtitle", element["subtitle"], 80)
    if "image_url" in element:
        yield from _address("image_url", element["image_url"])
    if "buttons" in element:
        yield from _buttons(element["buttons"], least=1)


def _buttons(buttons: Any, *, least: int) -> Iterator[str]:
    if not isinstance(buttons, list) or not least <= len(buttons) <= 3:
        yield f"Param buttons must have {least} to 3 buttons"
        return
    for button in buttons:
        yield from _words("title", button.get("title"), 20)
        if button.get("type") == "web_url":
            yield from _address("url", button.get("url"))
        elif button.get("type") == "postback":
            yield from _words("payload", button.get("payload"), 1000)
        else:
            yield f"Button type {button.get('type')} is unknown"


def _quick_replies(replies: list[Json], channel: str) -> Iterator[str]:
    if len(replies) > 13:
        yield "Param message[quick_replies] must have at most 13 elements"
    for reply in replies:
        kind = reply.get("content_type")
        if kind not in ({"text"} if channel == "instagram" else _ASKS):
            yield f"Quick reply of content_type {kind} is not allowed"
        elif kind == "text":
            yield from _words("payload", reply.get("payload"), 1000)
            # Instagram cuts a long title, Messenger refuses it.
            yield from _words("title", reply.get("title"), 20 if channel == "facebook" else 1000)


def _words(name: str, value: Any, most: int) -> Iterator[str]:
    if not isinstance(value, str) or not 1 <= len(value) <= most:
        yield f"Param {name} must be text of 1 to {most} characters"


def _address(name: str, value: Any) -> Iterator[str]:
    """HTTPS only; plain HTTP passes for loopback, where this simulator lives."""
    parts = urlsplit(value) if isinstance(value, str) else urlsplit("")
    local = parts.scheme == "http" and parts.hostname in {"127.0.0.1", "localhost", "::1"}
    if not (local or (parts.scheme == "https" and parts.hostname)):
        yield f"Param {name} should represent a valid URL"
