"""What WhatsApp accepts as a message: limits in its own units, refusals with its own codes. Pure.

Source: https://developers.facebook.com/docs/whatsapp/cloud-api/reference/messages (read 2026-11-22)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

Json = dict[str, Any]
#: (code, details)
Problem = tuple[int, str]

BLANK = re.compile(r"\{\{\s*(\w+)\s*\}\}")
#: Type of a message → (MIME types, bytes) of an upload.
UPLOADS: dict[str, tuple[str, int]] = {
    "image": (r"image/(jpeg|png)", 5 * 1024 * 1024),
    "video": (r"video/(mp4|3gpp)", 16 * 1024 * 1024),
    "audio": (r"audio/(aac|amr|mpeg|mp4|ogg)", 16 * 1024 * 1024),
    "document": (
        r"text/[\w.+-]+|application/(pdf|msword|vnd\.ms-(excel|powerpoint)|vnd\.openxmlformats-officedocument\..+)",
        100 * 1024 * 1024,
    ),
    "sticker": (r"image/webp", 500 * 1024),
}


class Refusal(Exception):
    """An answer with an error."""

    def __init__(self, code: int, details: str, *, status: int = 400, message: str = "") -> None:
        super().__init__(details)
        self.status = status
        self.body = {
            "error": {
                "message": f"(#{code}) {message or details}", "type": "OAuthException", "code": code,
                "error_data": {"messaging_product": "whatsapp", "details": details}, "fbtrace_id": "Atrace",
            }
        }  # fmt: skip


def problem_of(body: Json) -> Problem | None:
    """Return the first thing that is wrong with a message, None when all is well."""
    return next(_problems(body), None)


def _problems(body: Json) -> Iterator[Problem]:
    if body.get("messaging_product") != "whatsapp":
        yield 100, "messaging_product must be whatsapp"
    if not body.get("to") and not body.get("recipient"):
        yield 131008, "The parameter to is required"
    if body.get("to") and body.get("recipient_type") != "group" and not re.fullmatch(r"\+?\d{5,15}", str(body["to"])):
        yield 131009, "to must be a phone number; a user id goes into recipient"
    if len(str(body.get("biz_opaque_callback_data") or "")) > 512:
        yield 131009, "biz_opaque_callback_data has more than 512 characters"
    kind = body.get("type")
    if kind not in _KINDS or not isinstance(body.get(kind), list if kind == "contacts" else dict):
        yield 100, f"Unknown or empty type {kind}"
        return
    if kind == "reaction" and "context" in body:
        yield 131009, "A reaction cannot quote"
    yield from _KINDS[kind](body[kind])


def _words(holder: Any, name: str, most: int, *, must: bool = True) -> Iterator[Problem]:
    value = holder.get(name) if isinstance(holder, dict) else None
    if not value:
        if must:
            yield 131008, f"The parameter {name} is required"
    elif not isinstance(value, str):
        yield 131009, f"{name} must be text"
    elif len(value) > most:
        yield 131009, f"{name} has {len(value)} characters, at most {most} are allowed"


def _file(holder: Any) -> Iterator[Problem]:
    id_, link = (holder.get(name) if isinstance(holder, dict) else None for name in ("id", "link"))
    if bool(id_) == bool(link):
        yield 131008, "Exactly one of id and link is required"
    elif link:
        parts = urlsplit(str(link))
        local = parts.scheme == "http" and parts.hostname in {"127.0.0.1", "localhost"}
        if not local and (parts.scheme != "https" or not parts.hostname):
            yield 131053, "The link must be public HTTPS"


def _captioned(media: Json) -> Iterator[Problem]:
    yield from _file(media)
    yield from _words(media, "caption", 1024, must=False)


def _audio(media: Json) -> Iterator[Problem]:
    yield from _file(media)
    if "caption" in media:
        yield 131009, "Audio has no caption"


def _place(place: Json) -> Iterator[Problem]:
    for name, most in (("latitude", 90), ("longitude", 180)):
        try:
            if abs(float(place[name])) > most:
                yield 131009, f"{name} is out of range"
        except (KeyError, ValueError, TypeError):
            yield 131009, f"{name} must be a number"


def _people(cards: list[Any]) -> Iterator[Problem]:
    if not cards:
        yield 131008, "contacts is empty"
    for card in cards:
        names = card.get("name") if isinstance(card, dict) else None
        yield from _words(names, "formatted_name", 1000)
        if isinstance(names, dict) and len(names) < 2:
            yield 131008, "A name has a part beside formatted_name"


def _reaction(reaction: Json) -> Iterator[Problem]:
    yield from _words(reaction, "message_id", 1000)
    if not isinstance(reaction.get("emoji"), str):
        yield 131009, "emoji must be text"


def _interactive(content: Json) -> Iterator[Problem]:
    shape = _SHAPES.get(content.get("type", ""))
    if shape is None:
        yield 131009, f"Unknown interactive type {content.get('type')}"
        return
    yield from _words(content.get("body"), "text", 4096 if content["type"] == "list" else 1024)
    yield from _words(content.get("footer"), "text", 60, must=False)
    yield from _header(content.get("header"), content["type"])
    yield from shape(content.get("action") or {})


def _header(header: Any, kind: str) -> Iterator[Problem]:
    if header is None:
        return
    if header.get("type") == "text":
        yield from _words(header, "text", 60)
    elif kind in {"list", "location_request_message"} or header.get("type") not in {"image", "video", "document"}:
        yield 131009, f"A header of type {header.get('type')} is not possible here"
    else:
        yield from _file(header.get(header["type"]))


def _options(options: list[Any], *, most: int, title: int, id_: int) -> Iterator[Problem]:
    if not 1 <= len(options) <= most:
        yield 131009, f"There may be 1 to {most} options"
    for option in options:
        yield from _words(option, "title", title)
        yield from _words(option, "id", id_)
    for name in ("title", "id"):
        if len({one.get(name) for one in options}) < len(options):
            yield 131009, f"Duplicated {name}"


def _buttons(action: Json) -> Iterator[Problem]:
    yield from _options([one.get("reply") or {} for one in action.get("buttons") or ()], most=3, title=20, id_=256)


def _list(action: Json) -> Iterator[Problem]:
    sections = action.get("sections") or []
    yield from _words(action, "button", 20)
    if not 1 <= len(sections) <= 10:
        yield 131009, "There may be 1 to 10 sections"
    for section in sections:
        yield from _words(section, "title", 24, must=len(sections) > 1)
    rows = [row for section in sections for row in section.get("rows") or ()]
    yield from _options(rows, most=10, title=24, id_=200)
    for row in rows:
        yield from _words(row, "description", 72, must=False)


def _link(action: Json) -> Iterator[Problem]:
    parameters = action.get("parameters") or {}
    yield from _words(parameters, "display_text", 20)
    if urlsplit(str(parameters.get("url"))).scheme not in {"http", "https"}:
        yield 131009, "url must be an address"


def _template(template: Json) -> Iterator[Problem]:
    yield from _words(template, "name", 512)
    yield from _words(template.get("language"), "code", 20)


_SHAPES: dict[str, Callable[[Json], Iterator[Problem]]] = {
    "button": _buttons, "list": _list, "cta_url": _link, "location_request_message": lambda _: iter(()),
}  # fmt: skip
_KINDS: dict[str, Callable[[Any], Iterator[Problem]]] = {
    "text": lambda text: _words(text, "body", 4096),
    **dict.fromkeys(("image", "video", "document"), _captioned),
    "audio": _audio,
    "sticker": _file,
    "location": _place,
    "contacts": _people,
    "reaction": _reaction,
    "interactive": _interactive,
    "template": _template,
}


# ---------------------------------------------------------------- templates


def template_problem(template: Json, sent: Json) -> Problem | None:
    """Return what is wrong with the parameters of a template message."""
    if template["status"] != "APPROVED":
        return 132015, f"Template is {template['status'].lower()}"
    given = {(one.get("type"), str(one.get("index", ""))): one.get("parameters") or [] for one in _parts(sent)}
    for part in template["components"]:
        kind = part["type"].lower()
        if kind in {"header", "body"} and (problem := _filled(part, given.get((kind, ""), []), template)):
            return problem
        for at, button in enumerate(part.get("buttons", ())):
            if BLANK.search(button.get("url", "")) and len(given.get(("button", str(at)), [])) != 1:
                return 132000, f"Button {at} needs one parameter"
    return None


def _parts(sent: Json) -> list[Json]:
    return [one for one in sent.get("components") or () if isinstance(one, dict)]


def _filled(part: Json, parameters: list[Json], template: Json) -> Problem | None:
    wanted = BLANK.findall(part.get("text", ""))
    kind = part.get("format", "TEXT").lower()
    if kind != "text":
        good = [one.get("type") for one in parameters] == [kind] and not list(_file(parameters[0].get(kind)))
        return None if good else (132012, f"The header needs one parameter of type {kind}")
    if len(parameters) != len(wanted):
        return 132000, f"{part['type'].lower()} needs {len(wanted)} parameters, {len(parameters)} were given"
    if template["parameter_format"] == "NAMED" and {one.get("parameter_name") for one in parameters} != {*wanted}:
        return 132000, f"Parameters {wanted} are expected"
    if any(one.get("type") == "text" and not one.get("text") for one in parameters):
        return 132012, "A parameter is empty"
    return None


def filled(template: Json, sent: Json) -> str:
    """Return the words that a customer reads."""
    lines = []
    for part in template["components"]:
        kind, none = part["type"].lower(), []  # type: tuple[str, list[Json]]
        parameters = next((one["parameters"] for one in _parts(sent) if one["type"] == kind), none)
        values = {one.get("parameter_name") or str(at): _said(one) for at, one in enumerate(parameters, 1)}
        text = str(part.get("text", ""))
        for name in BLANK.findall(text):
            text = text.replace(f"{{{{{name}}}}}", values.get(name, name))
        lines.append(text)
    return "\n".join(filter(None, lines))


def _said(parameter: Json) -> str:
    value = parameter.get(parameter["type"])
    return str(value.get("fallback_value", "")) if isinstance(value, dict) else str(value)
