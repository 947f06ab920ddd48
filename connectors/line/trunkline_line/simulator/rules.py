"""What LINE accepts as a message: limits in its own units, refusals in its own words. Pure.

Source: https://developers.line.biz/en/reference/messaging-api/#message-objects (read 2026-11-21)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import regex

Problem = tuple[str, str]
Json = dict[str, Any]

_EMPTY = "May not be empty"


def units(text: str) -> int:
    """Return the UTF-16 units of a text."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def graphemes(text: str) -> int:
    return len(regex.findall(r"\X", text))


def problems_of(messages: Any) -> list[dict[str, str]]:
    """Return the `details` of a refusal, empty when all is well."""
    if not isinstance(messages, list) or not 1 <= len(messages) <= 5:
        return [{"property": "messages", "message": "Size must be between 1 and 5"}]
    found = [one for at, message in enumerate(messages) for one in _message(f"messages[{at}]", message)]
    return [{"property": where, "message": what} for where, what in found]


def actions_of(message: Json) -> list[Json]:
    """Return every button and quick reply of a message, in document order."""
    found: list[Json] = []
    _collect(message, found)
    return found


def _collect(value: Any, found: list[Json]) -> None:
    if isinstance(value, list):
        for one in value:
            _collect(one, found)
    if isinstance(value, dict):
        for name, one in value.items():
            if name == "action" and isinstance(one, dict):
                found.append(one)
            elif name == "actions" and isinstance(one, list):
                found.extend(one)
            else:
                _collect(one, found)


# ---------------------------------------------------------------- parts


def _words(
    at: str, holder: Json, name: str, most: int, *, size: Callable[[str], int] = units, must: bool = True
) -> Iterator[Problem]:
    value = holder.get(name)
    if value is None or value == "":
        if must:
            yield f"{at}.{name}", _EMPTY
    elif not isinstance(value, str):
        yield f"{at}.{name}", "must be a string"
    elif size(value) > most:
        yield f"{at}.{name}", f"Length must be between 0 and {most}"


def _address(at: str, holder: Json, name: str, *, must: bool = True) -> Iterator[Problem]:
    """HTTPS only; plain HTTP passes for loopback, where this simulator lives."""
    yield from _words(at, holder, name, 2000, must=must)
    if isinstance(holder.get(name), str) and holder[name]:
        parts = urlsplit(holder[name])
        local = parts.scheme == "http" and parts.hostname in {"127.0.0.1", "localhost", "::1"}
        if not holder[name].isascii() or not (local or (parts.scheme == "https" and parts.hostname)):
            yield f"{at}.{name}", "Must be a valid HTTPS URL"


def _number(at: str, holder: Json, name: str, between: tuple[float, float]) -> Iterator[Problem]:
    low, high = between
    value = holder.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        yield f"{at}.{name}", f"Must be between {low} and {high}"


def _action(at: str, action: Any, label: int) -> Iterator[Problem]:
    kind = action.get("type") if isinstance(action, dict) else None
    if kind not in _ACTIONS:
        yield f"{at}.type", f"Unknown action type: {kind}"
        return
    yield from _words(at, action, "label", label, size=graphemes, must=label < 40)
    for name, most, size, must in _ACTIONS[kind]:
        yield from _words(at, action, name, most, size=size, must=must)
    if kind == "uri" and urlsplit(str(action.get("uri"))).scheme not in {"http", "https", "line", "tel"}:
        yield f"{at}.uri", "Invalid URI scheme"


#: Action → its texts: name, most, how it is counted, whether it must be there.
_ACTIONS: dict[str, tuple[tuple[str, int, Callable[[str], int], bool], ...]] = {
    "postback": (("data", 300, units, True), ("displayText", 300, graphemes, False)),
    "message": (("text", 300, graphemes, True),),
    "uri": (("uri", 1000, units, True),),
    "datetimepicker": (("data", 300, units, True), ("mode", 10, units, True)),
    "clipboard": (("clipboardText", 1000, units, True),),
    "camera": (),
    "cameraRoll": (),
    "location": (),
    "richmenuswitch": (("richMenuAliasId", 32, units, True), ("data", 300, units, True)),
}


def _actions(at: str, holder: Json, low: int, high: int) -> Iterator[Problem]:
    actions = holder.get("actions")
    if not isinstance(actions, list) or not low <= len(actions) <= high:
        yield f"{at}.actions", f"Size must be between {low} and {high}"
        return
    for index, action in enumerate(actions):
        yield from _action(f"{at}.actions[{index}]", action, 20)


def _column(at: str, column: Json, *, text: int, actions: int) -> Iterator[Problem]:
    crowded = bool(column.get("title") or column.get("thumbnailImageUrl"))
    yield from _words(at, column, "title", 40, size=graphemes, must=False)
    yield from _words(at, column, "text", 60 if crowded else text, size=graphemes)
    yield from _address(at, column, "thumbnailImageUrl", must=False)
    yield from _actions(at, column, 1, actions)


# ---------------------------------------------------------------- kinds


def _text(at: str, message: Json) -> Iterator[Problem]:
    yield from _words(at, message, "text", 5000)
    for index, emoji in enumerate(message.get("emojis", ())):
        place = message["text"].encode("utf-16-le")[2 * emoji["index"] : 2 * emoji["index"] + 2]
        if place.decode("utf-16-le", "replace") != "$":
            yield f"{at}.emojis[{index}].index", "Must point at $"


def _picture(at: str, message: Json) -> Iterator[Problem]:
    yield from _address(at, message, "originalContentUrl")
    yield from _address(at, message, "previewImageUrl")


def _sound(at: str, message: Json) -> Iterator[Problem]:
    yield from _address(at, message, "originalContentUrl")
    yield from _number(at, message, "duration", (1, 86_400_000))


def _place(at: str, message: Json) -> Iterator[Problem]:
    yield from _words(at, message, "title", 100)
    yield from _words(at, message, "address", 100)
    yield from _number(at, message, "latitude", (-90, 90))
    yield from _number(at, message, "longitude", (-180, 180))


def _sticker(at: str, message: Json) -> Iterator[Problem]:
    yield from _words(at, message, "packageId", 20)
    yield from _words(at, message, "stickerId", 20)


def _imagemap(at: str, message: Json) -> Iterator[Problem]:
    yield from _address(at, message, "baseUrl")
    yield from _words(at, message, "altText", 1500)
    yield from _number(f"{at}.baseSize", message.get("baseSize") or {}, "width", (1040, 1040))


def _coupon(at: str, message: Json) -> Iterator[Problem]:
    yield from _words(at, message, "couponId", 100)


def _template(at: str, message: Json) -> Iterator[Problem]:
    yield from _words(at, message, "altText", 1500)
    template = message.get("template") or {}
    if template.get("type") not in _TEMPLATES:
        yield f"{at}.template.type", "Unknown template type"
        return
    yield from _TEMPLATES[template["type"]](f"{at}.template", template)


def _buttons(at: str, template: Json) -> Iterator[Problem]:
    yield from _column(at, template, text=160, actions=4)


def _confirm(at: str, template: Json) -> Iterator[Problem]:
    yield from _words(at, template, "text", 240, size=graphemes)
    yield from _actions(at, template, 2, 2)


def _carousel(at: str, template: Json) -> Iterator[Problem]:
    columns = template.get("columns") or []
    if not 1 <= len(columns) <= 10:
        yield f"{at}.columns", "Size must be between 1 and 10"
    if len({len(column.get("actions", ())) for column in columns}) > 1:
        yield f"{at}.columns", "The number of actions must be the same in all columns"
    if len({bool(column.get("thumbnailImageUrl")) for column in columns}) > 1:
        yield f"{at}.columns", "Either all columns have a picture or none"
    for index, column in enumerate(columns):
        yield from _column(f"{at}.columns[{index}]", column, text=120, actions=3)


def _image_carousel(at: str, template: Json) -> Iterator[Problem]:
    columns = template.get("columns") or []
    if not 1 <= len(columns) <= 10:
        yield f"{at}.columns", "Size must be between 1 and 10"
    for index, column in enumerate(columns):
        yield from _address(f"{at}.columns[{index}]", column, "imageUrl")
        yield from _action(f"{at}.columns[{index}].action", column.get("action"), 12)


_TEMPLATES: dict[str, Callable[[str, Json], Iterator[Problem]]] = {
    "buttons": _buttons,
    "confirm": _confirm,
    "carousel": _carousel,
    "image_carousel": _image_carousel,
}


def _flex(at: str, message: Json) -> Iterator[Problem]:
    yield from _words(at, message, "altText", 1500)
    contents = message.get("contents") or {}
    bubbles = contents.get("contents", []) if contents.get("type") == "carousel" else [contents]
    if not 1 <= len(bubbles) <= 12:
        yield f"{at}.contents", "Size must be between 1 and 12"
    if len(json.dumps(contents)) > 50_000:
        yield f"{at}.contents", "The size of the carousel must be at most 50 KB"
    for index, bubble in enumerate(bubbles):
        where = f"{at}.contents[{index}]"
        if bubble.get("type") != "bubble" or len(json.dumps(bubble)) > 30_000:
            yield where, "Must be a bubble of at most 30 KB"
        yield from _component(where, bubble)


def _component(at: str, value: Any) -> Iterator[Problem]:
    if isinstance(value, list):
        for index, one in enumerate(value):
            yield from _component(f"{at}[{index}]", one)
    elif isinstance(value, dict):
        if check := _FLEX_PARTS.get(str(value.get("type"))):
            yield from check(at, value)
        for name, one in value.items():
            if name == "action":
                yield from _action(f"{at}.action", one, 40)
            else:
                yield from _component(f"{at}.{name}", one)


_FLEX_PARTS: dict[str, Callable[[str, Json], Iterator[Problem]]] = {
    "text": lambda at, part: _words(at, part, "text", 2000),
    "image": lambda at, part: _address(at, part, "url"),
}
_KINDS: dict[str, Callable[[str, Json], Iterator[Problem]]] = {
    "text": _text,
    "textV2": _text,
    "image": _picture,
    "video": _picture,
    "audio": _sound,
    "location": _place,
    "sticker": _sticker,
    "imagemap": _imagemap,
    "coupon": _coupon,
    "template": _template,
    "flex": _flex,
}


def _message(at: str, message: Any) -> Iterator[Problem]:
    kind = message.get("type") if isinstance(message, dict) else None
    if kind not in _KINDS:
        yield f"{at}.type", f"Unknown message type: {kind}"
        return
    yield from _KINDS[kind](at, message)
    if "sender" in message:
        yield from _words(f"{at}.sender", message["sender"], "name", 20, must=False)
    if "quickReply" in message:
        items = message["quickReply"].get("items", [])
        if not 1 <= len(items) <= 13:
            yield f"{at}.quickReply.items", "Size must be between 1 and 13"
        for index, item in enumerate(items):
            yield from _action(f"{at}.quickReply.items[{index}].action", item.get("action"), 20)
